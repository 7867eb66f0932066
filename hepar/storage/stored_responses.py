"""Responses to requests with an Idempotency-Key, shared by all processes that use one database.

A key that is being served has a lease. The process that serves it renews the lease; when the process dies, the lease
expires and the key can be used again.
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
from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from hepar.storage.database import Database

RETENTION_S = 24 * 3600.0
LEASE_S = 15.0
MAX_ROWS = 20_000
_NONCE_BYTES = 12


class _Base(DeclarativeBase):
    pass


class _Row(_Base):
    __tablename__ = "stored_responses"

    id: Mapped[bytes] = mapped_column(primary_key=True)
    created_at: Mapped[float]
    lease_until: Mapped[float]
    owner: Mapped[str]
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


class StoredResponses:
    """One row per key. now: seconds since 1970."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now
        self._owner = uuid.uuid4().hex
        self._in_flight: set[bytes] = set()

    async def begin(self, key_id: bytes) -> KnownKey | None:
        """None where the key is new, or its lease or retention has expired: the caller then stores or discards it.

        Raises Unavailable.
        """
        now = self._now()
        values = {"id": key_id, "created_at": now, "lease_until": now + LEASE_S, "owner": self._owner}
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

    async def store(self, key_id: bytes, fingerprint: bytes, sealed: bytes) -> None:
        """Raises Unavailable."""
        async with self._database.writing() as session:
            own = (_Row.id == key_id) & (_Row.owner == self._owner)
            await session.execute(update(_Row).where(own).values(fingerprint=fingerprint, sealed=sealed))
        self._in_flight.discard(key_id)

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
            newest = select(_Row.id).where(_Row.sealed.is_not(None)).order_by(_Row.created_at.desc()).offset(MAX_ROWS)
            surplus = (await session.scalars(newest.limit(1000))).all()
            if surplus:
                await session.execute(delete(_Row).where(_Row.id.in_(surplus)))


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
