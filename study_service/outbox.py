"""Work that is queued in a database and attempted until it succeeds: calls of webhooks, sends of results.

The row is written in the transaction of its cause, so that it is as certain as the cause itself. Several processes may
work through the same table. One that dies in the middle of an attempt leaves the row to the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import ColumnElement, Integer, Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from hepar.core.errors import HeparError

_log = logging.getLogger(__name__)


class OutboxRow:
    """A mixin of tables. due_at: of the next attempt.  attempts: begun so far."""

    created_at: Mapped[datetime]
    due_at: Mapped[datetime] = mapped_column(index=True)
    attempts: Mapped[int] = mapped_column(Integer)


Row = TypeVar("Row", bound=OutboxRow)


@dataclass(frozen=True)
class RetryRules:
    """The wait after a failed attempt is `factor` times the one before it, from first_s up to longest_s.

    attempt_s: longest time of an attempt; afterwards another process may begin the next one.
    """

    first_s: float
    factor: float
    longest_s: float
    attempts_max: int
    attempt_s: float

    def after(self, attempts: int) -> timedelta:
        """The wait after this many failed attempts, at least one."""
        return timedelta(seconds=min(self.first_s * self.factor ** min(attempts - 1, 50), self.longest_s))


async def claim_due(
    session: AsyncSession, table: type[Row], rules: RetryRules, now: datetime, *conditions: ColumnElement[bool]
) -> Row | None:
    """The row that is due for longest, with the next attempt put off for as long as this one may take."""
    due: Select[Row] = select(table).where(table.due_at <= now, *conditions).order_by(table.due_at, table.created_at)
    row = (await session.scalars(due.limit(1).with_for_update(skip_locked=True))).one_or_none()
    if row is not None:
        row.due_at, row.attempts = now + timedelta(seconds=rules.attempt_s), row.attempts + 1
    return row


@asynccontextmanager
async def attempted_in_background(
    attempt_next: Callable[[], Awaitable[int]], poll_s: float, purpose: str
) -> AsyncIterator[None]:
    """For the time of the block; at its end, an attempt in progress is completed.

    attempt_next: 0 or False where nothing was due; may raise HeparError.  purpose: for the log.
    """
    stopping = asyncio.Event()

    async def repeat() -> None:
        while not stopping.is_set():
            try:
                if await attempt_next():
                    continue
            except HeparError as error:
                _log.warning("queued work was not attempted", extra={"purpose": purpose, "reason": error.detail})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), poll_s)

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        stopping.set()  # not cancelled: that in the middle of a transaction leaves its connection open
        await task
