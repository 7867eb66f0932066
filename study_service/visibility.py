"""Who may see a study: its owner, its owner's group, and administrators."""

from __future__ import annotations

from sqlalchemy import ColumnElement, false, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from study_service.documents import Caller
from study_service.errors import NoSuchStudy
from study_service.tables import StoredStudy


def visible_to(caller: Caller) -> ColumnElement[bool]:
    if caller.administrator:
        return true()
    of_group = StoredStudy.group_id.in_(caller.groups) if caller.groups else false()
    return or_(StoredStudy.owner == caller.subject, of_group)


async def visible_study(session: AsyncSession, caller: Caller, study_id: str, *, lock: bool = False) -> StoredStudy:
    """In the caller's transaction. Raises NoSuchStudy."""
    wanted = select(StoredStudy).where(StoredStudy.id == study_id, visible_to(caller))
    found = (await session.scalars(wanted.with_for_update() if lock else wanted)).one_or_none()
    if found is None:
        raise NoSuchStudy
    return found
