"""Rate limits by a sliding window counter, shared by all processes that use one database."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hepar.storage.database import Database

_READ = text("SELECT period, count FROM request_counts WHERE key = :key AND period >= :period - 1")
_COUNT = text(
    "INSERT INTO request_counts (key, period, count) "
    "SELECT CAST(:key AS VARCHAR(200)), CAST(:period AS BIGINT), CAST(:size AS INTEGER) "
    "WHERE CAST(:allowed AS INTEGER) >= CAST(:size AS INTEGER) "
    "ON CONFLICT (key, period) DO UPDATE SET count = request_counts.count + CAST(:size AS INTEGER) "
    "WHERE request_counts.count + CAST(:size AS INTEGER) <= :allowed RETURNING count"
)
_DELETE = text("DELETE FROM request_counts WHERE period < :period - 1")
_LEASES_PER_LIMIT, _LEASE_MAX = 40, 16


@dataclass(frozen=True)
class RateLimit:
    """key: whose requests, at most 200 characters.  per_window: requests in any window_s seconds, approximately."""

    key: str
    per_window: int
    window_s: int = 60


@dataclass(frozen=True)
class Usage:
    """remaining: requests left now.  retry_after_s: until the next one is allowed, 0 where one is allowed now."""

    allowed: bool
    remaining: int
    retry_after_s: float


@dataclass
class _Lease:
    """Requests that the database has counted already.

    left: of them.  beyond: what the limit left besides when they were counted, at least 1.  ends_at: of the window, in
    seconds since 1970.
    """

    left: int
    beyond: int
    ends_at: float

    def usage(self, *, used: bool) -> Usage:
        self.left -= used
        return Usage(allowed=True, remaining=self.left + self.beyond, retry_after_s=0.0)


class RequestCounts:
    """Requests by key. now: seconds since 1970.

    The count of the previous window is weighted by the part of it that the sliding window still covers (Cloudflare,
    "How we built rate limiting capable of scaling to millions of domains", 2017).

    Requests are counted before they are allowed, for large limits several at a time: a lease, of which this process
    allows the next ones without a transaction. What is left of it at the end of its window was counted for nothing.
    """

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now
        self._leases: dict[str, _Lease] = {}
        self._leasing: set[str] = set()

    async def hit(self, limits: Sequence[RateLimit]) -> list[Usage]:
        """Counts one request for each limit in order, up to the first that is exceeded. Raises Unavailable."""
        now = self._now()
        leases = [self._lease(limit, now) for limit in limits]
        if None not in leases:
            return [lease.usage(used=True) for lease in leases if lease is not None]
        usages: list[Usage] = []
        async with self._database.writing() as session:
            for limit in limits:
                refused = any(not usage.allowed for usage in usages)
                lease = self._lease(limit, now)
                if lease is not None:
                    usages.append(lease.usage(used=not refused))
                else:
                    with self._lease_size(limit) as size:
                        usages.append(await self._count(session, limit, now, 0 if refused else size))
        return usages

    def _lease(self, limit: RateLimit, now: float) -> _Lease | None:
        lease = self._leases.get(limit.key)
        return lease if lease is not None and lease.left and now < lease.ends_at else None

    @contextmanager
    def _lease_size(self, limit: RateLimit) -> Iterator[int]:
        """How many requests to count; 1 while a parallel request takes a lease."""
        size = min(limit.per_window // _LEASES_PER_LIMIT, _LEASE_MAX)
        if size < 2 or limit.key in self._leasing:
            yield 1
            return
        self._leasing.add(limit.key)
        try:
            yield size
        finally:
            self._leasing.remove(limit.key)

    async def _count(self, session: AsyncSession, limit: RateLimit, now: float, size: int) -> Usage:
        """size: requests to count, only one where the limit does not leave more; 0 where an earlier limit refused."""
        window, elapsed = divmod(now / limit.window_s, 1)
        values = {"key": limit.key, "period": int(window)}
        counts = {row[0]: row[1] for row in await session.execute(_READ, values)}
        previous, current = counts.get(int(window) - 1, 0), counts.get(int(window), 0)
        allowance = math.floor(limit.per_window - previous * (1 - elapsed))
        if size > 1:
            counted = await session.scalar(_COUNT, values | {"size": size, "allowed": allowance - 1})
            if counted is not None:
                lease = _Lease(size, allowance - counted, (window + 1) * limit.window_s)
                self._leases[limit.key] = lease
                return lease.usage(used=True)
        allowed = allowance > current
        if size:
            counted = await session.scalar(_COUNT, values | {"size": 1, "allowed": allowance})
            current, allowed = counted or current, counted is not None
        wait_s = _wait_s(limit, previous, current, elapsed) if allowance <= current else 0.0
        return Usage(allowed, max(allowance - current, 0), wait_s)

    async def delete_expired(self, window_s: int = 60) -> None:
        """Raises Unavailable."""
        self._leases = {key: lease for key, lease in self._leases.items() if self._now() < lease.ends_at}
        async with self._database.writing() as session:
            await session.execute(_DELETE, {"period": int(self._now() // window_s)})


def _wait_s(limit: RateLimit, previous: int, current: int, elapsed: float) -> float:
    """Seconds until one more request fits. elapsed: share of the current window, 0..1."""
    if current < limit.per_window:  # the previous window's weight must fall
        share = 1 - (limit.per_window - 1 - current) / previous
        return max(share - elapsed, 0.0) * limit.window_s
    share = 1 - (limit.per_window - 1) / current  # the current window's too, once it is the previous one
    return (1 - elapsed + share) * limit.window_s
