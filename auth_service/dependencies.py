"""The dependencies of auth_service's operations, and the authenticated caller."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service.audit import Actor, AuditLog
from auth_service.devices import DeviceTokens
from auth_service.passwords import PasswordHasher
from auth_service.roles import SCOPES
from auth_service.secret_key import SecretKey
from auth_service.settings import AuthSettings
from auth_service.tables import StoredAccount, StoredClient, StoredRevocation, StoredSession
from auth_service.throttle import Throttle
from auth_service.tokens import TokenIssuer
from hepar.contracts.roles import Role
from hepar.contracts.tokens import PublicKeys
from hepar.core.errors import Forbidden, Unauthenticated
from hepar.storage.database import Database
from hepar.web.access_tokens import Principal, TokenRules, read_token, verification_keys


@dataclass(frozen=True)
class AuthDependencies:
    """Created by the app's lifespan and by the command line."""

    settings: AuthSettings
    database: Database
    hasher: PasswordHasher
    issuer: TokenIssuer
    throttle: Throttle
    audit: AuditLog
    secret_key: SecretKey
    devices: DeviceTokens

    @asynccontextmanager
    async def audited_transaction(self) -> AsyncIterator[AsyncSession]:
        """A transaction that first locks the head of the audit log, so that no two changes can deadlock."""
        async with self.database.writing() as session:
            await self.audit.lock(session)
            yield session

    def public_keys(self) -> PublicKeys:
        return PublicKeys(keys=self.issuer.keys.published())

    def principal(self, token: str) -> Principal:
        """Raises Unauthenticated for anything but a valid access token."""
        rules = TokenRules(self.issuer.issuer, self.issuer.audience)
        return read_token(token, verification_keys(self.public_keys()), rules)


@dataclass(frozen=True)
class Caller:
    """The owner of the token. account: None for a client.  origin: the network address."""

    principal: Principal
    account: StoredAccount | None
    origin: str | None

    @property
    def actor(self) -> Actor:
        return Actor(self.principal.subject, self.origin)

    @property
    def person(self) -> StoredAccount:
        """Raises Forbidden for a client."""
        if self.account is None:
            raise Forbidden("only people have an account")
        return self.account

    @property
    def session_id(self) -> str:
        """Raises Forbidden for a client."""
        if self.principal.session is None:
            raise Forbidden("only people have sessions")
        return self.principal.session


async def authenticate(dependencies: AuthDependencies, token: str, scope: str | None, origin: str | None) -> Caller:
    """Checks the database as well: a revoked token, an ended session or a deactivated account is refused at once.

    Raises Unauthenticated, and Forbidden where the token lacks `scope` or the account's role no longer includes it.
    """
    principal = dependencies.principal(token)
    async with dependencies.database.reading() as session:
        if await session.get(StoredRevocation, principal.token_id) is not None:
            raise Unauthenticated("the token was revoked")
        account = await _person_of(session, principal)
    allowed = principal.scopes
    if account is not None:
        allowed = allowed & SCOPES[role_of(account)]
    if scope is not None and scope not in allowed:
        raise Forbidden(f"the token lacks the scope `{scope}`")
    return Caller(principal, account, origin)


async def _person_of(session: AsyncSession, principal: Principal) -> StoredAccount | None:
    if principal.session is None:
        client = await session.get(StoredClient, principal.subject)
        if client is None or client.deactivated_at is not None:
            raise Unauthenticated("the client no longer exists")
        return None
    account = await session.get(StoredAccount, principal.subject)
    signed_in = await session.get(StoredSession, principal.session)
    if account is None or signed_in is None or signed_in.account_id != account.id or signed_in.ended_at is not None:
        raise Unauthenticated("the session has ended")
    if account.status != "active":
        raise Unauthenticated("the account is not active")
    return account


def role_of(account: StoredAccount) -> Role:
    return cast("Role", account.role)


async def locked_account(session: AsyncSession, account_id: str) -> StoredAccount | None:
    """The account, locked until the end of the transaction."""
    found = await session.scalars(select(StoredAccount).where(StoredAccount.id == account_id).with_for_update())
    return found.one_or_none()


async def end_sessions(session: AsyncSession, account_id: str, only: str | None = None) -> int:
    """Ends all sessions of an account, or one; returns how many were open."""
    opened = (StoredSession.account_id == account_id) & StoredSession.ended_at.is_(None)
    if only is not None:
        opened &= StoredSession.id == only
    changed = await session.execute(update(StoredSession).where(opened).values(ended_at=datetime.now(UTC)))
    return int(getattr(changed, "rowcount", 0))


async def delete_expired_rows(dependencies: AuthDependencies) -> None:
    """Deletes expired revocations, sessions that ended a day ago and old failure counts."""
    now = datetime.now(UTC)
    async with dependencies.database.writing() as session:
        await session.execute(delete(StoredRevocation).where(StoredRevocation.expires_at < now))
        over = (StoredSession.expires_at < now) | (StoredSession.ended_at < now - timedelta(days=1))
        await session.execute(delete(StoredSession).where(over))
    await dependencies.throttle.delete_expired()
