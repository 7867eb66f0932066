"""Results reach a real archive by C-STORE: automatically, by request, and after failures."""

from __future__ import annotations

import asyncio
import io
import sqlite3
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pydicom
import pytest

from hepar.contracts.base import RESEARCH_USE_NOTICE
from hepar.contracts.destinations import Send
from hepar.storage.database import open_database
from hepar.storage.encryption import load_key_ring
from hepar.storage.objects import open_objects
from study_service.accesses import accesses_of
from study_service.destinations.configuration import DicomDestination
from study_service.destinations.dicom import DicomSender
from study_service.destinations.registry import Target
from study_service.destinations.send_queue import RETRIES, SendQueue
from study_service.destinations.sender import SendFailed
from study_service.migrations import MIGRATIONS
from study_service.result_files import ResultFiles
from tests.support.dicom_archive import dicom_archive
from tests.support.finished_studies import GEOMETRY, finish_study
from tests.support.orthanc import AE_TITLE, Orthanc, free_ports, orthanc_server
from tests.support.study_api import SCOPE, StudyApi, ct_files, study_api
from tests.support.tokens import TokenAuthority

SOP_UIDS = [f"1.2.3.{number}" for number in range(1, GEOMETRY.shape[0] + 1)]
ADMINISTRATOR = f"{SCOPE} all-studies"
OBJECTS = {
    "Segmentation Storage": "1.2.840.10008.5.1.4.1.1.66.4",
    "Comprehensive 3D SR": "1.2.840.10008.5.1.4.1.1.88.34",
    "Encapsulated PDF": "1.2.840.10008.5.1.4.1.1.104.1",
    "Secondary Capture": "1.2.840.10008.5.1.4.1.1.7",
}


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc_server(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@pytest.fixture(scope="module")
def api(authority: TokenAuthority, tmp_path_factory: pytest.TempPathFactory, orthanc: Orthanc) -> Iterator[StudyApi]:
    """`pacs` takes results of ann's studies by itself, `manual` by request, `down` never answers."""
    archive = {"kind": "dicom", "host": "127.0.0.1", "port": orthanc.dicom_port, "ae_title": AE_TITLE}
    destinations = [
        archive | {"name": "pacs", "title": "Radiology", "automatic_for": ["ann"]},
        archive | {"name": "manual", "files": ["segmentation.dcm"]},
        archive | {"name": "chosen", "files": ["report.dcm", "key-image-1.dcm", "segmentation.dcm"]},
        archive | {"name": "down", "port": free_ports(1)[0]},
    ]
    with study_api(tmp_path_factory.mktemp("sends"), authority, destinations=destinations) as running:
        yield running


def administer(api: StudyApi, method: str, path: str, **more: Any) -> Any:  # noqa: ANN401  JSON
    answer = api.call(method, path, headers=api.headers("root", ADMINISTRATOR), **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def sends_of(api: StudyApi, study_id: str, subject: str = "ann") -> dict[str, Send]:
    """By destination."""
    answer = api.call("GET", f"/v1/studies/{study_id}/sends", subject)
    return {item["destination"]: Send.model_validate(item) for item in answer.json()["items"]}


def wait_for_send(api: StudyApi, study_id: str, destination: str, status: str, subject: str = "ann") -> Send:
    ends_at = time.monotonic() + 60
    while True:
        found = sends_of(api, study_id, subject).get(destination)
        if found is not None and found.status == status:
            return found
        assert time.monotonic() < ends_at, found
        time.sleep(0.1)


def test_a_finished_study_is_sent_to_the_archive_by_itself(api: StudyApi, orthanc: Orthanc) -> None:
    study_id = api.send(ct_files(patient="4711"))["id"]
    finish_study(api.settings, study_id, SOP_UIDS)
    sent = wait_for_send(api, study_id, "pacs", "sent")
    assert (sent.automatic, sent.attempts, sent.version, sent.reason) == (True, 1, 1, None)
    stored = [tags for tags in orthanc.tags() if tags["PatientID"] == "4711"]
    assert {tags["SOPClassUID"] for tags in stored} == set(OBJECTS.values())
    assert {tags["PatientName"] for tags in stored} == {"Curie^Marie"}
    assert len({tags["SOPInstanceUID"] for tags in stored}) == len(stored)
    files = [orthanc.file(one) for one in orthanc.get("/instances")]
    assert sum(RESEARCH_USE_NOTICE.partition(",")[0].encode() in content for content in files) == 1  # the SR
    events = [entry.event for entry in asyncio.run(accesses(api, study_id))]
    assert events[-2:] == ["sending", "sent"]
    other = api.send(ct_files(patient="4712"), "ben")["id"]
    finish_study(api.settings, other, SOP_UIDS)
    assert sends_of(api, other, "ben") == {}


async def accesses(api: StudyApi, study_id: str) -> list[Any]:
    async with open_database(api.settings.database_url, MIGRATIONS, "studies") as database:
        return list(await accesses_of(database, study_id))


def test_a_study_is_sent_by_request_of_those_who_may_read_it(api: StudyApi, orthanc: Orthanc) -> None:
    study_id = api.send(ct_files(patient="4714"), "ben")["id"]
    path = f"/v1/studies/{study_id}/sends"
    unfinished = api.call("POST", path, "ben", json={"destination": "manual"})
    assert unfinished.json()["type"] == "/problems/study-not-finished"
    finish_study(api.settings, study_id, SOP_UIDS)
    assert api.call("POST", path, "eve", json={"destination": "manual"}).json()["type"] == "/problems/no-such-study"
    unknown = api.call("POST", path, "ben", json={"destination": "elsewhere"})
    assert unknown.json()["type"] == "/problems/no-such-destination"
    queued = api.call("POST", path, "ben", json={"destination": "manual"})
    assert queued.status_code == 202, queued.text
    sent = wait_for_send(api, study_id, "manual", "sent", "ben")
    assert (sent.id, sent.automatic) == (queued.json()["id"], False)
    stored = [tags["SOPClassUID"] for tags in orthanc.tags() if tags["PatientID"] == "4714"]
    assert stored == [OBJECTS["Segmentation Storage"]]
    again = api.call("POST", path, "ben", json={"destination": "manual"}).json()["id"]
    wait_for_send(api, study_id, "manual", "sent", "ben")
    assert again != sent.id
    assert len([tags for tags in orthanc.tags() if tags["PatientID"] == "4714"]) == 1
    entries = asyncio.run(accesses(api, study_id))
    assert [(one.event, one.actor) for one in entries if one.event == "send_requested"] == [
        ("send_requested", "ben")
    ] * 2


def test_language_and_key_images_are_chosen_for_a_send(api: StudyApi, orthanc: Orthanc) -> None:
    study_id = api.send(ct_files(patient="4719"), "ben")["id"]
    finish_study(api.settings, study_id, SOP_UIDS)
    path = f"/v1/studies/{study_id}/sends"
    beyond = api.call("POST", path, "ben", json={"destination": "chosen", "key_slices": [len(SOP_UIDS)]})
    assert beyond.json()["type"] == "/problems/no-such-slice"
    for form in ({}, {"language": "de"}, {"language": "de", "key_slices": [3, 1]}):
        queued = api.call("POST", path, "ben", json={"destination": "chosen"} | form)
        assert {name: queued.json()[name] for name in form} == form
        ends_at = time.monotonic() + 60
        while (newest := api.call("GET", path, "ben").json()["items"][0])["status"] == "waiting":
            assert time.monotonic() < ends_at, newest
            time.sleep(0.1)
        assert (newest["id"], newest["status"]) == (queued.json()["id"], "sent")
    stored = [pydicom.dcmread(io.BytesIO(orthanc.file(one))) for one in orthanc.get("/instances")]
    by_class: dict[str, list[pydicom.Dataset]] = {name: [] for name in OBJECTS}
    for found in (item for item in stored if item.PatientID == "4719"):
        by_class[next(name for name, uid in OBJECTS.items() if uid == found.SOPClassUID)].append(found)
    assert len(by_class.pop("Segmentation Storage")) == 1  # it has no words and no key images
    assert sorted(item.DocumentTitle.partition(":")[0] for item in by_class["Encapsulated PDF"]) == [
        "CT der Leber", "CT der Leber", "Liver CT",
    ]  # fmt: skip
    shown = [item.SourceImageSequence[0].ReferencedSOPInstanceUID for item in by_class["Secondary Capture"]]
    assert sorted(shown) == ["1.2.3.3", "1.2.3.3", "1.2.3.4"]


def test_an_archive_that_is_down_keeps_the_study_waiting(api: StudyApi) -> None:
    study_id = api.send(ct_files(), "ben")["id"]
    finish_study(api.settings, study_id, SOP_UIDS)
    one = api.call("POST", f"/v1/studies/{study_id}/sends", "ben", json={"destination": "down"}).json()
    two = api.call("POST", f"/v1/studies/{study_id}/sends", "ben", json={"destination": "down"}).json()
    assert one["id"] == two["id"]  # it waits already
    ends_at = time.monotonic() + 60
    while not (waiting := sends_of(api, study_id, "ben")["down"]).reason:
        assert time.monotonic() < ends_at
        time.sleep(0.1)
    assert (waiting.status, waiting.reason) == ("waiting", "the archive does not answer, or ends the connection")
    by_name = {item["name"]: item for item in administer(api, "GET", "/v1/destinations")["items"]}
    assert by_name["down"]["queue"]["waiting"] >= 1
    assert by_name["down"]["queue"]["last_reason"] == waiting.reason
    assert by_name["pacs"]["title"] == "Radiology"


def test_users_see_names_and_administrators_queues(api: StudyApi) -> None:
    listed = api.call("GET", "/v1/destinations").json()["items"]
    assert [item["name"] for item in listed] == ["pacs", "manual", "chosen", "down"]
    assert {item["queue"] for item in listed} == {None}
    for method, path in (
        ("POST", "/v1/destinations/pacs/test"),
        ("POST", "/v1/destinations/pacs/retry"),
        ("GET", "/v1/sends"),
        ("POST", "/v1/sends/00000000-0000-0000-0000-000000000000/retry"),
    ):
        assert api.call(method, path).json()["type"] == "/problems/forbidden", path


def test_the_connection_test_says_whether_an_archive_answers(api: StudyApi) -> None:
    assert administer(api, "POST", "/v1/destinations/pacs/test")["reachable"] is True
    down = administer(api, "POST", "/v1/destinations/down/test")
    assert (down["reachable"], down["reason"]) == (False, "the archive does not answer, or ends the connection")


class ScriptedSender:
    """A destination that is away for a time, and that never takes some of the files."""

    def __init__(self) -> None:
        self.away, self.refuses = True, False
        self.sent: list[Mapping[str, bytes]] = []

    async def send(self, outputs: Mapping[str, bytes]) -> None:
        if self.away:
            raise SendFailed("the archive does not answer")
        if self.refuses:
            raise SendFailed("the archive refuses report.dcm", permanent=True)
        self.sent.append(outputs)

    async def test(self) -> None:
        """Not called here."""


def test_an_archive_that_is_away_for_a_day_loses_nothing(authority: TokenAuthority, tmp_path: Path) -> None:
    """With a clock that the test moves; the queue is opened again after each attempt, as by another process."""
    away = {"kind": "dicom", "name": "pacs", "host": "127.0.0.1", "port": 9, "ae_title": "A", "automatic_for": ["*"]}
    with study_api(tmp_path, authority) as api:
        studies = [api.send(ct_files(patient=str(number)))["id"] for number in range(3)]
        for study_id in studies:
            automatic = api.settings.model_copy(update={"destinations": [DicomDestination.model_validate(away)]})
            finish_study(automatic, study_id, SOP_UIDS)
    sender = ScriptedSender()
    attempts = asyncio.run(day(api, sender))
    assert len(sender.sent) == len(studies)
    assert all("lesions.csv" in outputs for outputs in sender.sent)
    assert 3 * 20 < attempts < 3 * 40  # patient with the archive, and not forgetful
    with sqlite3.connect(api.settings.database_url.partition("///")[2]) as connection:
        rows = connection.execute("SELECT study_id, status, reason FROM study_sends").fetchall()
    assert sorted(rows) == sorted((study_id, "sent", None) for study_id in studies)


async def day(api: StudyApi, sender: ScriptedSender) -> int:
    """Number of failed attempts in a day in which the archive is away."""
    start = datetime.now(UTC)
    moved, failed = timedelta(), 0
    target = Target("pacs", "dicom", "pacs", ("lesions.csv",), "en", sender)
    keys = load_key_ring(api.settings.key_file)
    async with open_objects(api.settings.objects_url) as objects:
        while sender.away or len(sender.sent) < 3:
            async with open_database(api.settings.database_url, MIGRATIONS, "studies") as database:
                files = ResultFiles(objects, api.settings.uid_root)
                queue = SendQueue(target, database, keys, files, lambda: start + moved)  # noqa: B023
                while await queue.send_next():
                    failed += sender.away
            moved += timedelta(minutes=30)
            sender.away = moved < timedelta(days=1)
            assert moved < timedelta(days=2)
    return failed


def test_what_an_archive_refuses_waits_for_an_administrator(authority: TokenAuthority, tmp_path: Path) -> None:
    with dicom_archive(OBJECTS["Secondary Capture"], OBJECTS["Encapsulated PDF"], calling="HEPAR") as archive:
        peer = {"kind": "dicom", "host": "127.0.0.1", "port": archive.port, "ae_title": "ARCHIVE"}
        given: dict[str, list[str]] = {"files": ["segmentation.dcm", "report.dcm"]}
        destinations = [peer | given | {"name": "pacs"}, peer | {"name": "foreign", "calling_ae_title": "OTHER"}]
        with study_api(tmp_path, authority, destinations=destinations) as api:
            study_id = api.send(ct_files())["id"]
            finish_study(api.settings, study_id, SOP_UIDS)
            request = {"destination": "pacs"}
            one = api.call("POST", f"/v1/studies/{study_id}/sends", json=request).json()["id"]
            failed = wait_for_send(api, study_id, "pacs", "failed")
            assert failed.reason == "the archive refuses segmentation.dcm (Segmentation Storage is not supported)"
            assert archive.stored == [OBJECTS["Encapsulated PDF"]]  # what it takes, it has
            (listed,) = administer(api, "GET", "/v1/sends", params={"status": "failed"})["items"]
            assert listed["id"] == one
            assert administer(api, "GET", "/v1/destinations")["items"][0]["queue"]["failed"] == 1
            assert administer(api, "POST", "/v1/destinations/pacs/retry") == {"retried": 1}
            wait_for_send(api, study_id, "pacs", "failed")
            assert administer(api, "POST", f"/v1/sends/{one}/retry")["status"] == "waiting"
            refused = administer(api, "POST", "/v1/destinations/foreign/test")
            assert refused["reason"] == "the archive rejects the association: Calling AE title not recognised"


def test_an_archive_without_room_is_asked_again(api: StudyApi) -> None:
    """A status of out of resources may pass; others do not."""
    content = api_file(api)
    with dicom_archive(OBJECTS["Segmentation Storage"]) as archive:
        peer = {"name": "pacs", "host": "127.0.0.1", "port": archive.port, "ae_title": "ARCHIVE"}
        sender = DicomSender(DicomDestination.model_validate(peer))
        for archive.status, permanent in ((0xA700, False), (0xC123, True)):
            with pytest.raises(SendFailed) as raised:
                asyncio.run(sender.send({"segmentation.dcm": content}))
            assert raised.value.permanent is permanent
        for archive.status in (0xB000, 0x0000):
            asyncio.run(sender.send({"segmentation.dcm": content}))


def api_file(api: StudyApi) -> bytes:
    study_id = api.send(ct_files(), "ben")["id"]
    finish_study(api.settings, study_id, SOP_UIDS)
    return api.call("GET", f"/v1/studies/{study_id}/files/segmentation.dcm", "ben").content


def test_attempts_end_after_days() -> None:
    waits = [RETRIES.after(attempts) for attempts in range(1, RETRIES.attempts_max)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (timedelta(seconds=30), timedelta(hours=1))
    assert timedelta(days=3) < sum(waits, timedelta()) < timedelta(days=4)
