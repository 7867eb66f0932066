"""Changes of a database wake who waits for them, by another process's commit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from sqlalchemy import text

from hepar.storage.changes import Changes, announce, open_changes
from hepar.storage.database import Database, open_database
from tests.support.postgresql import postgresql_server

CHANNEL = "tests"


def with_changes(database_url: str, work: Callable[[Database, Changes], Awaitable[None]]) -> None:
    async def scenario() -> None:
        async with (
            open_database(database_url, Path(), "numbers") as database,
            open_changes(database_url, CHANNEL) as changes,
        ):
            async with database.writing() as session:
                await session.execute(text("CREATE TABLE numbers (number INTEGER)"))
            await work(database, changes)

    asyncio.run(scenario())


async def change(database: Database) -> None:
    async with database.writing() as session:
        await session.execute(text("INSERT INTO numbers VALUES (1)"))
        await (await session.connection()).run_sync(announce, CHANNEL)


async def until_connected(changes: Changes) -> None:
    """The first connection counts as a change."""
    if changes.mark() == 0:
        await asyncio.wait_for(changes.after(0), 30)


def test_a_commit_wakes_who_waits(database_url: str) -> None:
    async def work(database: Database, changes: Changes) -> None:
        await until_connected(changes)
        waiting = asyncio.create_task(changes.after(changes.mark()))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await change(database)
        await asyncio.wait_for(waiting, 30)

    with_changes(database_url, work)


def test_a_change_between_the_mark_and_the_wait_is_not_missed(database_url: str) -> None:
    async def work(database: Database, changes: Changes) -> None:
        await until_connected(changes)
        mark = changes.mark()
        await change(database)
        await asyncio.wait_for(changes.after(mark), 30)

    with_changes(database_url, work)


def test_the_connection_to_postgresql_is_made_again() -> None:
    with postgresql_server() as server:

        async def work(database: Database, changes: Changes) -> None:
            await until_connected(changes)
            mark = changes.mark()
            server.crash()
            await asyncio.sleep(0.5)
            await asyncio.to_thread(server.start)
            await asyncio.wait_for(changes.after(mark), 60)
            mark = changes.mark()
            await change(database)
            await asyncio.wait_for(changes.after(mark), 60)

        with_changes(server.new_database(), work)
