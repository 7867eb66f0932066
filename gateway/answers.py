"""Answers kept for callers who repeat a request: in SQLite, sealed with the caller's own key."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import aiosqlite
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEPT_S = 24 * 3600.0
ROWS_MAX = 20_000
_NONCE_BYTES = 12
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    id BLOB PRIMARY KEY,
    begun_at REAL NOT NULL,
    fingerprint BLOB,
    sealed BLOB
)
"""


@dataclass(frozen=True)
class Answer:
    """As it was sent. headers: those that belong to the answer itself."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class StoredRow:
    """What is known of a key. fingerprint, sealed: None while the first request is under way."""

    fingerprint: bytes | None
    sealed: bytes | None


class StoredResponses:
    """One row a key. `open` before use; a request that died with an earlier process is forgotten then."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._connection: aiosqlite.Connection | None = None

    @property
    def _db(self) -> aiosqlite.Connection:
        if self._connection is None:
            raise RuntimeError("the store is not open")
        return self._connection

    async def open(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._connection = await aiosqlite.connect(self._file, isolation_level=None)
        self._file.chmod(0o600)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            await self._db.execute(f"PRAGMA {pragma}")
        await self._db.execute(_SCHEMA)
        await self._db.execute("DELETE FROM answers WHERE sealed IS NULL")

    async def close(self) -> None:
        await self._db.close()

    async def begin(self, key_id: bytes) -> StoredRow | None:
        """None where the key is new: it is then under way until `keep` or `forget`. What is too old goes."""
        now = time.time()
        await self._db.execute("DELETE FROM answers WHERE begun_at < ?", (now - KEPT_S,))
        inserted = await self._db.execute("INSERT OR IGNORE INTO answers (id, begun_at) VALUES (?, ?)", (key_id, now))
        if inserted.rowcount == 1:
            await self._db.execute(
                "DELETE FROM answers WHERE id IN "
                "(SELECT id FROM answers WHERE sealed IS NOT NULL ORDER BY begun_at DESC LIMIT -1 OFFSET ?)",
                (ROWS_MAX,),
            )
            return None
        async with self._db.execute("SELECT fingerprint, sealed FROM answers WHERE id = ?", (key_id,)) as rows:
            row = await rows.fetchone()
        return StoredRow(None, None) if row is None else StoredRow(row[0], row[1])

    async def keep(self, key_id: bytes, fingerprint: bytes, sealed: bytes) -> None:
        await self._db.execute(
            "UPDATE answers SET fingerprint = ?, sealed = ? WHERE id = ?", (fingerprint, sealed, key_id)
        )

    async def forget(self, key_id: bytes) -> None:
        await self._db.execute("DELETE FROM answers WHERE id = ?", (key_id,))


def seal(answer: Answer, secret: bytes) -> bytes:
    """Encrypts with a key that only the caller's secret gives: the file alone tells nobody an answer or a token.

    secret: the Idempotency-Key and whose it is.  AES-256-GCM; the key by HKDF-SHA256 (RFC 5869).
    """
    head = json.dumps([answer.status, answer.headers]).encode()
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(_key(secret)).encrypt(nonce, len(head).to_bytes(4) + head + answer.body, None)


def unseal(sealed: bytes, secret: bytes) -> Answer:
    """Raises ValueError where secret and answer do not belong together."""
    try:
        plain = AESGCM(_key(secret)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
    except InvalidTag as error:
        raise ValueError("the answer was sealed with another secret") from error
    length = int.from_bytes(plain[:4])
    status, headers = json.loads(plain[4 : 4 + length])
    return Answer(status, [(name, value) for name, value in headers], plain[4 + length :])


def _key(secret: bytes) -> bytes:
    return HKDF(SHA256(), 32, None, b"hepar gateway answers").derive(secret)
