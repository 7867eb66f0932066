"""The table of accounts."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import DateTime, String, event, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class StoredAccount(Base):
    """One person. The address is stored in lower case and is unique."""

    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(256))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class AddressTaken(Exception):
    """There is an account with this address."""


class AccountStore:
    """Accounts in a database. Made by `open_store`."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions

    async def add(self, email: str, password_hash: str) -> StoredAccount:
        """Raises AddressTaken; the database decides between two at once."""
        account = StoredAccount(
            id=uuid.uuid4().hex,
            email=email.lower(),
            password_hash=password_hash,
            created_at=datetime.now(UTC),
        )
        async with self._sessions() as session:
            session.add(account)
            try:
                await session.commit()
            except IntegrityError as error:
                raise AddressTaken(email) from error
        return account

    async def by_email(self, email: str) -> StoredAccount | None:
        async with self._sessions() as session:
            found = await session.scalars(select(StoredAccount).where(StoredAccount.email == email.lower()))
            return found.one_or_none()

    async def by_id(self, account_id: str) -> StoredAccount | None:
        async with self._sessions() as session:
            return await session.get(StoredAccount, account_id)

    async def answers(self) -> bool:
        """Can the database be asked?"""
        try:
            async with self._sessions() as session:
                await session.execute(text("SELECT 1"))
        except (SQLAlchemyError, OSError):
            return False
        return True


@asynccontextmanager
async def open_store(database_url: str) -> AsyncIterator[AccountStore]:
    """Connects and makes the table where it is missing."""
    url = make_url(database_url)
    sqlite = url.get_backend_name() == "sqlite"
    if sqlite and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(url, pool_pre_ping=True)
    if sqlite:
        event.listen(engine.sync_engine, "connect", _durable)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        yield AccountStore(async_sessionmaker(engine, expire_on_commit=False))
    finally:
        await engine.dispose()


def _durable(connection: Any, _record: object) -> None:  # noqa: ANN401  the driver's own class
    """WAL with synchronous=FULL: at NORMAL a power cut lost acknowledged commits (HARDENING.md)."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.close()
