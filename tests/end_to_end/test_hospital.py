"""From an archive to Hepar and back, with the shipped models: `make test-hospital SERIES=folder`."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import httpx
import pydicom
import pytest
from hepar_client import Hepar
from hepar_client.contracts.findings import CorrectionForm
from hepar_client.contracts.studies import Study

from local_stack.demo import running_stack
from local_stack.settings import on_free_ports
from tests.support.auth_client import PASSWORD
from tests.support.dicom_tools import errors_of_iod, output_of
from tests.support.orthanc import AE_TITLE, Orthanc, free_ports, orthanc_server
from tests.support.stack import Stack

SAMPLE = Path("samples/study.zip")
RESULTS = {"SEG": 1, "SR": 1, "DOC": 1}
"""Objects by modality, besides the key images, of which there are as many as lesions."""
Found = TypeVar("Found")


@pytest.fixture(scope="module")
def series(request: pytest.FixtureRequest) -> list[bytes]:
    folder = request.config.getoption("--series", default=None)
    if folder:
        return [path.read_bytes() for path in sorted(Path(folder).iterdir()) if path.is_file()]
    with zipfile.ZipFile(SAMPLE) as archive:
        return [archive.read(name) for name in archive.namelist() if not name.endswith("/")]


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory, series: list[bytes]) -> Iterator[Orthanc]:
    with orthanc_server(tmp_path_factory.mktemp("orthanc")) as running:
        running.store(series)
        yield running


@pytest.fixture(scope="module")
def hepar(tmp_path_factory: pytest.TempPathFactory, orthanc: Orthanc) -> Iterator[Hepar]:
    """Signed in as an administrator, who sees every study. The archive knows Hepar, and Hepar the archive."""
    folder, (port,) = tmp_path_factory.mktemp("stack"), free_ports(1)
    by_dicom = {"kind": "dicom", "name": "pacs", "host": "127.0.0.1", "port": orthanc.dicom_port, "ae_title": AE_TITLE}
    by_web = {"kind": "dicomweb", "name": "web-archive", "url": orthanc.dicomweb_url}
    peer = {"ae_title": AE_TITLE, "networks": ["127.0.0.1"], "owner": "archive"}
    settings = on_free_ports()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HEPAR_STUDY_LISTEN_PORT", str(port))
        environment.setenv("HEPAR_STUDY_LISTEN_PEERS", json.dumps([peer]))
        environment.setenv("HEPAR_STUDY_QUIET_S", "2")
        environment.setenv("HEPAR_STUDY_DESTINATIONS", json.dumps([by_dicom | {"automatic_for": ["archive"]}, by_web]))
        with running_stack(settings, folder) as process, Hepar(settings.gateway_url) as client:
            client.sign_in(Stack(settings, folder, process.pid).create_administrator(), PASSWORD)
            orthanc.put("/modalities/hepar", {"AET": "HEPAR", "Host": "127.0.0.1", "Port": port})
            server = {"Url": f"{settings.gateway_url}/dicom-web/", "HttpHeaders": bearer(client)}
            orthanc.put("/dicom-web/servers/hepar", server)
            yield client


def test_a_series_comes_by_c_store_is_corrected_and_its_results_go_back(
    hepar: Hepar, orthanc: Orthanc, series: list[bytes], tmp_path: Path
) -> None:
    """The results are there before anybody reads them; corrections are in what is read afterwards."""
    orthanc.post("/modalities/hepar/store", orthanc.study(study_uid(series)))
    study = wait_for(lambda: finished(hepar, 1))
    result = hepar.studies.result(study.id)
    assert study.images == len(series)
    wait_for(lambda: returned(orthanc, len(result.key_slices)))
    check_objects(orthanc, tmp_path)
    findings = hepar.studies.findings(study.id)
    for finding in findings.items:
        hepar.studies.correct(study.id, finding, CorrectionForm(action="reject", comment="a vessel"))
    (report := tmp_path / "report.pdf").write_bytes(hepar.studies.file(study.id, "report.pdf"))
    text = output_of("pdftotext", "-layout", report, "-")
    assert "not a medical device" in text
    assert ("rejected" in text) == bool(findings.items)


def test_the_same_series_by_stow_is_a_study_of_its_sender_and_is_sent_back(
    hepar: Hepar, orthanc: Orthanc, series: list[bytes], tmp_path: Path
) -> None:
    of_images = [
        one for one in orthanc.get("/series") if orthanc.get(f"/series/{one}")["MainDicomTags"]["Modality"] == "CT"
    ]
    before = len(orthanc.get("/instances"))
    orthanc.post("/dicom-web/servers/hepar/stow", {"Resources": of_images, "Synchronous": True})
    study = wait_for(lambda: finished(hepar, 2))
    assert study.images == len(series)
    result = hepar.studies.result(study.id)
    sends = f"{gateway(orthanc)}/v1/studies/{study.id}/sends"
    assert httpx.post(sends, json={"destination": "web-archive"}, headers=bearer(hepar), timeout=60).status_code == 202
    expected = before + sum(RESULTS.values()) + len(result.key_slices)
    wait_for(lambda: len(orthanc.get("/instances")) >= expected)
    check_objects(orthanc, tmp_path)


def bearer(client: Hepar) -> dict[str, str]:
    assert client.token is not None
    return {"Authorization": f"Bearer {client.token.access_token}"}


def gateway(orthanc: Orthanc) -> str:
    url: str = orthanc.get("/dicom-web/servers?expand")["hepar"]["Url"]
    return url.removesuffix("/dicom-web/")


def study_uid(series: list[bytes]) -> str:
    return str(pydicom.dcmread(io.BytesIO(series[0]), stop_before_pixels=True).StudyInstanceUID)


def finished(hepar: Hepar, count: int) -> Study | None:
    """The newest study, when so many have been analysed."""
    studies = hepar.studies.page().items
    assert not [study for study in studies if study.status == "failed"]
    return studies[0] if len(studies) == count and studies[0].status == "finished" else None


def returned(orthanc: Orthanc, key_images: int) -> bool:
    modalities = [tags["Modality"] for tags in orthanc.tags()]
    wanted = {**RESULTS, "OT": key_images}
    return all(modalities.count(modality) == number for modality, number in wanted.items())


def check_objects(orthanc: Orthanc, folder: Path) -> None:
    """No object of ours has an error, as dciodvfy sees it."""
    for instance in orthanc.get("/instances"):
        if orthanc.get(f"/instances/{instance}/simplified-tags")["Modality"] != "CT":
            (path := folder / instance).write_bytes(orthanc.file(instance))
            assert errors_of_iod(path) == []


def wait_for(found: Callable[[], Found | None]) -> Found:
    ends_at = time.monotonic() + 120
    while not (value := found()):
        assert time.monotonic() < ends_at
        time.sleep(0.2)
    return value
