"""Sends in the database: queued when a study is finished or by request, listed, and queued again after failures."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, delete, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from hepar.contracts.destinations import DestinationQueue, Send, SendRequest, SendStatus
from hepar.storage.database import Database
from hepar.storage.paging import PageRequest, paged
from study_service.accesses import record_access
from study_service.destinations.tables import StoredSend
from study_service.documents import Caller
from study_service.errors import NoSuchSend, SendNotFailed
from study_service.tables import StoredStudy


async def queue_automatic_sends(
    session: AsyncSession, study: StoredStudy, destinations: Sequence[str], now: datetime
) -> None:
    """In the transaction that ends the study. Automatic sends of earlier versions that still wait are dropped."""
    for name in destinations:
        outdated = (StoredSend.study_id == study.id) & (StoredSend.destination == name)
        outdated &= (StoredSend.status == "waiting") & StoredSend.requested_by.is_(None)
        await session.execute(delete(StoredSend).where(outdated))
        session.add(_new_send(study.id, study.version, name, None, now))


class Sends:
    """All methods raise Unavailable where the database does not answer."""

    def __init__(self, database: Database, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._now = now

    async def request(self, caller: Caller, study_id: str, version: int, form: SendRequest) -> Send:
        """For a study that the caller was seen to be allowed to read. The same send is queued once only.

        version: that of the result which the form asks for.
        """
        same = (StoredSend.study_id == study_id) & (StoredSend.version == version)
        same &= (StoredSend.destination == form.destination) & (StoredSend.status == "waiting")
        key_slices = form.key_slices or []
        async with self._database.writing() as session:
            waiting = (await session.scalars(select(StoredSend).where(same))).all()
            row = next((one for one in waiting if (one.language, one.key_slices) == (form.language, key_slices)), None)
            if row is None:
                row = _new_send(study_id, version, form.destination, caller.subject, self._now())
                row.language, row.key_slices = form.language, key_slices
                session.add(row)
            details = {"destination": form.destination, "version": version}
            await record_access(session, "send_requested", caller, study_id, self._now(), **details)
        return _document(row)

    async def page(
        self,
        page: PageRequest,
        *,
        study_id: str | None = None,
        status: SendStatus | None = None,
        destination: str | None = None,
    ) -> tuple[list[Send], str | None]:
        """Newest first, and the cursor of the next page."""
        condition: ColumnElement[bool] = true()
        for column, value in (
            (StoredSend.study_id, study_id),
            (StoredSend.status, status),
            (StoredSend.destination, destination),
        ):
            condition = condition if value is None else condition & (column == value)
        async with self._database.reading() as session:
            query = select(StoredSend).where(condition)
            rows, following = await paged(session, StoredSend, page, query, newest_first=True)
        return [_document(row) for row in rows], following

    async def retry(self, caller: Caller, send_id: str) -> Send:
        """Raises NoSuchSend and SendNotFailed."""
        async with self._database.writing() as session:
            row = await session.get(StoredSend, send_id, with_for_update=True)
            if row is None:
                raise NoSuchSend
            if row.status != "failed":
                raise SendNotFailed(f"the send is {row.status}")
            row.status, row.attempts, row.due_at, row.ended_at = "waiting", 0, self._now(), None
            details = {"destination": row.destination, "version": row.version}
            await record_access(session, "send_requested", caller, row.study_id, self._now(), **details)
        return _document(row)

    async def retry_all(self, caller: Caller, destination: str) -> int:
        """All failed sends to one destination; returns their number."""
        failed = (StoredSend.destination == destination) & (StoredSend.status == "failed")
        async with self._database.writing() as session:
            rows = (await session.scalars(select(StoredSend).where(failed).with_for_update())).all()
            again = {"status": "waiting", "attempts": 0, "due_at": self._now(), "ended_at": None}
            await session.execute(update(StoredSend).where(StoredSend.id.in_([row.id for row in rows])).values(again))
            for row in rows:
                details = {"destination": destination, "version": row.version}
                await record_access(session, "send_requested", caller, row.study_id, self._now(), **details)
        return len(rows)

    async def queues(self) -> Mapping[str, DestinationQueue]:
        """By destination; those without a send are missing."""
        found: dict[str, DestinationQueue] = {}
        counted = select(
            StoredSend.destination,
            func.count().filter(StoredSend.status == "waiting"),
            func.count().filter(StoredSend.status == "failed"),
            func.max(StoredSend.ended_at).filter(StoredSend.status == "sent"),
        ).group_by(StoredSend.destination)
        async with self._database.reading() as session:
            for name, waiting, failed, last_sent_at in (await session.execute(counted)).all():
                reasoned = (StoredSend.destination == name) & StoredSend.reason.is_not(None)
                newest = select(StoredSend.reason).where(reasoned).order_by(StoredSend.due_at.desc()).limit(1)
                found[name] = DestinationQueue(
                    waiting=waiting,
                    failed=failed,
                    last_sent_at=last_sent_at,
                    last_reason=await session.scalar(newest),
                )
        return found


def _new_send(study_id: str, version: int, destination: str, requested_by: str | None, now: datetime) -> StoredSend:
    row = StoredSend(id=str(uuid.uuid4()), study_id=study_id, version=version, destination=destination)
    row.status, row.requested_by, row.ended_at, row.reason = "waiting", requested_by, None, None
    row.language, row.key_slices = None, []
    row.created_at, row.due_at, row.attempts = now, now, 0
    return row


def _document(row: StoredSend) -> Send:
    waiting = row.status == "waiting"
    return Send.model_validate(
        {
            "id": row.id,
            "study_id": row.study_id,
            "version": row.version,
            "destination": row.destination,
            "status": row.status,
            "automatic": row.requested_by is None,
            "created_at": row.created_at,
            "attempts": row.attempts,
            "next_attempt_at": row.due_at if waiting else None,
            "ended_at": row.ended_at,
            "reason": row.reason,
            "language": row.language,
            "key_slices": row.key_slices or None,
        }
    )
