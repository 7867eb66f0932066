"""A real archive at the other end: Orthanc sends to us, reads from us, and takes our results, all by DICOMweb."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import httpx2
import pytest

from study_service.destinations.configuration import DicomWebDestination
from study_service.destinations.dicomweb import DicomWebSender
from study_service.destinations.sender import SendFailed
from tests.support.dicomweb import SLICES, STUDY_UID, DicomWebServer, dataset, parts_of
from tests.support.orthanc import Orthanc, free_ports, orthanc_server
from tests.support.study_api import ct_files, study_api
from tests.support.tokens import TokenAuthority

SENT_UID, FETCHED_UID = "1.2.826.0.1.3680043.8.498.95", "1.2.826.0.1.3680043.8.498.96"


@pytest.fixture(scope="module")
def orthanc(web: DicomWebServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """It knows us by the name of the account with which it signs in."""
    servers = {
        name: {"Url": f"{web.url}/dicom-web/", "HttpHeaders": {"Authorization": web.headers(name)["authorization"]}}
        for name in ("ann", "olga")
    }
    options = {"Enable": True, "Root": "/dicom-web/", "Servers": servers}
    with orthanc_server(tmp_path_factory.mktemp("orthanc"), DicomWeb=options) as running:
        yield running


def study_in(orthanc: Orthanc, uid: str) -> list[dict[str, str]]:
    return [tags for tags in orthanc.tags() if tags["StudyInstanceUID"] == uid]


@pytest.mark.usefixtures("files")
def test_the_archive_finds_and_retrieves_images_and_results(orthanc: Orthanc) -> None:
    found = orthanc.post("/dicom-web/servers/ann/qido", {"Uri": "/studies", "Arguments": {"PatientID": "4711"}})
    assert STUDY_UID in [item["0020000D"]["Value"] for item in found]
    orthanc.post("/dicom-web/servers/ann/retrieve", {"Resources": [{"Study": STUDY_UID}], "Synchronous": True})
    stored = study_in(orthanc, STUDY_UID)
    assert sorted(tags["Modality"] for tags in stored) == ["CT"] * SLICES + ["DOC", "OT", "SEG", "SR"]


def test_the_archive_sends_a_study_to_us(orthanc: Orthanc, web: DicomWebServer) -> None:
    files = ct_files(12, study_uid=SENT_UID, patient="4716")
    orthanc.store(files)
    [study] = [one for one in orthanc.get("/studies?expand") if one["MainDicomTags"]["StudyInstanceUID"] == SENT_UID]
    orthanc.post("/dicom-web/servers/olga/stow", {"Resources": [study["ID"]], "Synchronous": True})
    received = [dataset(content) for _, content in parts_of(web.get(f"/{SENT_UID}", "olga"))]
    assert {item.SOPInstanceUID for item in received} == {dataset(content).SOPInstanceUID for content in files}
    assert received[0].PixelData in {dataset(content).PixelData for content in files}


def test_results_reach_the_archive_once(orthanc: Orthanc, web: DicomWebServer, files: list[bytes]) -> None:
    objects = [content for _, content in parts_of(web.get(f"/{STUDY_UID}"))][len(files) :]
    outputs = {f"{number}.dcm": content for number, content in enumerate(objects)}
    sender = DicomWebSender(DicomWebDestination(name="pacs", url=orthanc.dicomweb_url))
    for one in orthanc.get("/studies"):
        httpx.delete(f"{orthanc.url}/studies/{one}", timeout=60, trust_env=False).raise_for_status()

    async def send_twice() -> None:
        await sender.test()
        await sender.send(outputs)
        await sender.send(outputs)

    asyncio.run(send_twice())
    stored = study_in(orthanc, STUDY_UID)
    assert {tags["SOPInstanceUID"] for tags in stored} == {dataset(content).SOPInstanceUID for content in objects}
    assert len(stored) == len(objects) == 4


def test_an_archive_that_does_not_answer_or_refuses(orthanc: Orthanc, tmp_path: Path) -> None:
    def failure(url: str, outputs: dict[str, bytes]) -> SendFailed:
        with pytest.raises(SendFailed) as raised:
            asyncio.run(DicomWebSender(DicomWebDestination(name="pacs", url=url)).send(outputs))
        return raised.value

    [file] = ct_files(1, study_uid=SENT_UID)
    away = failure(f"http://127.0.0.1:{free_ports(1)[0]}/dicom-web", {"report.dcm": file})
    assert (away.permanent, away.reason) == (False, "the archive does not answer (ConnectError)")
    wrong = failure(f"{orthanc.url}/nowhere", {"report.dcm": file})
    assert (wrong.permanent, wrong.reason) == (False, "the archive answers with status 404")
    damaged = failure(orthanc.dicomweb_url, {"report.dcm": file[:200]})
    assert damaged.permanent


def test_a_study_is_fetched_from_the_archive(orthanc: Orthanc, authority: TokenAuthority, tmp_path: Path) -> None:
    files = ct_files(6, study_uid=FETCHED_UID, patient="4717")
    orthanc.store(files)
    pacs = {"kind": "dicomweb", "name": "pacs", "url": orthanc.dicomweb_url, "fetch_for": ["pia"]}
    away = pacs | {"name": "away", "url": f"http://127.0.0.1:{free_ports(1)[0]}"}
    wrong = pacs | {"name": "wrong", "url": orthanc.url}
    with study_api(tmp_path, authority, destinations=[pacs, away, wrong]) as api:

        def fetch(archive: str = "pacs", subject: str = "pia", uid: str = FETCHED_UID) -> httpx2.Response:
            return api.call("POST", f"/v1/destinations/{archive}/fetches", subject, json={"study_uid": uid})

        def refused(**request: str) -> tuple[int, str]:
            answer = fetch(**request)
            return answer.status_code, answer.json()["type"].removeprefix("/problems/")

        fetched = fetch()
        assert (fetched.status_code, fetched.json()["images"]) == (202, 6), fetched.text
        assert fetched.headers["location"] == f"/v1/studies/{fetched.json()['id']}"
        again = fetch()
        assert (again.json()["id"], again.json()["version"]) == (fetched.json()["id"], 1)
        stored = api.call("GET", f"/dicom-web/studies/{FETCHED_UID}/series", "pia").json()
        assert stored[0]["00201209"]["Value"] == [6]
        assert refused(subject="eve") == (403, "forbidden")
        assert refused(archive="nowhere") == (404, "no-such-destination")
        assert refused(uid="1.2.3") == (404, "no-such-study")
        assert refused(uid="../instances") == (422, "invalid-request")
        assert refused(archive="away") == (503, "unavailable")
        assert refused(archive="wrong") in ((404, "no-such-study"), (502, "bad-upstream"))
        assert not list(api.settings.spool_folder.iterdir())
