"""The gateway's state on both kinds of database, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest

from gateway.migrations import MIGRATIONS
from hepar.storage.database import Database, open_database


@dataclass
class Clock:
    """seconds since 1970."""

    seconds: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state(database_url: str) -> Callable[[], AbstractAsyncContextManager[Database]]:
    """Opens the migrated database; each call is a process of its own."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Database]:
        async with open_database(database_url, MIGRATIONS, "the test's state") as database:
            await database.migrate()
            yield database

    return opened
