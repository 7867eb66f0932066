"""Transactions that are cancelled at any moment leave nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from sqlalchemy import text

from hepar.storage.database import Database

NUMBERS = "SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 300000"
SLOW = f"WITH RECURSIVE numbers(n) AS ({NUMBERS}) SELECT max(n) FROM numbers"  # noqa: S608  constants


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
