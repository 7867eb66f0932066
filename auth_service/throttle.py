"""Attempts are slowed down, never stopped: growing delays for a device, an account in a network, and a network."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service.tables import StoredThrottle
from hepar.core.errors import ClientError
from hepar.core.networks import network_of
from hepar.storage.database import Database

ATTEMPTS_EXPIRE_AFTER = timedelta(hours=1)


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
    """No delay for the first `free` attempts, then `first_s`, doubled by each further one up to `longest_s`."""

    free: int
    longest_s: float
    first_s: float = 1

    def delay_s(self, attempts: int) -> float:
        if attempts < self.free:
            return 0
        return min(self.first_s * 2.0 ** min(attempts - self.free, 32), self.longest_s)


@dataclass(frozen=True)
class Limit:
    """What is counted by one key.

    shared: other callers count for the same key, so that a success takes back one attempt and not all of them.
    attack_after: from so many attempts on, the limits that follow apply their `under_attack` instead of their `policy`.
    """

    key: str
    policy: BackoffPolicy
    shared: bool = False
    attack_after: int | None = None
    under_attack: BackoffPolicy | None = None


NO_DELAY = BackoffPolicy(free=2**31, longest_s=0)
DEVICE = BackoffPolicy(free=3, longest_s=60)
UNKNOWN_DEVICE = BackoffPolicy(free=3, longest_s=60)
UNKNOWN_DEVICE_UNDER_ATTACK = BackoffPolicy(free=2, first_s=60, longest_s=900)
NETWORK = BackoffPolicy(free=30, longest_s=60)  # a hospital may share one address
CONFIRMATION = BackoffPolicy(free=3, longest_s=900)
ACCOUNT_ATTACK_AFTER = 100  # consecutive failures that NIST SP 800-63B-4, section 3.2.2 allows
_SIGN_UP_LONGEST_S = 60


def sign_in_limits(account: str, origin: str | None, device: str | None = None) -> list[Limit]:
    """Of one attempt with a password. What others do has no effect on a known device.

    account: the name given, whether it exists or not.  device: a device token that was issued for this account.
    """
    if device is not None:
        return [Limit(f"device:{device}", DEVICE)]
    account, network = account.casefold(), network_of(origin)
    return [
        Limit(f"account:{account}", NO_DELAY, shared=True, attack_after=ACCOUNT_ATTACK_AFTER),
        Limit(f"account:{account} network:{network}", UNKNOWN_DEVICE, under_attack=UNKNOWN_DEVICE_UNDER_ATTACK),
        Limit(f"network:{network}", NETWORK, shared=True),
    ]


def client_limits(origin: str | None) -> list[Limit]:
    """Of one attempt with a wrong client secret. A right one has none: 256 random bits cannot be guessed."""
    return [Limit(f"clients of network:{network_of(origin)}", NETWORK, shared=True)]


def confirmation_limits(session_id: str) -> list[Limit]:
    """Of one operation that asks for the password again. Only the holder of the session's tokens can fail here."""
    return [Limit(f"confirmations of session:{session_id}", CONFIRMATION)]


def sign_up_limits(origin: str | None, burst: int) -> list[Limit]:
    """Of one sign-up. burst: sign-ups without a delay."""
    return [Limit(f"sign-ups of network:{network_of(origin)}", BackoffPolicy(burst, _SIGN_UP_LONGEST_S), shared=True)]


class Throttle:
    """Counts attempts before they are executed, so that parallel attempts cannot bypass the limit."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, limits: Sequence[Limit]) -> None:
        """Counts one attempt for each limit. Raises TooManyAttempts, and then counts nothing."""
        attacked = False
        async with self._database.writing() as session:
            for limit in limits:
                policy = limit.under_attack if attacked and limit.under_attack else limit.policy
                attempts = await self._count(session, limit, policy)
                attacked = attacked or (limit.attack_after is not None and attempts >= limit.attack_after)

    async def _count(self, session: AsyncSession, limit: Limit, policy: BackoffPolicy) -> int:
        """Inserts the row where it is missing, then locks it: parallel attempts wait. Returns the attempts before."""
        insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        key = _hash(limit)
        fresh = insert(StoredThrottle).values(key=key, failures=0, last_failure_at=self._clock())
        await session.execute(fresh.on_conflict_do_nothing())
        row = (await session.scalars(select(StoredThrottle).where(StoredThrottle.key == key).with_for_update())).one()
        now = self._clock()  # after the wait for the lock
        elapsed = now - row.last_failure_at
        attempts = row.failures if elapsed < ATTEMPTS_EXPIRE_AFTER else 0
        delay_s = policy.delay_s(attempts)
        if delay_s > 0 and elapsed.total_seconds() < delay_s:
            raise TooManyAttempts(delay_s - max(elapsed.total_seconds(), 0))
        row.failures, row.last_failure_at = attempts + 1, now
        return attempts

    async def succeeded(self, session: AsyncSession, limits: Sequence[Limit]) -> None:
        """Takes this attempt back, and all earlier ones of limits that are not shared."""
        for limit in limits:
            if limit.shared:
                await _take_back(session, limit)
            else:
                await session.execute(delete(StoredThrottle).where(StoredThrottle.key == _hash(limit)))

    async def withdraw(self, limits: Sequence[Limit]) -> None:
        """Takes back one attempt that neither succeeded nor failed."""
        async with self._database.writing() as session:
            for limit in limits:
                await _take_back(session, limit)

    async def delete_expired(self) -> None:
        """Deletes counts that no longer cause a delay."""
        async with self._database.writing() as session:
            old = StoredThrottle.last_failure_at < self._clock() - ATTEMPTS_EXPIRE_AFTER
            await session.execute(delete(StoredThrottle).where(old))


async def _take_back(session: AsyncSession, limit: Limit) -> None:
    counted = (StoredThrottle.key == _hash(limit)) & (StoredThrottle.failures > 0)
    await session.execute(update(StoredThrottle).where(counted).values(failures=StoredThrottle.failures - 1))


def _hash(limit: Limit) -> str:
    return hashlib.sha256(limit.key.encode(errors="surrogatepass")).hexdigest()
