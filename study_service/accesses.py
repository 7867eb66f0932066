"""The access log of studies: who did what with which study, and when. It outlives the study."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hepar.storage.database import Database
from study_service.documents import Access, AccessEvent, Caller
from study_service.tables import StoredAccess, StoredStudy


async def record_access(
    session: AsyncSession,
    event: AccessEvent,
    caller: Caller | None,
    study_id: str,
    at: datetime,
    **details: object,
) -> None:
    """In the transaction of the access itself: both are committed, or neither.

    caller: None for the service itself.  The row of the study must still be there: the entry names its patient.
    """
    patient = await session.scalar(select(StoredStudy.patient_pseudonym).where(StoredStudy.id == study_id))
    entry = StoredAccess(at=at, event=event, study_id=study_id, patient=patient, details=details)
    if caller is not None:
        entry.actor, entry.origin = caller.subject, caller.origin
    session.add(entry)
    await session.flush()


async def accesses_of(database: Database, study_id: str) -> list[Access]:
    """Oldest first. Raises Unavailable."""
    async with database.reading() as session:
        wanted = select(StoredAccess).where(StoredAccess.study_id == study_id).order_by(StoredAccess.number)
        return [Access(row.at, row.event, row.actor, row.origin) for row in await session.scalars(wanted)]
