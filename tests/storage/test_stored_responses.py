"""Stored responses: claims, leases and retention, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from hepar.storage.database import Database
from hepar.storage.stored_responses import (
    LEASE_S,
    RETENTION_S,
    ROW_BYTES,
    KnownKey,
    StorageBudget,
    StoredResponse,
    StoredResponses,
    seal,
    unseal,
)
from tests.storage.conftest import Clock

KEY = b"k" * 32
ADA, BOB, EVE = (name * 8 for name in (b"ada-", b"bob-", b"eve-"))
WIDE = StorageBudget(account_bytes_max=2**20, total_bytes_max=2**20)
State = Callable[[], AbstractAsyncContextManager[Database]]


def test_exactly_one_of_many_claims_of_a_key_succeeds(state: State, clock: Clock) -> None:
    async def scenario() -> list[KnownKey | None]:
        async with state() as one, state() as other:
            stores = [StoredResponses(database, WIDE, clock) for database in (one, other)]
            return await asyncio.gather(*(stores[index % 2].begin(KEY, ADA) for index in range(10)))

    claims = asyncio.run(scenario())
    assert claims.count(None) == 1
    assert claims.count(KnownKey(None, None)) == 9


def test_a_stored_response_is_found_by_another_process_until_its_retention_ends(state: State, clock: Clock) -> None:
    async def scenario() -> None:
        async with state() as one, state() as other:
            first, second = StoredResponses(one, WIDE, clock), StoredResponses(other, WIDE, clock)
            assert await first.begin(KEY, ADA) is None
            await first.store(KEY, b"f" * 32, b"sealed")
            clock.seconds += RETENTION_S - 1
            await second.maintain()
            assert await second.begin(KEY, ADA) == KnownKey(b"f" * 32, b"sealed")
            clock.seconds += 2
            assert await second.begin(KEY, ADA) is None

    asyncio.run(scenario())


def test_a_discarded_key_is_free_at_once(state: State, clock: Clock) -> None:
    async def scenario() -> None:
        async with state() as database:
            store = StoredResponses(database, WIDE, clock)
            assert await store.begin(KEY, ADA) is None
            await store.discard(KEY)
            assert await store.begin(KEY, ADA) is None

    asyncio.run(scenario())


def test_the_key_of_a_dead_process_is_free_after_its_lease(state: State, clock: Clock) -> None:
    async def scenario() -> None:
        async with state() as one, state() as other:
            dead, alive = StoredResponses(one, WIDE, clock), StoredResponses(other, WIDE, clock)
            assert await dead.begin(KEY, ADA) is None
            clock.seconds += LEASE_S - 1
            assert await alive.begin(KEY, ADA) == KnownKey(None, None)
            clock.seconds += 2
            assert await alive.begin(KEY, ADA) is None
            assert not await dead.store(KEY, b"f" * 32, b"late")  # it was not dead after all: its lease is lost
            assert await dead.begin(KEY, ADA) == KnownKey(None, None)

    asyncio.run(scenario())


def test_a_living_process_keeps_its_lease(state: State, clock: Clock) -> None:
    async def scenario() -> None:
        async with state() as one, state() as other:
            slow, second = StoredResponses(one, WIDE, clock), StoredResponses(other, WIDE, clock)
            assert await slow.begin(KEY, ADA) is None
            for _ in range(6):
                clock.seconds += LEASE_S / 3
                await slow.maintain()
                await second.maintain()
            assert await second.begin(KEY, ADA) == KnownKey(None, None)

    asyncio.run(scenario())


def test_only_the_secret_opens_a_sealed_response() -> None:
    response = StoredResponse(201, [("content-type", "application/json")], b"\x00body")
    sealed = seal(response, b"ada\x00key")
    assert unseal(sealed, b"ada\x00key") == response
    assert b"body" not in sealed
    assert seal(response, b"ada\x00key") != sealed
    with pytest.raises(ValueError, match="cannot be opened"):
        unseal(sealed, b"bob\x00key")


def budget(account_rows: int, total_rows: int) -> StorageBudget:
    """For rows of 100 sealed bytes."""
    return StorageBudget(account_rows * (ROW_BYTES + 100), total_rows * (ROW_BYTES + 100))


async def stored(store: StoredResponses, account: bytes, key: bytes, sealed_bytes: int = 100) -> bool:
    key_id = account[:4] + key.rjust(28)
    assert await store.begin(key_id, account) is None
    kept = await store.store(key_id, b"f" * 32, b"s" * sealed_bytes)
    if not kept:
        await store.discard(key_id)
    return kept


async def kept_keys(store: StoredResponses, account: bytes, *keys: bytes) -> list[bytes]:
    """Those of `keys` whose responses are still there."""
    found = []
    for key in keys:
        key_id = account[:4] + key.rjust(28)
        if await store.begin(key_id, account) is None:
            await store.discard(key_id)
        else:
            found.append(key)
    return found


def test_an_account_over_its_budget_loses_its_own_oldest_responses(state: State, clock: Clock) -> None:
    async def scenario() -> None:
        async with state() as database:
            store = StoredResponses(database, budget(3, 100), clock)
            assert await stored(store, BOB, b"0")
            for key in (b"1", b"2", b"3", b"4"):
                clock.seconds += 1
                assert await stored(store, ADA, key)
            assert await kept_keys(store, ADA, b"1", b"2", b"3", b"4") == [b"2", b"3", b"4"]
            clock.seconds += 1
            assert await stored(store, ADA, b"5", sealed_bytes=101)  # one byte more than one row frees
            assert await kept_keys(store, ADA, b"2", b"3", b"4", b"5") == [b"4", b"5"]
            assert await kept_keys(store, BOB, b"0") == [b"0"]

    asyncio.run(scenario())


def test_a_response_over_the_budget_of_an_account_displaces_nothing(state: State, clock: Clock) -> None:
    async def scenario() -> None:
        async with state() as database:
            store = StoredResponses(database, budget(2, 100), clock)
            assert await stored(store, ADA, b"1")
            assert not await stored(store, ADA, b"2", sealed_bytes=2 * (ROW_BYTES + 100) - ROW_BYTES + 1)
            assert await kept_keys(store, ADA, b"1", b"2") == [b"1"]

    asyncio.run(scenario())


def test_a_full_store_displaces_responses_of_the_same_account_only(state: State, clock: Clock) -> None:
    async def scenario() -> None:
        async with state() as database:
            store = StoredResponses(database, budget(2, 4), clock)
            for account in (ADA, EVE):
                for key in (b"1", b"2"):
                    assert await stored(store, account, key)
                    clock.seconds += 1
            assert not await stored(store, BOB, b"1"), "nothing of Bob's can make room"
            assert await stored(store, EVE, b"3")
            assert await kept_keys(store, ADA, b"1", b"2") == [b"1", b"2"]
            assert await kept_keys(store, EVE, b"1", b"2", b"3") == [b"2", b"3"]
            clock.seconds += RETENTION_S
            await store.maintain()
            assert await stored(store, BOB, b"1")

    asyncio.run(scenario())


def test_parallel_stores_of_several_processes_stay_within_the_budget(state: State, clock: Clock) -> None:
    async def scenario() -> list[bool]:
        async with state() as one, state() as other:
            stores = [StoredResponses(database, budget(3, 5), clock) for database in (one, other)]
            accounts = [bytes([number]) * 32 for number in range(12)]
            stores_of = zip(accounts, stores * 6, strict=True)
            return await asyncio.gather(*(stored(store, account, b"1") for account, store in stores_of))

    assert asyncio.run(scenario()).count(True) == 5
