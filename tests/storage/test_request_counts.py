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


def test_a_large_limit_is_never_exceeded_and_one_process_gets_all_of_it(state: State, clock: Clock) -> None:
    limit = RateLimit("account a", 200)

    async def scenario() -> None:
        async with state() as database:
            counts = RequestCounts(database, clock)
            usages = [(await counts.hit([limit]))[0] for _ in range(202)]
            assert [usage.allowed for usage in usages] == [True] * 200 + [False] * 2
            assert [usage.remaining for usage in usages] == [*range(199, -1, -1), 0, 0]
            assert all((usage.retry_after_s > 0) == (usage.remaining == 0) for usage in usages)

    asyncio.run(scenario())


def test_processes_with_leases_allow_no_more_than_the_limit_together(state: State, clock: Clock) -> None:
    limit = RateLimit("account a", 200)

    async def scenario() -> int:
        async with state() as one, state() as other:
            both = [RequestCounts(database, clock) for database in (one, other)]
            allowed = await asyncio.gather(*(hits(counts, 30, limit) for counts in both for _ in range(4)))
        return sum(map(sum, allowed))

    # A process that is refused may leave a lease of 5 to the other one.
    assert 195 <= asyncio.run(scenario()) <= 200


def test_a_lease_needs_no_database_and_ends_with_its_window(state: State, clock: Clock) -> None:
    limit = RateLimit("account a", 200)

    async def scenario() -> None:
        async with state() as database:
            counts = RequestCounts(database, clock)
            clock.seconds = 60_000 * 60
            assert await hits(counts, 1, limit) == [True]
        # Closed: what follows would open a connection to a new, empty database.
        assert [usage.remaining for usage in [(await counts.hit([limit]))[0] for _ in range(4)]] == [198, 197, 196, 195]

    async def next_window() -> None:
        other = RateLimit("account b", 200)
        async with state() as database:
            counts = RequestCounts(database, clock)
            await hits(counts, 1, other)
            clock.seconds += 60
            (usage,) = await counts.hit([other])
            assert usage.remaining == 200 - 5 - 1  # the whole lease of the window before counts

    asyncio.run(scenario())
    asyncio.run(next_window())
