"""Responses to requests with an Idempotency-Key, shared by all processes that use one database.

A key that is being served has a lease. The process that serves it renews the lease; when the process dies, the lease
expires and the key can be used again.

Two budgets limit what is stored: one per account and one in total. An account makes room by losing its own oldest
responses. Where that is not enough, the new response is not stored: no account can displace those of another.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import delete, func, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from hepar.storage.database import Database

RETENTION_S = 24 * 3600.0
LEASE_S = 15.0
ROW_BYTES = 1024
"""What a row costs besides its sealed response: columns, indexes, page overhead; it also limits the number of rows."""
_NONCE_BYTES = 12


class _Base(DeclarativeBase):
    pass


class _Row(_Base):
    __tablename__ = "stored_responses"

    id: Mapped[bytes] = mapped_column(primary_key=True)
    created_at: Mapped[float]
    lease_until: Mapped[float]
    owner: Mapped[str]
    account: Mapped[bytes]
    stored_bytes: Mapped[int]
    fingerprint: Mapped[bytes | None]
    sealed: Mapped[bytes | None]


@dataclass(frozen=True)
class StoredResponse:
    """As it was sent. headers: those that belong to the response itself."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class KnownKey:
    """A key that was used before. fingerprint, sealed: None while the first request is in flight."""

    fingerprint: bytes | None
    sealed: bytes | None


@dataclass(frozen=True)
class StorageBudget:
    """Bytes of stored responses, ROW_BYTES per response included."""

    account_bytes_max: int
    total_bytes_max: int


class StoredResponses:
    """One row per key. now: seconds since 1970."""

    def __init__(self, database: Database, budget: StorageBudget, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._budget = budget
        self._now = now
        self._owner = uuid.uuid4().hex
        self._in_flight: set[bytes] = set()

    async def begin(self, key_id: bytes, account: bytes) -> KnownKey | None:
        """None where the key is new, or its lease or retention has expired: the caller then stores or discards it.

        account: whose budget the response uses.  Raises Unavailable.
        """
        now = self._now()
        values = {"id": key_id, "created_at": now, "lease_until": now + LEASE_S, "owner": self._owner}
        values |= {"account": account, "stored_bytes": 0}
        reset = values | {"fingerprint": None, "sealed": None}
        abandoned = _Row.sealed.is_(None) & (_Row.lease_until < now)
        expired = _Row.created_at < now - RETENTION_S
        async with self._database.writing() as session:
            insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
            claim = (
                insert(_Row)
                .values(values)
                .on_conflict_do_update(index_elements=["id"], set_=reset, where=or_(abandoned, expired))
                .returning(_Row.id)
            )
            if (await session.execute(claim)).first() is not None:
                self._in_flight.add(key_id)
                return None
            row = (await session.execute(select(_Row.fingerprint, _Row.sealed).where(_Row.id == key_id))).one()
        return KnownKey(row.fingerprint, row.sealed)

    async def store(self, key_id: bytes, fingerprint: bytes, sealed: bytes) -> bool:
        """False where a budget has no room, or the lease was lost: the caller then discards the key.

        Raises Unavailable.
        """
        values = {"fingerprint": fingerprint, "sealed": sealed, "stored_bytes": len(sealed) + ROW_BYTES}
        own = (_Row.id == key_id) & (_Row.owner == self._owner)
        async with self._database.writing() as session:
            await _exclude_other_stores(session)
            account = (await session.execute(select(_Row.account).where(own))).scalar_one_or_none()
            if account is None or not await self._make_room(session, account, len(sealed) + ROW_BYTES):
                return False
            await session.execute(update(_Row).where(own).values(values))
        self._in_flight.discard(key_id)
        return True

    async def _make_room(self, session: AsyncSession, account: bytes, needed_bytes: int) -> bool:
        """Deletes the account's oldest responses as far as that is necessary; nothing where it is not sufficient."""
        used = select(func.coalesce(func.sum(_Row.stored_bytes), 0))
        own_bytes = (await session.execute(used.where(_Row.account == account))).scalar_one()
        total_bytes = (await session.execute(used)).scalar_one()
        excess_bytes = max(
            own_bytes + needed_bytes - self._budget.account_bytes_max,
            total_bytes + needed_bytes - self._budget.total_bytes_max,
        )
        if excess_bytes > own_bytes:
            return False
        if excess_bytes > 0:
            oldest_first = func.sum(_Row.stored_bytes).over(order_by=(_Row.created_at, _Row.id))
            older_bytes = (oldest_first - _Row.stored_bytes).label("older_bytes")
            stored = select(_Row.id, older_bytes).where(_Row.account == account, _Row.stored_bytes > 0).subquery()
            oldest = select(stored.c.id).where(stored.c.older_bytes < excess_bytes)
            await session.execute(delete(_Row).where(_Row.id.in_(oldest)))
        return True

    async def discard(self, key_id: bytes) -> None:
        """Frees a key whose response is not stored. Raises Unavailable."""
        self._in_flight.discard(key_id)
        async with self._database.writing() as session:
            own = (_Row.id == key_id) & (_Row.owner == self._owner) & _Row.sealed.is_(None)
            await session.execute(delete(_Row).where(own))

    async def maintain(self) -> None:
        """Renews the leases of this process and deletes what has expired; call it every third of LEASE_S.

        Raises Unavailable.
        """
        now = self._now()
        async with self._database.writing() as session:
            if self._in_flight:
                own = _Row.id.in_(self._in_flight) & (_Row.owner == self._owner)
                await session.execute(update(_Row).where(own).values(lease_until=now + LEASE_S))
            abandoned = _Row.sealed.is_(None) & (_Row.lease_until < now)
            await session.execute(delete(_Row).where(or_(abandoned, _Row.created_at < now - RETENTION_S)))


async def _exclude_other_stores(session: AsyncSession) -> None:
    """Until the end of the transaction, so that parallel ones cannot exceed a budget. SQLite has one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(4274)"))


def seal(response: StoredResponse, secret: bytes) -> bytes:
    """Encrypts with a key derived from the caller's secret: the database alone reveals no response and no token.

    secret: the Idempotency-Key and its owner.  AES-256-GCM; the key by HKDF-SHA256 (RFC 5869).
    """
    head = json.dumps([response.status, response.headers]).encode()
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(_key(secret)).encrypt(nonce, len(head).to_bytes(4) + head + response.body, None)


def unseal(sealed: bytes, secret: bytes) -> StoredResponse:
    """Raises ValueError where secret and sealed response do not belong together."""
    try:
        plain = AESGCM(_key(secret)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
    except InvalidTag as error:
        raise ValueError("the stored response cannot be opened with this key") from error
    length = int.from_bytes(plain[:4])
    status, headers = json.loads(plain[4 : 4 + length])
    return StoredResponse(status, [(name, value) for name, value in headers], plain[4 + length :])


def _key(secret: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"hepar stored responses").derive(secret)
