"""Studies in a database for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

from hepar.storage.database import Database, open_database
from hepar.storage.encryption import KeyRing, load_key_ring
from study_service.documents import Caller, NewStudy, PatientIdentifiers, UploadedObject
from study_service.job_queue import JobQueue, QueueRules
from study_service.migrations import MIGRATIONS
from study_service.repository import StudyRepository
from study_service.uploads import AccountQuota, Uploads

ANN, BEN, ADMINISTRATOR = Caller("ann"), Caller("ben"), Caller("admin", administrator=True)
PATIENT = PatientIdentifiers(
    patient_name="Curie^Marie", patient_id="4711", issuer="HOSP", birth_date="18671107", accession_number="A-1042",
    study_uid="1.2.3", name_given="Follow-up 3",
)  # fmt: skip


@asynccontextmanager
async def open_studies(database_url: str, folder: Path) -> AsyncIterator[tuple[Database, KeyRing]]:
    async with open_database(database_url, MIGRATIONS, "studies") as database:
        await database.migrate()
        yield database, load_key_ring(folder / "keys")


def sqlite_url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / 'studies.sqlite3'}"


def new_study(
    uploads: Uploads,
    uids: set[str],
    known: PatientIdentifiers = PATIENT,
    *,
    size_bytes: int = 1000,
    study_date: date | None = date(2026, 11, 20),
    urgent: bool = False,
) -> NewStudy:
    upload = uploads.new_upload()
    return NewStudy(
        upload=upload,
        objects=(UploadedObject(f"{upload.prefix}/0", "archive", size_bytes),),
        instances=frozenset(uids),
        identifiers=known,
        images=len(uids),
        size_bytes=size_bytes,
        study_date=study_date,
        priority="urgent" if urgent else "normal",
    )


def uploads_of(database: Database, keys: KeyRing, bytes_max: int = 10**9, studies_max: int = 100) -> Uploads:
    return Uploads(database, keys, AccountQuota(bytes_max, studies_max))


def queue_of(database: Database, keys: KeyRing, worker: str = "w1", **rules: float) -> JobQueue:
    given = {"lease_s": 15.0, "retry_s": 0.0, "tries_max": 3} | rules
    return JobQueue(database, keys, worker, QueueRules(**given))  # type: ignore[arg-type]


def repository_of(database: Database, keys: KeyRing) -> StudyRepository:
    return StudyRepository(database, keys)
