"""A study's row in other forms: the document of the API, the keys of its objects, its next turn in the queue."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from hepar.contracts.problems import Problem
from hepar.contracts.studies import Study, StudyProgress, StudySummary
from hepar.contracts.study_results import StudyResult
from hepar.storage.encryption import KeyRing
from study_service.documents import AnalysedVersion, PatientIdentifiers, StudyFiles, UploadedObject
from study_service.errors import StudyNotFinished
from study_service.tables import StoredObject, StoredResult, StoredStudy, StoredUpload


def study_document(keys: KeyRing, study: StoredStudy) -> Study:
    """As the API shows it."""
    identifiers = identifiers_of(keys, study)
    done = study.status == "finished"
    progress = {"slices_done": study.slices_done, "slices_total": study.slices_total}
    return Study.model_validate(
        {
            "id": study.id,
            "status": study.status,
            "priority": study.priority,
            "created_at": study.created_at,
            "updated_at": study.updated_at,
            "version": study.version,
            "name": identifiers.name_given,
            "accession_number": identifiers.accession_number,
            "patient_pseudonym": study.patient_pseudonym,
            "study_date": study.study_date.isoformat() if study.study_date else None,
            "images": study.images,
            "size_bytes": study.size_bytes,
            "progress": StudyProgress.model_validate(
                {"stage": "done" if done else study.stage, "time_left_s": 0.0 if done else study.time_left_s} | progress
            ),
            "summary": StudySummary.model_validate(study.summary) if study.summary else None,
            "problem": Problem.model_validate(study.problem) if study.problem else None,
        }
    )


def identifiers_of(keys: KeyRing, study: StoredStudy) -> PatientIdentifiers:
    sealed = keys.data_key(study.data_key).decrypt(study.identifiers, f"identifiers {study.id}")
    return PatientIdentifiers.from_bytes(sealed)


async def study_files(session: AsyncSession, keys: KeyRing, study: StoredStudy) -> StudyFiles:
    """In the caller's transaction."""
    data_key = keys.data_key(study.data_key)
    wanted = select(StoredUpload).where(StoredUpload.study_id == study.id).order_by(StoredUpload.created_at)
    uploads = []
    for upload in await session.scalars(wanted):
        of_upload: Select[StoredObject] = select(StoredObject).where(StoredObject.upload_id == upload.id)
        rows: Sequence[StoredObject] = (await session.scalars(of_upload.order_by(StoredObject.position))).all()
        objects = tuple(UploadedObject(row.key, row.kind, row.size_bytes) for row in rows)  # type: ignore[arg-type]
        uploads.append((keys.data_key(upload.data_key), objects))
    return StudyFiles(
        study.id, study.version, study.series_choice, data_key, identifiers_of(keys, study), tuple(uploads)
    )


async def stored_result(session: AsyncSession, study: StoredStudy, version: int | None) -> StoredResult | None:
    """Of a version, by default of the newest that has one; None where there is none."""
    wanted = select(StoredResult).where(StoredResult.study_id == study.id)
    if version is not None:
        wanted = wanted.where(StoredResult.version == version)
    return (await session.scalars(wanted.order_by(StoredResult.version.desc()).limit(1))).one_or_none()


async def require_result(session: AsyncSession, study: StoredStudy, version: int | None) -> StoredResult:
    """As stored_result. Raises StudyNotFinished."""
    stored = await stored_result(session, study, version)
    if stored is None:
        raise StudyNotFinished(f"the study is {study.status}")
    return stored


def analysed_version(keys: KeyRing, study: StoredStudy, stored: StoredResult) -> AnalysedVersion:
    return AnalysedVersion(stored.version, keys.data_key(study.data_key), identifiers_of(keys, study), study.study_date)


def result_of(keys: KeyRing, study: StoredStudy, stored: StoredResult) -> StudyResult:
    """As the analysis left it; `findings.results.read_result` adds what readers made of it."""
    key = keys.data_key(study.data_key)
    content = zlib.decompress(key.decrypt(stored.document, f"result {study.id} {stored.version}"))
    return StudyResult.model_validate_json(content)


def queue_next_version(study: StoredStudy, now: datetime) -> None:
    """Whatever became of the version before."""
    study.version += 1
    study.status, study.stage, study.problem = "queued", "queued", None
    study.slices_done, study.slices_total, study.time_left_s = 0, None, None
    study.due_at, study.tries, study.outages, study.worker, study.lease_until = now, 0, 0, None, None
    study.updated_at, study.started_at = now, None


def search_hash(keys: KeyRing, purpose: str, value: str | None) -> str | None:
    """Equal for values that differ in case and outer spaces only."""
    return keys.keyed_hash(purpose, value.strip().casefold()) if value and value.strip() else None
