"""Objects on disk between their acknowledgement and the study: nothing is lost, left or readable."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import cast

import pytest

from hepar.contracts.base import example_of
from hepar.contracts.studies import Study
from hepar.core.errors import HeparError, Unavailable
from hepar.serving.study_reader import UnreadableStudyUpload
from hepar.storage.encryption import load_key_ring
from study_service.dicom_network.incoming import IncomingStudies, NoRoom, Sender
from study_service.dicom_network.received_studies import ReceivedStudies
from study_service.dicom_settings import ListenPeer
from study_service.documents import Caller
from study_service.errors import QuotaExceeded
from study_service.ingestion import Ingestion, UploadOptions

SENDER, OTHER = Sender("PACS", "10.0.0.1"), Sender("CT-2", "10.0.0.2")
PEER = ListenPeer(ae_title="PACS", networks=["10.0.0.0/8"], owner="pacs", group="radiology")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def incoming(folder: Path, clock: Clock, bytes_max: int = 10**6, objects_max: int = 100) -> IncomingStudies:
    return IncomingStudies(folder / "incoming", load_key_ring(folder / "keys"), bytes_max, objects_max, 10**6, clock)


def test_a_study_is_complete_after_a_quiet_time(tmp_path: Path) -> None:
    clock = Clock()
    studies = incoming(tmp_path, clock)
    studies.add(SENDER, "1.2.3", b"one")
    clock.now += 50
    studies.add(SENDER, "1.2.3", b"two")
    studies.add(SENDER, "1.2.4", b"another")
    studies.add(OTHER, "1.2.3", b"of another sender")
    clock.now += 59
    assert studies.take_complete(60) == []
    clock.now += 1
    taken = {(study.sender, tuple(study.contents())) for study in studies.take_complete(60)}
    assert taken == {(SENDER, (b"one", b"two")), (SENDER, (b"another",)), (OTHER, (b"of another sender",))}
    assert studies.take_complete(60) == []


def test_an_earlier_process_is_continued(tmp_path: Path) -> None:
    """As after kill -9: what was being written then was not acknowledged."""
    clock = Clock()
    before = incoming(tmp_path, clock)
    before.add(SENDER, "1.2.3", b"one")
    (folder,) = (tmp_path / "incoming").iterdir()
    (folder / "000002.new").write_bytes(b"half of")
    (tmp_path / "incoming" / "abc.new").mkdir()
    after = incoming(tmp_path, clock)
    after.add(SENDER, "1.2.3", b"two")
    clock.now += 60
    (study,) = after.take_complete(60)
    assert list(study.contents()) == [b"one", b"two"]
    after.remove(study)
    assert list((tmp_path / "incoming").iterdir()) == []
    assert incoming(tmp_path, clock).take_complete(0) == []


def test_what_is_taken_is_there_until_it_is_removed(tmp_path: Path) -> None:
    clock = Clock()
    before = incoming(tmp_path, clock)
    before.add(SENDER, "1.2.3", b"one")
    before.take_complete(0)
    before.add(SENDER, "1.2.3", b"late")
    found = [list(study.contents()) for study in incoming(tmp_path, clock).take_complete(0)]
    assert sorted(found) == [[b"late"], [b"one"]]


def test_no_name_and_no_byte_on_disk_tells_of_the_patient(tmp_path: Path) -> None:
    hostile = "../../1.2.3"
    incoming(tmp_path, Clock()).add(SENDER, hostile, b"Canary^Patient")
    files = [file for file in (tmp_path / "incoming").rglob("*") if file.is_file()]
    assert sorted(file.name for file in files) == ["000001", "key", "sender"]
    for file in files:
        assert file.stat().st_mode & 0o077 == 0
        assert not any(secret in file.read_bytes() for secret in (b"Canary", b"1.2.3", b"PACS"))
    assert {path.name for path in tmp_path.iterdir()} == {"incoming", "keys"}


def test_there_is_a_bound_for_what_waits_and_room_again_afterwards(tmp_path: Path) -> None:
    studies = incoming(tmp_path, Clock(), bytes_max=3000)
    studies.add(SENDER, "1.2.3", bytes(2000))
    with pytest.raises(NoRoom):
        studies.add(OTHER, "1.2.4", bytes(2000))
    (study,) = studies.take_complete(0)
    studies.remove(study)
    studies.add(OTHER, "1.2.4", bytes(2000))


def test_a_full_study_is_complete_at_once(tmp_path: Path) -> None:
    studies = incoming(tmp_path, Clock(), objects_max=2)
    for number in range(5):
        studies.add(SENDER, "1.2.3", bytes([number]))
    assert [study.objects for study in studies.take_complete(60)] == [2, 2]


class ScriptedIngestion:
    """errors: of the next attempts; then it stores."""

    def __init__(self, *errors: HeparError) -> None:
        self.errors = list(errors)
        self.stored: list[tuple[Caller, UploadOptions]] = []

    async def store(self, caller: Caller, path: Path, size_bytes: int, options: UploadOptions) -> Study:
        assert path.name == "upload"
        assert size_bytes > 100
        if self.errors:
            raise self.errors.pop(0)
        self.stored.append((caller, options))
        return Study.model_validate(example_of(Study))


def stored_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *errors: HeparError) -> tuple[list[float], int]:
    """Seconds after which the attempts were made, and how many folders are left."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    studies = incoming(tmp_path, clock)
    studies.add(SENDER, "1.2.3", b"one")
    ingestion, made = ScriptedIngestion(*errors), []
    received = ReceivedStudies(studies, cast("Ingestion", ingestion), {"PACS": PEER}, tmp_path, 0.0)
    for _ in range(500):
        waiting = len(ingestion.errors) + len(ingestion.stored)
        asyncio.run(received.store_complete())
        if len(ingestion.errors) + len(ingestion.stored) != waiting or ingestion.stored:
            made.append(clock.now - 1000)
        if ingestion.stored:
            caller, options = ingestion.stored[0]
            assert (caller.subject, caller.groups, caller.origin) == ("pacs", frozenset({"radiology"}), "10.0.0.1")
            assert (options.group, options.quiet_s) == ("radiology", 0.0)
            break
        clock.now += 10
    return made, len(list((tmp_path / "incoming").iterdir()))


def test_an_outage_of_the_database_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stored_after(tmp_path, monkeypatch, Unavailable("down"), Unavailable("down")) == ([0, 30, 60], 0)


def test_a_refused_study_is_kept_and_tried_again_every_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stored_after(tmp_path, monkeypatch, QuotaExceeded("full")) == ([0, 3600], 0)


def test_a_refused_study_is_deleted_after_a_week(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    studies = incoming(tmp_path, Clock())
    studies.add(SENDER, "1.2.3", b"one")
    (folder,) = (tmp_path / "incoming").iterdir()
    week_ago = time.time() - 8 * 24 * 3600
    os.utime(folder, (week_ago, week_ago))
    ingestion = cast("Ingestion", ScriptedIngestion(UnreadableStudyUpload("two patients")))
    asyncio.run(ReceivedStudies(studies, ingestion, {"PACS": PEER}, tmp_path, 0.0).store_complete())
    assert list((tmp_path / "incoming").iterdir()) == []
    assert "is deleted" in caplog.text
