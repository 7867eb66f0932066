"""STOW-RS over HTTP: what is stored, what is not and why, and when the analysis begins."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from pydicom.uid import UID

from hepar.storage.database import open_database
from hepar.storage.encryption import load_key_ring
from study_service.job_queue import JobQueue, QueueRules
from study_service.migrations import MIGRATIONS
from tests.support.dicomweb import STUDIES, DicomWebServer, dataset, dicomweb_server, parts_of, related, values
from tests.support.pictures import dicom_bytes
from tests.support.study_api import ct_files, zipped
from tests.support.tokens import TokenAuthority

A, B = "1.2.826.0.1.3680043.8.498.91", "1.2.826.0.1.3680043.8.498.92"


def studies(web: DicomWebServer, subject: str) -> list[dict[str, object]]:
    answer = httpx.get(f"{web.url}/v1/studies", headers=web.headers(subject), trust_env=False, timeout=60)
    found: list[dict[str, object]] = answer.json()["items"]
    return found


def test_objects_are_stored_and_named_in_the_answer(web: DicomWebServer) -> None:
    files = ct_files(6, study_uid=A)
    answer = web.stow(files, "joe", f"/{A}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/dicom+json")
    document = answer.json()
    assert values(document, "00081190") == [f"{web.url}{STUDIES}/{A}"]
    assert "00081198" not in document
    stored = values(document, "00081199")
    assert [values(item, "00081155")[0] for item in stored] == [f"{A}.{number}" for number in range(1, 7)]
    url = values(stored[0], "00081190")[0]
    assert parts_of(web.get(url.partition(STUDIES)[2], "joe"))[0][1] == files[0]
    again = web.stow(files, "joe")
    assert (again.status_code, len(studies(web, "joe"))) == (200, 1)
    assert len(parts_of(web.get(f"/{A}", "joe"))) == 6


def test_several_studies_in_one_request_are_stored_apart(web: DicomWebServer) -> None:
    answer = web.stow(ct_files(4, study_uid=A) + ct_files(5, study_uid=B, patient="4712"), "kim")
    assert answer.status_code == 200, answer.text
    assert "00081190" not in answer.json()
    assert sorted(int(str(study["images"])) for study in studies(web, "kim")) == [4, 5]
    assert len(parts_of(web.get(f"/{B}", "kim"))) == 5


def test_what_is_not_stored_is_listed_with_its_reason(web: DicomWebServer) -> None:
    files = ct_files(3, study_uid=A)
    anonymous = dataset(files[0])
    anonymous.SOPInstanceUID = anonymous.file_meta.MediaStorageSOPInstanceUID = UID(f"{A}.99")
    del anonymous.StudyInstanceUID
    mixed = [*files, ct_files(1, study_uid=B)[0], dicom_bytes(anonymous), b"no DICOM file", files[0][:300]]
    answer = web.stow(mixed, "lea", f"/{A}")
    assert answer.status_code == 202
    document = answer.json()
    assert len(values(document, "00081199")) == 3
    failed = {values(item, "00081155")[0]: values(item, "00081197")[0] for item in values(document, "00081198")}
    assert failed == {f"{B}.1": 0xA900, f"{A}.99": 0xC000}
    assert [values(item, "00081197") for item in values(document, "0008119A")] == [[0xC000]] * 2
    nothing = web.stow(ct_files(2, study_uid=B), "lea", f"/{A}")
    assert (nothing.status_code, "00081199" in nothing.json()) == (409, False)
    assert len(studies(web, "lea")) == 1


def test_a_study_of_another_patient_is_a_failure_of_its_objects(web: DicomWebServer) -> None:
    assert web.stow(ct_files(3, study_uid=A), "max").status_code == 200
    answer = web.stow(ct_files(3, first=3, study_uid=A, patient="4799"), "max")
    assert answer.status_code == 409
    assert {values(item, "00081197")[0] for item in values(answer.json(), "00081198")} == {0x0110}


def test_the_rules_of_an_upload_hold(web: DicomWebServer) -> None:
    content, headers = related(ct_files(1, study_uid=B))
    url = f"{web.url}{STUDIES}"

    def post(**changes: str) -> httpx.Response:
        sent = headers | web.headers("ned") | changes
        return httpx.post(url, content=content, headers=sent, timeout=60, trust_env=False)

    assert httpx.post(url, content=content, headers=headers, trust_env=False, timeout=60).status_code == 401
    assert post(**{"content-type": "application/dicom"}).status_code == 415
    assert post(**{"content-type": headers["content-type"].replace("dicom", "dicom+json")}).status_code == 415
    assert post(accept="application/dicom+xml").status_code == 406
    assert post(**{"content-type": 'multipart/related; type="application/dicom"'}).status_code == 422
    assert studies(web, "ned") == []


def test_hostile_parts_leave_nothing(web: DicomWebServer) -> None:
    nested = web.stow([*ct_files(2, study_uid=B), zipped(ct_files(1))], "oz")
    assert (nested.status_code, nested.json()["type"]) == (422, "/problems/unsafe-archive")
    cut, headers = related(ct_files(2, study_uid=B))
    url, caller = f"{web.url}{STUDIES}", web.headers("oz") | headers
    for content in (b"", cut[:-20], cut[: len(cut) // 2], cut.replace(b"\r\n\r\n", b"\r\n"), b"--x--"):
        answer = httpx.post(url, content=content, headers=caller, timeout=60, trust_env=False)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request"), content[:80]
    empty = web.stow([b"", bytes(200)], "oz")
    assert (empty.status_code, len(values(empty.json(), "0008119A"))) == (409, 2)
    assert studies(web, "oz") == []
    assert not list(web.settings.spool_folder.iterdir())


def test_the_limits_and_the_quiet_time(authority: TokenAuthority, tmp_path: Path) -> None:
    with dicomweb_server(tmp_path, authority, quiet_s=600, images_max=5, upload_bytes_max=60_000) as web:
        assert web.stow(ct_files(6)).status_code == 413
        assert web.stow([bytes(70_000)]).status_code == 413
        assert studies(web, "ann") == []
        first = web.stow(ct_files(1, study_uid=A))
        assert first.status_code == 200, first.text
        for number in range(1, 4):
            assert web.stow(ct_files(1, first=number, study_uid=A), path=f"/{A}").status_code == 200
        [study] = studies(web, "ann")
        assert (study["status"], study["images"], study["version"]) == ("queued", 4, 1)
        assert len(web.get(f"/{A}/instances").json()) == 4
        assert _claimable(web, datetime.now(UTC)) == []
        assert _claimable(web, datetime.now(UTC) + timedelta(seconds=601)) == [study["id"]]


def _claimable(web: DicomWebServer, now: datetime) -> list[str]:
    """The studies that a worker would begin at this time."""

    async def claimed() -> list[str]:
        keys = load_key_ring(web.settings.key_file)
        async with open_database(web.settings.database_url, MIGRATIONS, "studies") as database:
            job = await JobQueue(database, keys, "worker", QueueRules(15.0, 0.0, 3), lambda: now).claim()
        return [] if job is None else [job.study_id]

    return asyncio.run(claimed())
