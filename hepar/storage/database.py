"""A database by its URL, SQLite or PostgreSQL: sessions, transactions and migrations."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite
import asyncpg
from sqlalchemy import Connection, String, column, event, exc, inspect, select, table, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from hepar.core.errors import InsufficientStorage, Unavailable

_GONE = (
    exc.OperationalError,
    exc.InterfaceError,
    exc.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)
_WAIT_S = 5


class Database:
    """Sessions of one database. Created by `open_database`."""

    def __init__(self, engine: AsyncEngine, migrations: Path, version_table: str, content: str) -> None:
        self._migrations, self._version_table = migrations, version_table
        self._content = content
        self._readers = async_sessionmaker(engine, expire_on_commit=False)
        # SQLite's deferred BEGIN lets two readers that both want to write block each other for ever.
        self._writing_engine = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        self._writers = async_sessionmaker(self._writing_engine, expire_on_commit=False)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session that changes nothing. Raises Unavailable where the database does not answer."""
        async with _guarded(self._readers, self._content) as session:
            yield session

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """A transaction, committed at the end.

        Raises Unavailable where the database does not answer, InsufficientStorage where its disk is full.
        """
        async with _guarded(self._writers, self._content) as session:
            yield session
            await session.commit()

    async def is_reachable(self) -> bool:
        """Within two seconds."""
        try:
            async with asyncio.timeout(2), self.reading() as session:
                await session.execute(text("SELECT 1"))
        except (Unavailable, TimeoutError):
            return False
        return True

    async def migrate(self, revision: str = "head") -> None:
        """Up or down to a revision (`head`, `base`); processes that start at the same time wait for each other."""
        async with self._writing_engine.begin() as connection:
            if revision == "head" and await connection.run_sync(_is_newest, self._migrations, self._version_table):
                return
            await connection.run_sync(_migrate, self._migrations, revision)


@asynccontextmanager
async def _guarded(sessions: async_sessionmaker[AsyncSession], content: str) -> AsyncIterator[AsyncSession]:
    try:
        async with sessions() as session:
            yield session
    except exc.IntegrityError:
        raise
    except exc.DBAPIError as error:
        if _is_full(error):
            raise InsufficientStorage(f"there is no room left for {content}") from error
        # SQLAlchemy does not recognise every lost connection: the driver's own error is the cause of its adapter's.
        lost = error.connection_invalidated or (error.orig is not None and isinstance(error.orig.__cause__, _GONE))
        if lost or isinstance(error, _GONE):
            raise Unavailable(f"{content} cannot be reached at the moment") from error
        raise
    except _GONE as error:
        raise Unavailable(f"{content} cannot be reached at the moment") from error


def _is_full(error: exc.DBAPIError) -> bool:
    if isinstance(error.orig, sqlite3.Error):
        return error.orig.sqlite_errorcode in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE)
    return getattr(error.orig, "sqlstate", None) == asyncpg.DiskFullError.sqlstate


@asynccontextmanager
async def open_database(
    database_url: str, migrations: Path, content: str, version_table: str = "alembic_version"
) -> AsyncIterator[Database]:
    """Connects at the first use; closes all connections at the end.

    migrations: Alembic's folder of the service that owns the tables.  content: what it holds, for error messages.
    version_table: where Alembic keeps the revision.
    """
    url = make_url(database_url)
    engine = _sqlite(url) if url.get_backend_name() == "sqlite" else _postgresql(url)
    try:
        yield Database(engine, migrations, version_table, content)
    finally:
        await engine.dispose()


def _postgresql(url: URL) -> AsyncEngine:
    arguments = {"timeout": _WAIT_S, "command_timeout": _WAIT_S}
    return create_async_engine(
        url, pool_pre_ping=True, pool_size=10, max_overflow=10, pool_timeout=_WAIT_S, connect_args=arguments
    )


def _sqlite(url: URL) -> AsyncEngine:
    if url.database:
        file = Path(url.database)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
    engine = create_async_engine(url, pool_timeout=_WAIT_S, connect_args={"async_creator_fn": _sqlite_connection})
    event.listen(engine.sync_engine, "connect", _durable)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


class _RollingBack(sqlite3.Connection):
    def close(self) -> None:
        """Ends the transaction as well, which holds the lock of the file.

        SQLite keeps a closed connection and its transaction for as long as one of its cursors is referenced. A
        cancelled transaction has such cursors in a traceback: they are there until Python's garbage collection.
        """
        with contextlib.suppress(sqlite3.Error):  # it is closed already, or its disk is gone
            self.rollback()
        super().close()


class _SqliteConnection(aiosqlite.Connection):
    def stop(self) -> asyncio.Future[None] | None:
        """A second stop waits for nothing. The driver's own waits for ever, because the first one ends its thread.

        SQLAlchemy stops a connection twice where a transaction is cancelled while a cancelled one is being closed.
        """
        return super().stop() if self._running else None


def _sqlite_connection(file: str, **options: Any) -> _SqliteConnection:  # noqa: ANN401  the arguments of sqlite3.connect
    connection = _SqliteConnection(partial(sqlite3.connect, file, factory=_RollingBack, **options), iter_chunk_size=64)
    connection._thread.daemon = True  # noqa: SLF001  as SQLAlchemy does for connections that it creates
    return connection


def _durable(connection: Any, _record: object) -> None:  # noqa: ANN401  the driver's own class
    """WAL with synchronous=FULL: at NORMAL a power cut lost acknowledged commits (HARDENING.md)."""
    connection.isolation_level = None  # the driver would otherwise begin transactions itself
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_WAIT_S * 1000}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def _is_newest(connection: Connection, migrations: Path, version_table: str) -> bool:
    """As at most starts: Alembic is not imported then, which would take 10 MB for as long as the process runs."""
    _wait_for_others(connection)
    if not inspect(connection).has_table(version_table):
        return False
    query = select(column("version_num", String)).select_from(table(version_table))
    return list(connection.execute(query).scalars()) == [newest_revision(migrations)]


def _migrate(connection: Connection, migrations: Path, revision: str) -> None:
    from alembic import command
    from alembic.config import Config

    configuration = Config()
    configuration.set_main_option("script_location", str(migrations))
    configuration.attributes["connection"] = connection
    _wait_for_others(connection)
    move = command.downgrade if revision == "base" else command.upgrade
    move(configuration, revision)


def _wait_for_others(connection: Connection) -> None:
    """Until the end of the transaction no other process migrates. In SQLite, a writing transaction does that."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(4273)"))


def newest_revision(migrations: Path) -> str:
    """By the names of the files in `versions`, which begin with their revision."""
    return max((file.name.partition("_")[0] for file in (migrations / "versions").glob("[0-9]*_*.py")), default="")
