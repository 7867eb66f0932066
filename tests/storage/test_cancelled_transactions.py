"""Transactions that are cancelled at any moment leave nothing behind."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import anyio
import pytest
from sqlalchemy import text

from hepar.storage.database import Database

NUMBERS = "SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 300000"
SLOW = f"WITH RECURSIVE numbers(n) AS ({NUMBERS}) SELECT max(n) FROM numbers"  # noqa: S608  constants

COUNT = text(
    "INSERT INTO request_counts (key, period, count) VALUES ('k', 1, 1) "
    "ON CONFLICT (key, period) DO UPDATE SET count = request_counts.count + 1"
)


def driver_threads() -> set[threading.Thread]:
    """Each has a connection to SQLite."""
    return {thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name}


async def query(database: Database) -> None:
    async with database.reading() as session:
        await session.execute(text(SLOW))


@pytest.mark.anyio
async def test_a_transaction_that_is_cancelled_twice_leaves_no_task(
    state: Callable[[], AbstractAsyncContextManager[Database]],
) -> None:
    async with state() as database:
        await query(database)
        before = asyncio.all_tasks()
        for _ in range(5):
            transaction = asyncio.create_task(query(database))
            for delay_s in (0.01, 0.005):
                await asyncio.sleep(delay_s)
                transaction.cancel()
            await asyncio.wait([transaction])
        if left := asyncio.all_tasks() - before:
            assert not (await asyncio.wait(left, timeout=30))[1]
        await query(database)


@pytest.mark.anyio
async def test_cancelled_transactions_hold_no_lock(
    state: Callable[[], AbstractAsyncContextManager[Database]],
) -> None:
    """At any moment, by cancel scopes, which cancel what cleans up as well. Errors are kept, with all cursors."""
    chance = random.Random(3)  # noqa: S311
    errors: list[BaseException] = []
    before = driver_threads()

    async def write(database: Database) -> None:
        async with database.writing() as session:
            await session.execute(COUNT)
            await session.execute(text("SELECT count(*) FROM request_counts"))

    async def cancelled_write(database: Database) -> None:
        with anyio.move_on_after(chance.uniform(0, 0.02)):
            try:
                await write(database)
            except BaseException as error:
                errors.append(error)
                raise

    async with state() as database:
        for _ in range(60):
            async with anyio.create_task_group() as group:
                for _ in range(4):
                    group.start_soon(cancelled_write, database)
            await write(database)
    assert errors
    with anyio.fail_after(60):
        while driver_threads() - before:  # noqa: ASYNC110  threads end without an event
            await asyncio.sleep(0.02)
