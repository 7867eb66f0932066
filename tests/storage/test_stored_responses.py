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
    KnownKey,
    StoredResponse,
    StoredResponses,
    seal,
    unseal,
)
from tests.storage.conftest import Clock

KEY = b"k" * 32
State = Callable[[], AbstractAsyncContextManager[Database]]


def test_exactly_one_of_many_claims_of_a_key_succeeds(state: State, clock: Clock) -> None:
    async def scenario() -> list[KnownKey | None]:
        async with state() as one, state() as other:
            stores = [StoredResponses(database, clock) for database in (one, other)]
            return await asyncio.gather(*(stores[index % 2].begin(KEY) for index in range(10)))

    claims = asyncio.run(scenario())
    assert claims.count(None) == 1
    assert claims.count(KnownKey(None, None)) == 9


def test_a_stored_response_is_found_by_another_process_until_its_retention_ends(state: State, clock: Clock) -> None:
    async def scenario() -> None:
        async with state() as one, state() as other:
            first, second = StoredResponses(one, clock), StoredResponses(other, clock)
            assert await first.begin(KEY) is None
            await first.store(KEY, b"f" * 32, b"sealed")
            clock.seconds += RETENTION_S - 1
            await second.maintain()
            assert await second.begin(KEY) == KnownKey(b"f" * 32, b"sealed")
            clock.seconds += 2
            assert await second.begin(KEY) is None

    asyncio.run(scenario())


def test_a_discarded_key_is_free_at_once(state: State, clock: Clock) -> None:
    async def scenario() -> None:
        async with state() as database:
            store = StoredResponses(database, clock)
            assert await store.begin(KEY) is None
            await store.discard(KEY)
            assert await store.begin(KEY) is None

    asyncio.run(scenario())


def test_the_key_of_a_dead_process_is_free_after_its_lease(state: State, clock: Clock) -> None:
    async def scenario() -> None:
        async with state() as one, state() as other:
            dead, alive = StoredResponses(one, clock), StoredResponses(other, clock)
            assert await dead.begin(KEY) is None
            clock.seconds += LEASE_S - 1
            assert await alive.begin(KEY) == KnownKey(None, None)
            clock.seconds += 2
            assert await alive.begin(KEY) is None
            await dead.store(KEY, b"f" * 32, b"late")  # it was not dead after all: its lease is lost
            assert await dead.begin(KEY) == KnownKey(None, None)

    asyncio.run(scenario())


def test_a_living_process_keeps_its_lease(state: State, clock: Clock) -> None:
    async def scenario() -> None:
        async with state() as one, state() as other:
            slow, second = StoredResponses(one, clock), StoredResponses(other, clock)
            assert await slow.begin(KEY) is None
            for _ in range(6):
                clock.seconds += LEASE_S / 3
                await slow.maintain()
                await second.maintain()
            assert await second.begin(KEY) == KnownKey(None, None)

    asyncio.run(scenario())


def test_only_the_secret_opens_a_sealed_response() -> None:
    response = StoredResponse(201, [("content-type", "application/json")], b"\x00body")
    sealed = seal(response, b"ada\x00key")
    assert unseal(sealed, b"ada\x00key") == response
    assert b"body" not in sealed
    assert seal(response, b"ada\x00key") != sealed
    with pytest.raises(ValueError, match="cannot be opened"):
        unseal(sealed, b"bob\x00key")
