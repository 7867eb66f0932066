"""Studies in real databases: recognition, access, search, quotas, encryption at rest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from hepar.core.errors import InvalidRequest, NotFound
from hepar.storage.database import Database
from hepar.storage.encryption import KeyRing, add_key, load_key_ring
from hepar.storage.paging import PageRequest
from study_service.accesses import accesses_of
from study_service.documents import Caller, PatientIdentifiers, StudyFilter
from study_service.errors import QuotaExceeded, StudyEnded, StudyNotFinished
from study_service.key_rotation import rotate_keys
from study_service.tables import StoredStudy
from tests.support.study_rows import (
    ADMINISTRATOR,
    ANN,
    BEN,
    PATIENT,
    new_study,
    open_studies,
    queue_of,
    repository_of,
    sqlite_url,
    uploads_of,
)

Work = Callable[[Database, KeyRing], Awaitable[None]]


def with_studies(url: str, folder: Path, work: Work) -> None:
    async def scenario() -> None:
        async with open_studies(url, folder) as (database, keys):
            await work(database, keys)

    asyncio.run(scenario())


def test_the_same_images_are_one_study_and_late_images_a_new_version(database_url: str, tmp_path: Path) -> None:
    async def work(database: Database, keys: KeyRing) -> None:
        uploads = uploads_of(database, keys)
        first = await uploads.receive(ANN, new_study(uploads, {"1.1", "1.2"}))
        assert (first.state, first.study.status, first.study.version) == ("new", "queued", 1)
        again = await uploads.receive(ANN, new_study(uploads, {"1.2"}))
        assert (again.state, again.study.id, again.study.version) == ("known", first.study.id, 1)
        before_it_began = await uploads.receive(ANN, new_study(uploads, {"1.2", "1.3"}))
        assert (before_it_began.state, before_it_began.study.version) == ("extended", 1)
        assert await queue_of(database, keys).claim() is not None
        late = await uploads.receive(ANN, new_study(uploads, {"1.4"}))
        assert (late.state, late.study.version, late.study.images) == ("extended", 2, 4)
        other_owner = await uploads.receive(BEN, new_study(uploads, {"1.1", "1.2"}))
        assert other_owner.state == "new"

    with_studies(database_url, tmp_path, work)


def test_a_study_of_one_uid_and_two_patients_is_refused(tmp_path: Path) -> None:
    async def work(database: Database, keys: KeyRing) -> None:
        uploads = uploads_of(database, keys)
        await uploads.receive(ANN, new_study(uploads, {"1.1"}))
        with pytest.raises(InvalidRequest, match="another patient"):
            await uploads.receive(
                ANN, new_study(uploads, {"1.2"}, PatientIdentifiers(patient_id="4712", study_uid="1.2.3"))
            )

    with_studies(sqlite_url(tmp_path), tmp_path, work)


def test_only_the_owner_the_group_and_administrators_see_a_study(database_url: str, tmp_path: Path) -> None:
    async def work(database: Database, keys: KeyRing) -> None:
        uploads, repository = uploads_of(database, keys), repository_of(database, keys)
        study = (await uploads.receive(ANN, new_study(uploads, {"1.1"}))).study
        assert (await repository.read(ANN, study.id)).accession_number == "A-1042"
        assert (await repository.read(ADMINISTRATOR, study.id)).id == study.id
        for call in (repository.read, repository.cancel, repository.delete, repository.result, repository.peek):
            with pytest.raises(NotFound):
                await call(BEN, study.id)
        listed, following = await repository.page(BEN, StudyFilter(), PageRequest(10))
        assert (listed, following) == ([], None)
        events = [(access.event, access.actor) for access in await accesses_of(database, study.id)]
        assert events == [("created", "ann"), ("read", "ann"), ("read", "admin")]

    with_studies(database_url, tmp_path, work)


def test_a_group_shares_its_studies(tmp_path: Path) -> None:
    async def work(database: Database, keys: KeyRing) -> None:
        uploads, repository = uploads_of(database, keys), repository_of(database, keys)
        given = new_study(uploads, {"1.1"})
        object.__setattr__(given, "group", "radiology")
        study = (await uploads.receive(ANN, given)).study
        assert (await repository.read(Caller("ben", frozenset({"radiology"})), study.id)).id == study.id

    with_studies(sqlite_url(tmp_path), tmp_path, work)


def test_studies_are_listed_newest_first_in_pages_and_found_by_what_they_are(database_url: str, tmp_path: Path) -> None:
    async def work(database: Database, keys: KeyRing) -> None:
        uploads, repository = uploads_of(database, keys), repository_of(database, keys)
        ids = []
        for number in range(5):
            known = PatientIdentifiers(patient_id=f"{number}", accession_number=f"A {number}", study_uid=f"9.{number}")
            given = new_study(uploads, {f"8.{number}"}, known, study_date=date(2026, 11, 20 + number))
            ids.append((await uploads.receive(ANN, given)).study.id)
        first, after = await repository.page(ANN, StudyFilter(), PageRequest(3))
        rest, end = await repository.page(ANN, StudyFilter(), PageRequest(3, after))
        assert [study.id for study in first + rest] == ids[::-1]
        assert end is None
        wanted = {
            StudyFilter(accession_number="a 3"): [3],
            StudyFilter(search=" A 2 "): [2],
            StudyFilter(search=first[0].patient_pseudonym): [4],
            StudyFilter(search=ids[0]): [0],
            StudyFilter(search="A"): [],
            StudyFilter(study_date_from=date(2026, 11, 23)): [4, 3],
            StudyFilter(study_date_to=date(2026, 11, 21)): [1, 0],
            StudyFilter(status="finished"): [],
            StudyFilter(status="queued", label="metastasis"): [],
        }
        for given_filter, expected in wanted.items():
            found, _ = await repository.page(ANN, given_filter, PageRequest(10))
            assert [ids.index(study.id) for study in found] == expected, given_filter

    with_studies(database_url, tmp_path, work)


def test_an_account_keeps_no_more_than_its_quota(database_url: str, tmp_path: Path) -> None:
    async def work(database: Database, keys: KeyRing) -> None:
        uploads = uploads_of(database, keys, bytes_max=1500, studies_max=2)
        await uploads.receive(ANN, new_study(uploads, {"1.1"}))
        other = PatientIdentifiers(study_uid="2")
        with pytest.raises(QuotaExceeded, match="1500 bytes"):
            await uploads.receive(ANN, new_study(uploads, {"2.1"}, other))
        await uploads.receive(ANN, new_study(uploads, {"2.1"}, other, size_bytes=500))
        with pytest.raises(QuotaExceeded, match="2 studies"):
            await uploads.require_room(ANN, 0)
        await uploads.receive(BEN, new_study(uploads, {"2.1"}, other))

    with_studies(database_url, tmp_path, work)


def test_cancelling_and_deleting(database_url: str, tmp_path: Path) -> None:
    async def work(database: Database, keys: KeyRing) -> None:
        uploads, repository = uploads_of(database, keys), repository_of(database, keys)
        given = new_study(uploads, {"1.1"})
        study = (await uploads.receive(ANN, given)).study
        assert (await repository.cancel(ANN, study.id)).status == "cancelled"
        with pytest.raises(StudyEnded):
            await repository.cancel(ANN, study.id)
        with pytest.raises(StudyNotFinished, match="cancelled"):
            await repository.result(ANN, study.id)
        assert (await uploads.receive(ANN, new_study(uploads, {"1.1"}))).study.status == "queued"
        prefixes = await repository.delete(ANN, study.id)
        assert prefixes == [f"studies/{study.id}", f"uploads/{given.upload.id}"]
        with pytest.raises(NotFound):
            await repository.read(ANN, study.id)
        events = [access.event for access in await accesses_of(database, study.id)]
        assert events == ["created", "cancelled", "sent_again", "deleted"]

    with_studies(database_url, tmp_path, work)


def test_nothing_that_names_a_patient_is_readable_in_the_files(tmp_path: Path) -> None:
    async def work(database: Database, keys: KeyRing) -> None:
        uploads = uploads_of(database, keys)
        await uploads.receive(ANN, new_study(uploads, {"1.2.826.0.1.77"}))

    with_studies(sqlite_url(tmp_path), tmp_path, work)
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("studies.sqlite3*"))
    for secret in (b"Curie", b"4711", b"18671107", b"A-1042", b"Follow-up", b"1.2.826.0.1.77"):
        assert secret not in stored


def test_a_replaced_key_reads_everything_and_the_old_one_can_be_removed(database_url: str, tmp_path: Path) -> None:
    async def work(database: Database, keys: KeyRing) -> None:
        uploads = uploads_of(database, keys)
        study = (await uploads.receive(ANN, new_study(uploads, {"1.1"}))).study
        add_key(tmp_path / "keys")
        with_both = load_key_ring(tmp_path / "keys")
        assert await rotate_keys(database, with_both) == 2
        assert await rotate_keys(database, with_both) == 0
        lines = (tmp_path / "keys").read_text().splitlines(keepends=True)
        (tmp_path / "keys").write_text("".join(line for line in lines if not line.startswith("k1 ")))
        only_new = load_key_ring(tmp_path / "keys")
        read = await repository_of(database, only_new).read(ANN, study.id)
        assert read.accession_number == PATIENT.accession_number
        assert (await uploads_of(database, only_new).receive(ANN, new_study(uploads, {"1.1"}))).state == "known"
        async with database.reading() as session:
            row = (await session.scalars(select(StoredStudy))).one()
        assert b"k1" not in row.data_key[:4]

    with_studies(database_url, tmp_path, work)
