"""The result of a version with what readers made of it: what documents of a result are made from."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from hepar.contracts.study_results import StudyResult
from hepar.storage.encryption import KeyRing
from study_service.findings.entries import stored_entries
from study_service.findings.state import reading_of
from study_service.stored_studies import result_of
from study_service.tables import StoredResult, StoredStudy


async def read_result(session: AsyncSession, keys: KeyRing, study: StoredStudy, stored: StoredResult) -> StudyResult:
    """In the caller's transaction."""
    result = result_of(keys, study, stored)
    entries = await stored_entries(session, keys, study, stored.version)
    return result.model_copy(update={"reading": reading_of(result, entries)})
