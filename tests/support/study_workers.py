"""Worker processes of study_service over real databases and folders, and studies for them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol

from sqlalchemy import select

from hepar.contracts.study_results import StudyResult
from hepar.core.errors import Unavailable
from hepar.storage.database import Database, open_database
from hepar.storage.encryption import KeyRing, load_key_ring
from hepar.storage.objects import ObjectStore, open_objects
from study_service.documents import Caller, NewStudy, PatientIdentifiers, UploadedObject
from study_service.migrations import MIGRATIONS
from study_service.repository import StudyRepository
from study_service.tables import StoredStudy
from study_service.uploads import AccountQuota, Uploads
from tests.support.processes import unmeasured
from tests.support.studies import as_members, ct_series, zip_bytes

WAIT_S = 300.0
STAGES = ("loading", "liver", "inference", "lesions")


@cache
def series_archive(slices: int) -> bytes:
    """The same bytes each time, so that results can be compared."""
    return zip_bytes(as_members(ct_series([5.0 * index for index in range(slices)])))


class ModelServiceVariables(Protocol):
    """Where workers find sign-in and the model services."""

    @property
    def variables(self) -> dict[str, str]: ...


@dataclass(frozen=True)
class Installation:
    """One database, one folder of objects, one file of keys."""

    folder: Path
    database_url: str
    services: ModelServiceVariables
    variables: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        own = {
            "HEPAR_STUDY_DATABASE_URL": self.database_url,
            "HEPAR_STUDY_OBJECTS_URL": str(self.folder / "objects"),
            "HEPAR_STUDY_KEY_FILE": str(self.folder / "keys"),
            "HEPAR_STUDY_SPOOL_FOLDER": str(self.folder / "spool"),
            "HEPAR_STUDY_LEASE_S": "8",
            "HEPAR_STUDY_RETRY_S": "0.2",
            "HEPAR_STUDY_POLL_S": "0.1",
        }
        return unmeasured(os.environ | own | self.services.variables | self.variables)

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        log = (self.folder / "workers.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, "-m", "study_service", "worker"], env=self.environment(), stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            log.close()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Studies]:
        async with (
            open_database(self.database_url, MIGRATIONS, "studies") as database,
            open_objects(str(self.folder / "objects")) as objects,
        ):
            await database.migrate()
            yield Studies(database, objects, load_key_ring(self.folder / "keys"))


@dataclass(frozen=True)
class Studies:
    """What the tests do with an installation."""

    database: Database
    objects: ObjectStore
    keys: KeyRing

    async def send(
        self, caller: Caller, slices: int = 40, *, urgent: bool = False, content: bytes | None = None
    ) -> str:
        """Stores a generated series as the API does; returns the study's id."""
        if content is None:
            content = series_archive(slices)
        uploads = Uploads(self.database, self.keys, AccountQuota(10**10, 1000))
        upload = uploads.new_upload()
        key = f"{upload.prefix}/0"

        async def pieces() -> AsyncIterator[bytes]:
            yield content

        await self.objects.write(key, upload.data_key.encrypt_stream(pieces(), key), 10**9)
        uid = f"2.25.{time.time_ns()}"
        new = NewStudy(
            upload=upload,
            objects=(UploadedObject(key, "archive", len(content)),),
            instances=frozenset({f"{uid}.{index}" for index in range(slices)}),
            identifiers=PatientIdentifiers(patient_id="P1", study_uid=uid),
            images=slices,
            size_bytes=len(content),
            priority="urgent" if urgent else "normal",
        )
        return (await uploads.receive(caller, new)).study.id

    async def row(self, study_id: str) -> StoredStudy:
        async with self.database.reading() as session:
            return (await session.scalars(select(StoredStudy).where(StoredStudy.id == study_id))).one()

    async def wait(self, study_id: str, until: Callable[[StoredStudy], bool]) -> StoredStudy:
        """While the database is away, too."""
        deadline = time.monotonic() + WAIT_S
        seen: object = "no database"
        while time.monotonic() < deadline:
            with contextlib.suppress(Unavailable):
                row = await self.row(study_id)
                if until(row):
                    return row
                seen = (row.status, row.stage, row.tries, row.problem)
            await asyncio.sleep(0.02)
        raise AssertionError(seen)

    async def result(self, caller: Caller, study_id: str) -> StudyResult:
        return await StudyRepository(self.database, self.keys).result(caller, study_id)

    async def objects_of(self, study_id: str) -> list[str]:
        """The names of all objects of version 1, without their random part."""
        keys = await self.objects.keys(f"studies/{study_id}/v1")
        return sorted(key.rpartition("/")[2].partition("-")[0] for key in keys)


def ended(row: StoredStudy) -> bool:
    return row.status in ("finished", "failed", "cancelled")


def in_stage(stage: str, tries: int = 1) -> Callable[[StoredStudy], bool]:
    return lambda row: (row.stage == stage and row.tries == tries) or ended(row)


def comparable(result: StudyResult) -> dict[str, object]:
    """Without what differs between two studies of the same images."""
    document = result.model_dump(exclude={"study_id", "created_at"})
    for lesion in document["lesions"]:
        del lesion["tracking_uid"]
    return document


class Workers:
    """Two at a time: one that dies is replaced, while the other takes over."""

    def __init__(self, installation: Installation, count: int = 2) -> None:
        self._installation = installation
        self._stack = ExitStack()
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._count = count

    def __enter__(self) -> Workers:
        for _ in range(self._count):
            self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        process = self._stack.enter_context(self._installation.worker())
        self._running[process.pid] = process

    def kill(self, row: StoredStudy) -> bool:
        """Kill -9 of the worker that has the study; another is started. False where none has it."""
        pid = int(row.worker.split("-")[-2]) if row.worker else None
        if pid is None or pid not in self._running:
            return False
        process = self._running.pop(pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        self._start()
        return True
