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

FAILURES_EXPIRE_AFTER = timedelta(hours=1)


class TooManyAttempts(ClientError):
    """The same for existing and unknown accounts."""

    status, title, slug = 429, "Too many attempts", "too-many-attempts"

    def __init__(self, wait_s: float) -> None:
        self._seconds = math.ceil(wait_s)
        super().__init__(f"try again in {self._seconds} s")

    def response_headers(self) -> dict[str, str]:
        return {"Retry-After": str(self._seconds)}


@dataclass(frozen=True)
class BackoffPolicy:
    """No delay for the first `free` failures; each further one doubles it, from 1 s; after `lock_after`: `lock_s`."""

    free: int
    lock_after: int
    lock_s: int

    def delay_s(self, failures: int) -> float:
        if failures < self.free:
            return 0
        return self.lock_s if failures >= self.lock_after else min(2 ** (failures - self.free), self.lock_s)


ACCOUNT = BackoffPolicy(free=3, lock_after=10, lock_s=900)
ORIGIN = BackoffPolicy(free=30, lock_after=100, lock_s=900)  # a hospital may share one address


class Throttle:
    """Counts attempts before they are executed, so that parallel attempts cannot bypass the limit."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, account: str, origin: str | None) -> None:
        """Counts one attempt as failed until `succeeded` is called.

        account: the name given, whether it exists or not.  Raises TooManyAttempts, and then counts nothing.
        """
        now = self._clock()
        async with self._database.writing() as session:
            for kind, value, pace in (("account", account.casefold(), ACCOUNT), ("origin", origin, ORIGIN)):
                if value is not None:
                    await _count(session, _key(kind, value), pace, now)

    async def succeeded(self, session: AsyncSession, account: str, origin: str | None) -> None:
        """Deletes the account's failures and subtracts this attempt from those of its origin."""
        await session.execute(delete(StoredThrottle).where(StoredThrottle.key == _key("account", account.casefold())))
        if origin is not None:
            one_less = update(StoredThrottle).where(StoredThrottle.key == _key("origin", origin))
            await session.execute(one_less.values(failures=StoredThrottle.failures - 1))

    async def delete_expired(self) -> None:
        """Deletes counts that no longer cause a delay."""
        async with self._database.writing() as session:
            old = StoredThrottle.last_failure_at < self._clock() - FAILURES_EXPIRE_AFTER
            await session.execute(delete(StoredThrottle).where(old))


async def _count(session: AsyncSession, key: str, pace: BackoffPolicy, now: datetime) -> None:
    """Inserts the row where it is missing, then locks it: safe for parallel attempts."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    fresh = insert(StoredThrottle).values(key=key, failures=0, last_failure_at=now).on_conflict_do_nothing()
    await session.execute(fresh)
    row = (await session.scalars(select(StoredThrottle).where(StoredThrottle.key == key).with_for_update())).one()
    failures = row.failures if now - row.last_failure_at < FAILURES_EXPIRE_AFTER else 0
    waited_s = (now - row.last_failure_at).total_seconds()
    delay_s = pace.delay_s(failures)
    if waited_s < delay_s:
        raise TooManyAttempts(delay_s - waited_s)
    row.failures, row.last_failure_at = failures + 1, now


def _key(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind}:{value}".encode(errors="surrogatepass")).hexdigest()
