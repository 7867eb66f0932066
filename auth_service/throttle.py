"""Guessing is made slow: growing delays, then a lock for a while, by account and by where the attempts come from."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service.tables import StoredThrottle
from hepar.core.errors import ClientError
from hepar.storage.database import Database

FORGOTTEN_AFTER = timedelta(hours=1)


class TooManyAttempts(ClientError):
    """Wait first. The same for accounts that exist and for those that do not."""

    status, title, slug = 429, "Too many attempts", "too-many-attempts"

    def __init__(self, wait_s: float) -> None:
        self._seconds = math.ceil(wait_s)
        super().__init__(f"try again in {self._seconds} s")

    def response_headers(self) -> dict[str, str]:
        return {"Retry-After": str(self._seconds)}


@dataclass(frozen=True)
class Pace:
    """`free` failures cost nothing; then each doubles the delay, from 1 s; from `locked_at` on it is `lock_s`."""

    free: int
    locked_at: int
    lock_s: int

    def delay_s(self, failures: int) -> float:
        if failures < self.free:
            return 0
        return self.lock_s if failures >= self.locked_at else min(2 ** (failures - self.free), self.lock_s)


ACCOUNT = Pace(free=3, locked_at=10, lock_s=900)
ORIGIN = Pace(free=30, locked_at=100, lock_s=900)  # a hospital may have one address for all its people


class Throttle:
    """Counts attempts before they are made, so that many at once are no way around it."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, account: str, origin: str | None) -> None:
        """Counts one attempt as failed until `succeeded` says otherwise.

        account: what the attempt names, whether it exists or not.  Raises TooManyAttempts, and counts nothing then.
        """
        now = self._clock()
        async with self._database.writing() as session:
            for kind, value, pace in (("account", account.casefold(), ACCOUNT), ("origin", origin, ORIGIN)):
                if value is not None:
                    await _count(session, _key(kind, value), pace, now)

    async def succeeded(self, session: AsyncSession, account: str, origin: str | None) -> None:
        """The account's failures are forgotten, and this attempt was none of its origin's."""
        await session.execute(delete(StoredThrottle).where(StoredThrottle.key == _key("account", account.casefold())))
        if origin is not None:
            one_less = update(StoredThrottle).where(StoredThrottle.key == _key("origin", origin))
            await session.execute(one_less.values(failures=StoredThrottle.failures - 1))

    async def forget_old(self) -> None:
        """Rows that no longer slow anybody down."""
        async with self._database.writing() as session:
            old = StoredThrottle.last_failure_at < self._clock() - FORGOTTEN_AFTER
            await session.execute(delete(StoredThrottle).where(old))


async def _count(session: AsyncSession, key: str, pace: Pace, now: datetime) -> None:
    """One statement inserts the row and locks it, also between two that come at once."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    fresh = insert(StoredThrottle).values(key=key, failures=0, last_failure_at=now).on_conflict_do_nothing()
    await session.execute(fresh)
    row = (await session.scalars(select(StoredThrottle).where(StoredThrottle.key == key).with_for_update())).one()
    failures = row.failures if now - row.last_failure_at < FORGOTTEN_AFTER else 0
    waited_s = (now - row.last_failure_at).total_seconds()
    delay_s = pace.delay_s(failures)
    if waited_s < delay_s:
        raise TooManyAttempts(delay_s - waited_s)
    row.failures, row.last_failure_at = failures + 1, now


def _key(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind}:{value}".encode(errors="surrogatepass")).hexdigest()
