"""Retention, objects without a study, and deletion: nothing is left but the access log."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select, update

from hepar.storage.database import Database
from hepar.storage.encryption import KeyRing
from hepar.storage.objects import ObjectStore, open_objects
from study_service.accesses import accesses_of
from study_service.documents import PatientIdentifiers
from study_service.housekeeping import Housekeeping
from study_service.tables import (
    Base,
    StoredInstance,
    StoredObject,
    StoredResult,
    StoredSeries,
    StoredStudy,
    StoredUpload,
)
from tests.support.study_rows import ANN, new_study, open_studies, repository_of, sqlite_url, uploads_of

Work = Callable[[Database, KeyRing, ObjectStore], Awaitable[None]]
OF_STUDIES: tuple[type[Base], ...] = (
    StoredStudy, StoredUpload, StoredObject, StoredInstance, StoredResult, StoredSeries,
)  # fmt: skip


def with_studies(url: str, folder: Path, work: Work) -> None:
    async def scenario() -> None:
        async with open_studies(url, folder) as (database, keys), open_objects(str(folder / "objects")) as objects:
            await work(database, keys, objects)

    asyncio.run(scenario())


async def stored_study(database: Database, keys: KeyRing, objects: ObjectStore, number: int) -> str:
    """With an object of its upload and one of its analysis."""
    uploads = uploads_of(database, keys)
    new = new_study(uploads, {f"1.{number}"}, PatientIdentifiers(study_uid=f"2.{number}"))
    await objects.put(new.objects[0].key, b"upload")
    study_id = (await uploads.receive(ANN, new)).study.id
    await objects.put(f"studies/{study_id}/v1/volume", b"volume")
    return study_id


async def age(database: Database, study_id: str, days: int, status: str) -> None:
    moment = datetime.now(UTC) - timedelta(days=days)
    async with database.writing() as session:
        await session.execute(
            update(StoredStudy).where(StoredStudy.id == study_id).values(updated_at=moment, status=status)
        )


async def rows(database: Database) -> dict[str, int]:
    async with database.reading() as session:
        return {table.__tablename__: len((await session.scalars(select(table))).all()) for table in OF_STUDIES}


def test_studies_end_with_their_retention_and_the_access_log_stays(database_url: str, tmp_path: Path) -> None:
    async def work(database: Database, keys: KeyRing, objects: ObjectStore) -> None:
        old, young, running = [await stored_study(database, keys, objects, number) for number in range(3)]
        await age(database, old, 31, "finished")
        await age(database, young, 29, "finished")
        await age(database, running, 31, "running")
        assert await Housekeeping(database, objects, None, retention_days=0).delete_expired() == 0
        assert await Housekeeping(database, objects, None, retention_days=30).delete_expired() == 1
        assert await objects.groups("studies") == sorted([young, running])
        assert len(await objects.groups("uploads")) == 2
        assert (await rows(database))["studies"] == 2
        assert [access.event for access in await accesses_of(database, old)] == ["created", "expired"]

    with_studies(database_url, tmp_path, work)


def test_a_deletion_leaves_no_object_and_no_row_of_a_study(database_url: str, tmp_path: Path) -> None:
    async def work(database: Database, keys: KeyRing, objects: ObjectStore) -> None:
        study_id = await stored_study(database, keys, objects, 0)
        for prefix in await repository_of(database, keys).delete(ANN, study_id):
            await objects.delete_prefix(prefix)
        assert await objects.keys("studies") == await objects.keys("uploads") == []
        assert set((await rows(database)).values()) == {0}
        assert [access.event for access in await accesses_of(database, study_id)] == ["created", "deleted"]

    with_studies(database_url, tmp_path, work)


def test_objects_of_broken_uploads_and_deletions_are_found_after_a_day(tmp_path: Path) -> None:
    async def work(database: Database, keys: KeyRing, objects: ObjectStore) -> None:
        study_id = await stored_study(database, keys, objects, 0)
        await objects.put("uploads/broken/0", b"x")
        await objects.put("studies/deleted/v1/volume", b"x")
        yesterday = time.time() - 90_000
        for file in (tmp_path / "objects").rglob("*"):
            if file.is_file():
                os.utime(file, (yesterday, yesterday))
        await objects.put("uploads/in-progress/0", b"x")
        assert await Housekeeping(database, objects, None, retention_days=0).delete_orphans() == 2
        assert await objects.groups("studies") == [study_id]
        assert len(await objects.groups("uploads")) == 2

    with_studies(sqlite_url(tmp_path), tmp_path, work)
