"""The audit log: events of accounts and keys, each entry chained to the previous one by an HMAC.

It contains no password, token, e-mail address or patient data: people and systems are named by their ids.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service.tables import StoredAuditEntry, StoredAuditHead
from hepar.core.metrics import ACCOUNT_EVENTS
from hepar.storage.database import Database

_log = logging.getLogger(__name__)

Event = Literal[
    "signed_up", "signed_in", "sign_in_refused", "signed_out", "sessions_ended", "refresh_token_reused",
    "password_changed", "second_factor_begun", "second_factor_confirmed", "second_factor_removed",
    "second_factor_reset", "confirmation_refused", "recovery_code_used", "recovery_codes_renewed",
    "approved", "role_changed", "group_changed", "deactivated", "reactivated",
    "deleted", "token_revoked", "client_registered", "client_deactivated", "client_secret_added",
    "client_secret_removed", "key_rotated", "profile_changed",
    "password_reset_requested", "password_reset", "address_verification_requested", "address_verified",
]  # fmt: skip
_BATCH = 500


@dataclass(frozen=True)
class Actor:
    """Who caused an event (None: unknown) and from which address (None: not over the network)."""

    id: str | None
    origin: str | None = None


class BrokenChain(Exception):
    """The message names the first entry that does not follow from the previous one."""


class AuditLog:
    def __init__(self, key: bytes) -> None:
        self._key = key

    async def lock(self, session: AsyncSession) -> None:
        """Serialises writers: a second one waits for the commit of the first."""
        await session.scalars(select(StoredAuditHead).with_for_update())

    async def append(
        self, session: AsyncSession, event: Event, actor: Actor, subject: str | None = None, **details: str
    ) -> None:
        """In the transaction of the event itself: both are committed, or neither."""
        head = (await session.scalars(select(StoredAuditHead).with_for_update())).one()
        entry = StoredAuditEntry(
            number=head.number + 1,
            at=datetime.now(UTC),
            event=event,
            actor=actor.id,
            subject=subject,
            origin=actor.origin,
            details=details,
            previous_hash=head.hash,
            hash="",
        )
        entry.hash = self._hash(entry)
        session.add(entry)
        head.number, head.hash = entry.number, entry.hash
        await session.flush()
        # The log is stored elsewhere: an attacker who rewrites the table cannot rewrite it as well.
        ACCOUNT_EVENTS.labels(event).inc()
        _log.info("audit", extra={"event": event, "audit_number": entry.number, "audit_hash": entry.hash})

    async def verify(self, database: Database, anchor: tuple[int, str] | None = None) -> tuple[int, str]:
        """Reads the whole chain; returns the number and hash of its last entry.

        anchor: a number and its hash as logged. Raises BrokenChain naming the first broken entry.
        """
        expected, previous = 1, "0" * 64
        async with database.reading() as session:
            head = (await session.scalars(select(StoredAuditHead))).one()
            while True:
                of_batch = select(StoredAuditEntry).where(StoredAuditEntry.number >= expected)
                ordered = of_batch.order_by(StoredAuditEntry.number).limit(_BATCH)
                entries = (await session.scalars(ordered)).all()
                for entry in entries:
                    self._require_next(entry, expected, previous, anchor)
                    expected, previous = expected + 1, entry.hash
                if len(entries) < _BATCH:
                    break
        if (head.number, head.hash) != (expected - 1, previous):
            raise BrokenChain(f"the head names entry {head.number}, but the chain ends with {expected - 1}")
        if anchor is not None and anchor[0] >= expected:
            raise BrokenChain(f"entry {anchor[0]} is missing: the chain ends with {expected - 1}")
        return expected - 1, previous

    def _require_next(
        self, entry: StoredAuditEntry, expected: int, previous: str, anchor: tuple[int, str] | None
    ) -> None:
        if entry.number != expected:
            raise BrokenChain(f"entry {expected} is missing")
        if entry.previous_hash != previous or not hmac.compare_digest(entry.hash, self._hash(entry)):
            raise BrokenChain(f"entry {entry.number} was changed")
        if anchor is not None and anchor[0] == entry.number and anchor[1] != entry.hash:
            raise BrokenChain(f"entry {entry.number} is not the one that was logged")

    def _hash(self, entry: StoredAuditEntry) -> str:
        canonical = json.dumps(
            [
                entry.number, entry.at.astimezone(UTC).isoformat(timespec="microseconds"), entry.event, entry.actor,
                entry.subject, entry.origin, entry.details, entry.previous_hash,
            ],
            sort_keys=True, separators=(",", ":"),
        )  # fmt: skip
        return hmac.new(self._key, canonical.encode(), hashlib.sha256).hexdigest()
