"""Delivery of requested links, in the background: again after a failure, and after a restart."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from sqlalchemy import delete, select

from auth_service.accounts import account_of_address
from auth_service.audit import Actor, Event
from auth_service.dependencies import AuthDependencies
from auth_service.email_links import LinkKind, new_link, token_hash
from auth_service.email_tables import StoredEmail, StoredLink
from auth_service.email_texts import TEXTS
from auth_service.mailer import EmailNotSent, Mailer
from auth_service.tables import StoredAccount

_log = logging.getLogger(__name__)
_EVENTS: dict[LinkKind, Event] = {
    "password_reset": "password_reset_requested",
    "address_verification": "address_verification_requested",
    "invitation": "invitation_sent",
}
ATTEMPTS_MAX = 6
_FIRST_DELAY_S = 60
"""Before the second attempt, and doubled by each further one. A process that died leaves its e-mail for that long."""


@dataclass(frozen=True)
class EmailDelivery:
    """Sends the due e-mails of the database; several processes may do so at the same time."""

    dependencies: AuthDependencies
    mailer: Mailer

    async def deliver_due(self) -> None:
        """Raises Unavailable."""
        while (email := await self._next_due()) is not None:
            await self._deliver(email)

    async def _next_due(self) -> StoredEmail | None:
        """Puts off its next attempt, so that no other process takes it too."""
        now = datetime.now(UTC)
        async with self.dependencies.database.writing() as session:
            due = select(StoredEmail).where(StoredEmail.due_at <= now).order_by(StoredEmail.due_at).limit(1)
            email = (await session.scalars(due.with_for_update(skip_locked=True))).one_or_none()
            if email is not None:
                email.due_at = now + timedelta(seconds=_FIRST_DELAY_S * 2**email.attempts)
                email.attempts += 1
        return email

    async def _deliver(self, email: StoredEmail) -> None:
        kind = cast("LinkKind", email.kind)
        async with self.dependencies.database.reading() as session:
            account = await account_of_address(session, email.address)
        if account is None or not _wanted(kind, account):
            await self._delete(email)
            return
        async with self.dependencies.audited_transaction() as session:
            token = new_link(session, kind, account)
            await self.dependencies.audit.append(session, _EVENTS[kind], Actor(None, email.origin), account.id)
        try:
            text = TEXTS[kind]
            await self.mailer.send(account.email, text.subject, text.with_link(self._link(kind, token)))
        except EmailNotSent as error:
            _log.error("an e-mail was not sent", extra={"reason": str(error), "attempt": email.attempts})
            async with self.dependencies.database.writing() as session:
                await session.execute(delete(StoredLink).where(StoredLink.hash == token_hash(token)))
            if email.attempts < ATTEMPTS_MAX:
                return
        await self._delete(email)

    def _link(self, kind: LinkKind, token: str) -> str:
        """The token is in the fragment, which browsers send to no server."""
        page = "verify-address" if kind == "address_verification" else "reset-password"
        return f"{self.dependencies.settings.public_url.rstrip('/')}/{page}#{token}"

    async def _delete(self, email: StoredEmail) -> None:
        async with self.dependencies.database.writing() as session:
            await session.execute(delete(StoredEmail).where(StoredEmail.id == email.id))


def _wanted(kind: LinkKind, account: StoredAccount) -> bool:
    if account.status == "deactivated":
        return False
    return kind != "address_verification" or account.email_pending
