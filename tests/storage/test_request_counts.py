"""Rate limits by a sliding window counter, on SQLite and PostgreSQL, against a model computed by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from hepar.storage.database import Database
from hepar.storage.request_counts import RateLimit, RequestCounts, Usage
from tests.storage.conftest import Clock

State = Callable[[], AbstractAsyncContextManager[Database]]
TEN = RateLimit("account a", 10)


async def hits(counts: RequestCounts, number: int, limit: RateLimit = TEN) -> list[bool]:
    return [(await counts.hit([limit]))[0].allowed for _ in range(number)]


def test_the_limit_counts_over_all_processes_at_the_same_time(state: State, clock: Clock) -> None:
    async def scenario() -> list[list[bool]]:
        async with state() as one, state() as other:
            both = [RequestCounts(database, clock) for database in (one, other)]
            return await asyncio.gather(*(hits(counts, 10) for counts in both))

    allowed = asyncio.run(scenario())
    assert sum(map(sum, allowed)) == 10


def test_the_previous_window_weighs_as_much_as_the_sliding_window_covers_of_it(state: State, clock: Clock) -> None:
    async def scenario() -> None:
        async with state() as database:
            counts = RequestCounts(database, clock)
            clock.seconds = 60_000 * 60
            assert sum(await hits(counts, 12)) == 10
            clock.seconds += 59
            assert not (await counts.hit([TEN]))[0].allowed
            clock.seconds += 1 + 15  # a quarter of the next window: 7.5 of the 10 still count
            assert sum(await hits(counts, 12)) == 2
            clock.seconds += 45 + 120  # both windows are over
            assert sum(await hits(counts, 12)) == 10

    asyncio.run(scenario())


def test_a_request_is_allowed_after_retry_after_and_not_before(state: State, clock: Clock) -> None:
    async def scenario() -> None:
        async with state() as database:
            counts = RequestCounts(database, clock)
            for start in (0.0, 31.0):
                clock.seconds = 60_000 * 60 + start * 1000 * 60 + start
                usage = Usage(allowed=True, remaining=0, retry_after_s=0)
                while usage.allowed:
                    (usage,) = await counts.hit([TEN])
                wait_s = usage.retry_after_s
                assert 0 < wait_s <= 120
                clock.seconds += wait_s - 0.5
                assert not (await counts.hit([TEN]))[0].allowed
                clock.seconds += 0.6
                assert (await counts.hit([TEN]))[0].allowed

    asyncio.run(scenario())


def test_a_refusal_by_one_limit_does_not_use_up_the_next(state: State, clock: Clock) -> None:
    async def scenario() -> None:
        async with state() as database:
            counts = RequestCounts(database, clock)
            address = RateLimit("address a", 1)
            assert [usage.allowed for usage in await counts.hit([address, TEN])] == [True, True]
            refused = await counts.hit([address, TEN])
            assert [(usage.allowed, usage.remaining) for usage in refused] == [(False, 0), (True, 9)]

    asyncio.run(scenario())


def test_expired_counts_are_deleted_and_living_ones_are_not(state: State, clock: Clock) -> None:
    async def scenario() -> None:
        async with state() as database:
            counts = RequestCounts(database, clock)
            await hits(counts, 10)
            await counts.delete_expired()
            assert not (await counts.hit([TEN]))[0].allowed
            clock.seconds += 200
            await counts.delete_expired()
            assert sum(await hits(counts, 12)) == 10

    asyncio.run(scenario())
