"""OHIF's built pages, the real stack with the shipped models, and the analysed sample study in it."""

from __future__ import annotations

import json
import re
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hepar_client import Hepar
from playwright.sync_api import Page, Request, Response, expect, sync_playwright
from pydicom.dataset import FileDataset
from starlette.applications import Starlette
from starlette.responses import FileResponse, PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from local_stack.demo import running_stack
from local_stack.settings import on_free_ports
from tests.browser.conftest import CHROMIUM
from tests.support.auth_client import PASSWORD
from tests.support.serving import serving
from tests.support.stack import Stack

PAGES = Path("var/tools/ohif")
SAMPLE = Path("samples/study.zip")
GUIDE = Path("docs/integration.md")
TIMEOUT_MS = 180_000
# Drawing by the processor takes many seconds where other programs use it, too: the watchdog would take that for a hang.
_ARGUMENTS = ["--no-sandbox", "--use-angle=swiftshader", "--disable-gpu-watchdog"]
expect.set_options(timeout=TIMEOUT_MS)


@dataclass(frozen=True)
class ViewedStudy:
    """segmentation, pdf: files that Hepar made of the study.  images: of its analysed series, by InstanceNumber."""

    viewer_url: str
    gateway_url: str
    token: str
    uid: str
    segmentation: bytes
    pdf: bytes
    images: dict[int, FileDataset]

    def page_url(self) -> str:
        return f"{self.viewer_url}/viewer?StudyInstanceUIDs={self.uid}&token={self.token}"


def configuration(gateway_url: str) -> str:
    """OHIF's, with the data source of docs/integration.md."""
    found = re.search(r"```js\n(dataSources: .*?)```", GUIDE.read_text(), re.DOTALL)
    assert found is not None
    source = found[1].replace("https://hepar.example.org", gateway_url)
    others = 'extensions: [], modes: [], showStudyList: true, investigationalUseDialog: {option: "never"}'
    return f'window.config = {{{others}, defaultDataSourceName: "hepar", {source}}};'


def viewer(gateway_url: str) -> ASGIApp:
    return Starlette(
        routes=[
            Route(
                "/app-config.js", lambda _: PlainTextResponse(configuration(gateway_url), media_type="text/javascript")
            ),
            Route("/viewer", lambda _: FileResponse(PAGES / "index.html")),
            Mount("/", StaticFiles(directory=PAGES, html=True)),
        ]
    )


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ViewedStudy]:
    folder, settings = tmp_path_factory.mktemp("stack"), on_free_ports()
    with serving(viewer(settings.gateway_url)) as viewer_url:
        variables = {"HEPAR_GATEWAY_CORS_ORIGINS": json.dumps([viewer_url]), "HEPAR_AUTH_ACCESS_TOKEN_S": "3600"}
        with running_stack(settings, folder, variables) as process, Hepar(settings.gateway_url) as client:
            client.sign_in(Stack(settings, folder, process.pid).create_administrator(), PASSWORD)
            sent = client.studies.send(SAMPLE)
            ends_at = time.monotonic() + 600
            while client.studies.get(sent.id).status != "finished":
                assert time.monotonic() < ends_at
                time.sleep(0.2)
            masks, pdf = (client.studies.file(sent.id, name) for name in ("segmentation.dcm", "report.pdf"))
            (series,) = pydicom.dcmread(BytesIO(masks)).ReferencedSeriesSequence
            images = {
                int(image.InstanceNumber): image
                for image in sent_files()
                if image.SeriesInstanceUID == series.SeriesInstanceUID
            }
            assert client.token is not None
            token, uid = client.token.access_token, str(images[1].StudyInstanceUID)
            yield ViewedStudy(viewer_url, settings.gateway_url, token, uid, masks, pdf, images)


def sent_files() -> Iterator[FileDataset]:
    with zipfile.ZipFile(SAMPLE) as archive:
        for name in archive.namelist():
            yield pydicom.dcmread(BytesIO(archive.read(name)))


@pytest.fixture
def page(study: ViewedStudy) -> Iterator[Page]:
    """Script errors, refused or failed requests, and requests to other hosts fail the test."""
    faults: list[str] = []

    def check_request(request: Request) -> None:
        if request.url.startswith("http") and not request.url.startswith((study.viewer_url, study.gateway_url)):
            faults.append(request.url)

    def check_response(response: Response) -> None:
        if response.status >= 400:
            faults.append(f"{response.status} {response.url}")

    def check_failure(request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # OHIF cancels images that are no longer wanted
            faults.append(f"{request.failure} {request.url}")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        opened = browser.new_page(viewport={"width": 1024, "height": 768}, locale="en-GB")
        opened.set_default_timeout(TIMEOUT_MS)
        opened.on("pageerror", lambda error: faults.append(str(error)))
        opened.on("request", check_request)
        opened.on("response", check_response)
        opened.on("requestfailed", check_failure)
        yield opened
        browser.close()
    assert faults == []
