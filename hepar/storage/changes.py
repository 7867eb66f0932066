"""Waiting for changes of a database, so that a process looks at once and not at its next poll.

PostgreSQL tells whoever listens to a channel, when the transaction that announced a change is committed. SQLite tells
nobody, but every commit writes to the log of its file, whose size and time of change cost microseconds to read. Either
may miss a change, so callers look at times without one, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL, make_url

_log = logging.getLogger(__name__)

_LOOK_S = 0.02
_CONNECT_S = 5.0
_RECONNECT_S = 2.0


def announce(connection: Connection, channel: str) -> None:
    """Wakes who waits for the channel, once the transaction is committed."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_notify(:channel, '')"), {"channel": channel})


class Changes(ABC):
    """Take `mark` before reading the database, and wait for what comes `after` it: nothing in between is missed."""

    @abstractmethod
    def mark(self) -> Hashable: ...

    @abstractmethod
    async def after(self, mark: Hashable) -> None:
        """Returns at the first change since `mark` was taken."""


class _SqliteChanges(Changes):
    """Of any table, by any process."""

    def __init__(self, database: str) -> None:
        self._log_file = f"{database}-wal"

    def mark(self) -> Hashable:
        try:
            found = os.stat(self._log_file)  # noqa: PTH116  a path object costs more than the call
        except FileNotFoundError:
            return None
        return (found.st_size, found.st_mtime_ns)

    async def after(self, mark: Hashable) -> None:
        while self.mark() == mark:  # noqa: ASYNC110  another process changes the file
            await asyncio.sleep(_LOOK_S)


class _PostgreSqlChanges(Changes):
    def __init__(self, url: URL, channel: str) -> None:
        self._dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._channel = channel
        self._count = 0
        self._changed = asyncio.Event()

    def mark(self) -> Hashable:
        return self._count

    async def after(self, mark: Hashable) -> None:
        while self._count == mark:
            await self._changed.wait()

    async def listen(self) -> None:
        """Until it is cancelled; connects again where the connection is lost."""
        while True:
            try:
                await self._listen_once()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.warning("changes are noticed late", extra={"reason": type(error).__name__})
            await asyncio.sleep(_RECONNECT_S)

    async def _listen_once(self) -> None:
        lost = asyncio.Event()
        connection = await asyncpg.connect(self._dsn, timeout=_CONNECT_S, command_timeout=_CONNECT_S)
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(self._channel, self._notified)
            self._notified()  # what was announced before nobody heard
            await lost.wait()
        finally:
            connection.terminate()

    def _notified(self, *_: object) -> None:
        self._count += 1
        self._changed.set()
        self._changed.clear()


@asynccontextmanager
async def open_changes(database_url: str, channel: str) -> AsyncIterator[Changes]:
    """database_url: as for `open_database`.  channel: as for `announce`."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        yield _SqliteChanges(str(Path(url.database or "")))
        return
    changes = _PostgreSqlChanges(url, channel)
    listening = asyncio.create_task(changes.listen())
    try:
        yield changes
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
