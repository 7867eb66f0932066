"""Rate limits by a sliding window counter, shared by all processes that use one database."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import text

from hepar.storage.database import Database

_READ = text("SELECT period, count FROM request_counts WHERE key = :key AND period >= :period - 1")
_COUNT = text(
    "INSERT INTO request_counts (key, period, count) "
    "SELECT CAST(:key AS VARCHAR(200)), CAST(:period AS BIGINT), 1 WHERE CAST(:allowed AS INTEGER) >= 1 "
    "ON CONFLICT (key, period) DO UPDATE SET count = request_counts.count + 1 WHERE request_counts.count < :allowed "
    "RETURNING count"
)
_DELETE = text("DELETE FROM request_counts WHERE period < :period - 1")


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


class RequestCounts:
    """Requests by key. now: seconds since 1970.

    The count of the previous window is weighted by the part of it that the sliding window still covers (Cloudflare,
    "How we built rate limiting capable of scaling to millions of domains", 2017).
    """

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    async def hit(self, limits: Sequence[RateLimit]) -> list[Usage]:
        """Counts one request for each limit in order, up to the first that is exceeded. Raises Unavailable."""
        now = self._now()
        usages: list[Usage] = []
        async with self._database.writing() as session:
            for limit in limits:
                window, elapsed = divmod(now / limit.window_s, 1)
                values = {"key": limit.key, "period": int(window)}
                counts = {row[0]: row[1] for row in await session.execute(_READ, values)}
                previous, current = counts.get(int(window) - 1, 0), counts.get(int(window), 0)
                allowance = math.floor(limit.per_window - previous * (1 - elapsed))
                refused_before = any(not usage.allowed for usage in usages)
                if not refused_before:
                    counted = await session.scalar(_COUNT, values | {"allowed": allowance})
                    current = counted or current
                    allowed = counted is not None
                else:
                    allowed = allowance > current
                wait_s = _wait_s(limit, previous, current, elapsed) if allowance <= current else 0.0
                usages.append(Usage(allowed, max(allowance - current, 0), wait_s))
        return usages

    async def delete_expired(self, window_s: int = 60) -> None:
        """Raises Unavailable."""
        async with self._database.writing() as session:
            await session.execute(_DELETE, {"period": int(self._now() // window_s)})


def _wait_s(limit: RateLimit, previous: int, current: int, elapsed: float) -> float:
    """Seconds until one more request fits. elapsed: share of the current window, 0..1."""
    if current < limit.per_window:  # the previous window's weight must fall
        share = 1 - (limit.per_window - 1 - current) / previous
        return max(share - elapsed, 0.0) * limit.window_s
    share = 1 - (limit.per_window - 1) / current  # the current window's too, once it is the previous one
    return (1 - elapsed + share) * limit.window_s
