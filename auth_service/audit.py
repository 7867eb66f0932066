"""The audit log: events of accounts and keys, each entry chained to the previous one by an HMAC.

It contains no password, token, e-mail address or patient data: people and systems are named by their ids.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from auth_service.tables import StoredAuditEntry, StoredAuditHead
from hepar.core.metrics import ACCOUNT_EVENTS
from hepar.storage.database import Database
from hepar.storage.hash_chain import HashChain

_log = logging.getLogger(__name__)

Event = Literal[
    "signed_up", "signed_in", "sign_in_refused", "signed_out", "sessions_ended", "refresh_token_reused",
    "password_changed", "second_factor_begun", "second_factor_confirmed", "second_factor_removed",
    "second_factor_reset", "confirmation_refused", "recovery_code_used", "recovery_codes_renewed",
    "approved", "role_changed", "group_changed", "deactivated", "reactivated",
    "deleted", "token_revoked", "client_registered", "client_deactivated", "client_secret_added",
    "client_secret_removed", "key_rotated", "profile_changed",
    "audit_exported",
    "password_reset_requested", "password_reset", "address_verification_requested", "address_verified",
    "invited", "invitation_sent",
]  # fmt: skip
_HASHED = ("at", "event", "actor", "subject", "origin", "details")


@dataclass(frozen=True)
class Actor:
    """Who caused an event (None: unknown) and from which address (None: not over the network)."""

    id: str | None
    origin: str | None = None


class AuditLog:
    def __init__(self, key: bytes) -> None:
        def digest(text: str) -> str:
            return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

        self._chain = HashChain(StoredAuditEntry, StoredAuditHead, _HASHED, digest)

    async def lock(self, session: AsyncSession) -> None:
        """Serialises writers: a second one waits for the commit of the first."""
        await self._chain.lock(session)

    async def append(
        self, session: AsyncSession, event: Event, actor: Actor, subject: str | None = None, **details: str
    ) -> None:
        """In the transaction of the event itself: both are committed, or neither."""
        entry = StoredAuditEntry(at=datetime.now(UTC), event=event, actor=actor.id, subject=subject)
        entry.origin, entry.details = actor.origin, details
        await self._chain.append(session, entry)
        # The log is stored elsewhere: an attacker who rewrites the table cannot rewrite it as well.
        ACCOUNT_EVENTS.labels(event).inc()
        _log.info("audit", extra={"event": event, "audit_number": entry.number, "audit_hash": entry.hash})

    async def verify(self, database: Database, anchor: tuple[int, str] | None = None) -> tuple[int, str]:
        """Reads the whole chain; returns the number and hash of its last entry.

        anchor: a number and its hash as logged. Raises BrokenChain naming the first broken entry.
        """
        return await self._chain.verify(database, anchor)
