"""Seals the access log: entries are chained by keyed hashes, so that a changed or missing one is found.

Entries are written without a hash and sealed within seconds: a lock on the end of the chain would let the readers of
all studies wait for each other.
"""

from __future__ import annotations

import logging
from functools import partial

from sqlalchemy import func, select

from hepar.storage.database import Database
from hepar.storage.encryption import KeyRing
from hepar.storage.hash_chain import HashChain
from study_service.tables import StoredAccess, StoredAccessHead

_log = logging.getLogger(__name__)
_HASHED = ("number", "at", "event", "actor", "study_id", "origin", "patient", "details")
_BATCH = 500


class AccessChain:
    """Methods raise Unavailable where the database does not answer."""

    def __init__(self, database: Database, keys: KeyRing) -> None:
        self._database = database
        digest = partial(keys.keyed_hash, "access log")
        self._chain = HashChain(StoredAccess, StoredAccessHead, _HASHED, digest, place="position")

    async def seal(self) -> int:
        """Appends what is not sealed yet; several processes may do so. Returns the number of entries."""
        sealed = 0
        open_entries = select(StoredAccess).where(StoredAccess.position.is_(None))
        while True:
            if await self._open() == 0:
                return sealed
            async with self._database.writing() as session:
                head = await self._chain.lock(session)
                entries = (await session.scalars(open_entries.order_by(StoredAccess.number).limit(_BATCH))).all()
                for entry in entries:
                    self._chain.link(head, entry)
                sealed += len(entries)
            if entries:  # the log is stored elsewhere: who rewrites the table cannot rewrite it as well
                _log.info("access log sealed", extra={"audit_number": head.number, "audit_hash": head.hash})

    async def verify(self, anchor: tuple[int, str] | None = None) -> tuple[int, str, int]:
        """The number and hash of the last sealed entry, and how many are not sealed yet. Raises BrokenChain.

        anchor: a number and its hash as logged.
        """
        return *await self._chain.verify(self._database, anchor), await self._open()

    async def _open(self) -> int:
        async with self._database.reading() as session:
            wanted = select(func.count()).select_from(StoredAccess).where(StoredAccess.position.is_(None))
            return await session.scalar(wanted) or 0
