"""The gateway with real services behind it, for tests."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
from fastapi.testclient import TestClient
from starlette.types import Receive, Scope, Send

from auth_service.app import create_app as create_auth
from auth_service.keys import KeyRing
from auth_service.settings import AuthSettings
from auth_service.tokens import TokenIssuer
from classify_service.app import create_app as create_classify
from classify_service.settings import ClassifySettings
from detect_service.app import create_app as create_detect
from detect_service.settings import DetectSettings
from gateway.app import create_app
from gateway.settings import GatewaySettings
from hepar.contracts.problems import Problem
from study_service.app import create_app as create_study
from study_service.settings import StudySettings
from tests.support.pictures import encoded, nearly_flat
from tests.support.serving import serving
from tests.support.study_api import study_settings
from tests.support.tiny_models import agree_on, write_segmenter

if TYPE_CHECKING:
    from tests.support.triton import RunningTriton

_NUMBERS = itertools.count()
NOWHERE = "http://127.0.0.1:9"
PNG = {"content-type": "image/png"}
DARK = encoded(nearly_flat(0))


UNREACHABLE_ARCHIVE = {"kind": "dicom", "name": "archive", "host": "127.0.0.1", "port": 9, "ae_title": "ARCHIVE"}


@dataclass
class Misbehaving:
    """A service with a configurable response, body reading and delay."""

    status: int = 200
    body: bytes = b"{}"
    kind: bytes = b"application/json"
    wait_s: float = 0.0
    retry_after: bytes = b"7"
    reads: bool = True
    cancelled: int = 0
    seen: list[dict[str, str]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self.seen.append({name.decode(): value.decode() for name, value in scope["headers"]})
        while self.reads and (await receive()).get("more_body"):
            pass
        waiting = asyncio.create_task(asyncio.sleep(self.wait_s))
        gone = asyncio.ensure_future(receive())
        await asyncio.wait([waiting, gone], return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            self.cancelled += 1
        headers = [(b"content-type", self.kind), (b"retry-after", self.retry_after)]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


@dataclass(frozen=True)
class Surroundings:
    auth_url: str
    classify_url: str
    detect_url: str
    study_url: str
    study_settings: StudySettings
    issuer: TokenIssuer
    folder: Path


@pytest.fixture(scope="module")
def around(triton: RunningTriton, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    folder = tmp_path_factory.mktemp("accounts")
    keys_folder = folder / "keys"
    auth = AuthSettings(
        database_url=f"sqlite+aiosqlite:///{folder / 'a.sqlite3'}",
        keys_folder=keys_folder,
        secret_key_file=folder / "secret.key",
        signup_burst=1000,
    )
    with ExitStack() as stack:
        auth_url = stack.enter_context(serving(create_auth(auth)))
        models = {"triton": triton.grpc, "model_repository": triton.repository, "auth_url": auth_url}
        gated = models | {"model_repository": gated_models(triton, folder / "models")}
        classify_url = stack.enter_context(serving(create_classify(ClassifySettings.model_validate(models))))
        detect_url = stack.enter_context(serving(create_detect(DetectSettings.model_validate(gated))))
        study = study_settings(
            folder,
            auth_url,
            webhook_hosts=["hooks.example.org"],
            destinations=[UNREACHABLE_ARCHIVE, empty_archive(auth_url)],
        )
        study_url = stack.enter_context(serving(create_study(study)))
        yield Surroundings(
            auth_url,
            classify_url,
            detect_url,
            study_url,
            study,
            TokenIssuer(KeyRing(keys_folder, 600), "hepar-auth", "hepar", 600),
            folder,
        )


def empty_archive(url: str) -> dict[str, object]:
    """A service that has no study."""
    return {"kind": "dicomweb", "name": "web-archive", "url": f"{url}/dicom-web", "fetch_for": ["*"]}


def gated_models(triton: RunningTriton, repository: Path) -> Path:
    """The tiny models with a segmenter, for which dark parts of an image are the liver, and a fitted liver gate."""
    shutil.copytree(triton.repository, repository, ignore=shutil.ignore_patterns("segment_dark"))
    write_segmenter(repository, "segment_dark", in_the_dark=True)
    common: dict[str, object] = {"decision_threshold": 0.0, "member_threshold": 0.5}
    gate: dict[str, object] = {"liver_gate": {"minimum_share": 0.35, "decision_threshold": 0.0}}
    agree_on(
        repository,
        ["detect_left", "detect_right"],
        common | gate | {"method": "non_maximum_suppression", "overlap": 0.55},
        common | gate | {"method": "soft_non_maximum_suppression", "sigma": 0.5},
        **common | gate | {"method": "weighted_box_fusion", "overlap": 0.55},
    )
    return repository


def gateway(around: Surroundings, **changes: object) -> TestClient:
    urls = {"auth_url": around.auth_url, "classify_url": around.classify_url, "detect_url": around.detect_url}
    urls["study_url"] = around.study_url
    answers = {"database_url": f"sqlite+aiosqlite:///{around.folder}/state-{next(_NUMBERS)}.sqlite3"}
    settings = GatewaySettings.model_validate(answers | urls | changes)
    return TestClient(create_app(settings), base_url="http://127.0.0.1")


def bearer(around: Surroundings, scope: str = "analyses studies account", subject: str = "somebody") -> dict[str, str]:
    return {"authorization": f"Bearer {around.issuer.issue(subject, scope)}"}


def problem(answer: httpx2.Response) -> Problem:
    assert answer.headers["content-type"] == "application/problem+json"
    document = Problem.model_validate_json(answer.content)
    assert (document.status, document.request_id) == (answer.status_code, answer.headers["x-request-id"])
    for secret in ("127.0.0.1", "classify_service", "Traceback", "httpx"):
        assert secret not in answer.text
    return document
