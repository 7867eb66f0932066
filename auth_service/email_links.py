"""Links by e-mail: a forgotten password is replaced, an address is verified, an invitation is accepted.

A request is only written down, with the same work for every address. The delivery (`email_delivery`) looks up whether
there is an account.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service.audit import Actor
from auth_service.dependencies import AuthDependencies, end_sessions, locked_account
from auth_service.email_tables import StoredEmail, StoredLink
from auth_service.tables import StoredAccount
from auth_service.throttle import TooManyAttempts
from hepar.core.errors import ClientError
from hepar.core.networks import network_of
from hepar.storage.request_counts import RateLimit, RequestCounts

LinkKind = Literal["password_reset", "address_verification", "invitation"]
_SETS_PASSWORD: tuple[LinkKind, ...] = ("password_reset", "invitation")
LIFETIMES: dict[LinkKind, timedelta] = {
    "password_reset": timedelta(minutes=30),
    "address_verification": timedelta(days=1),
    "invitation": timedelta(days=7),
}
WINDOW_S = 3600
_PER_ADDRESS, _PER_NETWORK, _USES_PER_LINK = 3, 30, 10


class EmailNotOffered(ClientError):
    """This server does not send such links."""

    status, title, slug = 404, "This server does not send such links", "email-not-offered"


class InvalidLink(ClientError):
    """The link is unknown, was used before, has expired, or the password was changed since."""

    status, title, slug = 403, "The link is not valid", "invalid-link"


def offered_links(dependencies: AuthDependencies) -> frozenset[LinkKind]:
    """The links that this server sends."""
    settings = dependencies.settings
    offered: dict[LinkKind, bool] = {
        "password_reset": bool(settings.smtp_host),
        "address_verification": settings.email_verification,
        "invitation": bool(settings.smtp_host),
    }
    return frozenset(kind for kind, is_offered in offered.items() if is_offered)


async def request_link(dependencies: AuthDependencies, kind: LinkKind, address: str, origin: str | None) -> None:
    """The same for known and unknown addresses. Raises EmailNotOffered, TooManyAttempts."""
    require_offered(dependencies, kind)
    digest = hashlib.sha256(address.lower().encode()).hexdigest()
    limits = [
        RateLimit(f"{kind} network {network_of(origin)}", _PER_NETWORK, WINDOW_S),
        RateLimit(f"{kind} address {digest}", _PER_ADDRESS, WINDOW_S),
    ]
    await _count(dependencies, limits)
    async with dependencies.database.writing() as session:
        enqueue(session, kind, address, origin)


def enqueue(session: AsyncSession, kind: LinkKind, address: str, origin: str | None) -> None:
    now = datetime.now(UTC)
    session.add(StoredEmail(id=uuid.uuid4().hex, kind=kind, address=address, origin=origin, attempts=0, due_at=now))


def new_link(session: AsyncSession, kind: LinkKind, account: StoredAccount) -> str:
    """The token of a new link, which is stored as a hash only."""
    token = secrets.token_urlsafe(32)
    session.add(
        StoredLink(
            hash=token_hash(token),
            account_id=account.id,
            kind=kind,
            account_state=_state_of(account),
            expires_at=datetime.now(UTC) + LIFETIMES[kind],
        )
    )
    return token


async def reset_password(dependencies: AuthDependencies, token: str, password: str, origin: str | None) -> None:
    """With a link of either kind. Sets the password and ends all sessions and other links. A second factor stays, and
    its code is still required.

    A weak password does not use up the link. Raises EmailNotOffered, InvalidLink, TooManyAttempts, WeakPassword.
    """
    require_offered(dependencies, "password_reset")
    async with dependencies.database.reading() as session:
        found = await _account_of(session, _SETS_PASSWORD, token)
    # Estimating the strength of a password costs time, and a link stays valid when its password is refused.
    await _count(dependencies, [RateLimit(f"use of link {token_hash(token)}", _USES_PER_LINK, WINDOW_S)])
    stored = await dependencies.hasher.hash_new(
        password,
        [found.email, found.name],
        second_factor=found.totp_confirmed_at is not None,
        pointer="/new_password",
    )
    async with dependencies.audited_transaction() as session:
        account = await _use(session, _SETS_PASSWORD, token)
        account.password_hash = stored
        account.email_pending = False
        await session.execute(delete(StoredLink).where(StoredLink.account_id == account.id))
        await end_sessions(session, account.id)
        await dependencies.audit.append(session, "password_reset", Actor(None, origin), account.id)


async def verify_address(dependencies: AuthDependencies, token: str, origin: str | None) -> None:
    """Raises EmailNotOffered, InvalidLink."""
    require_offered(dependencies, "address_verification")
    async with dependencies.audited_transaction() as session:
        account = await _use(session, ("address_verification",), token)
        account.email_pending = False
        await dependencies.audit.append(session, "address_verified", Actor(None, origin), account.id)


async def delete_expired_links(dependencies: AuthDependencies) -> None:
    async with dependencies.database.writing() as session:
        await session.execute(delete(StoredLink).where(StoredLink.expires_at < datetime.now(UTC)))
    await RequestCounts(dependencies.database).delete_expired(WINDOW_S)


def require_offered(dependencies: AuthDependencies, kind: LinkKind) -> None:
    """Raises EmailNotOffered."""
    if kind not in offered_links(dependencies):
        raise EmailNotOffered


async def _count(dependencies: AuthDependencies, limits: list[RateLimit]) -> None:
    """Raises TooManyAttempts."""
    for usage in await RequestCounts(dependencies.database).hit(limits):
        if not usage.allowed:
            raise TooManyAttempts(usage.retry_after_s)


async def _account_of(session: AsyncSession, kinds: Sequence[LinkKind], token: str) -> StoredAccount:
    """Raises InvalidLink."""
    link = await session.get(StoredLink, token_hash(token))
    account = await session.get(StoredAccount, link.account_id) if link else None
    if link is None or account is None or not _valid(link, kinds, account):
        raise InvalidLink
    return account


async def _use(session: AsyncSession, kinds: Sequence[LinkKind], token: str) -> StoredAccount:
    """The locked account. The lock decides between parallel uses. Raises InvalidLink."""
    link = await session.get(StoredLink, token_hash(token))
    account = await locked_account(session, link.account_id) if link else None
    if link is None or account is None or not _valid(link, kinds, account):
        raise InvalidLink
    deleted = await session.execute(delete(StoredLink).where(StoredLink.hash == link.hash))
    if getattr(deleted, "rowcount", 0) != 1:
        raise InvalidLink
    return account


def _valid(link: StoredLink, kinds: Sequence[LinkKind], account: StoredAccount) -> bool:
    fresh = link.kind in kinds and link.expires_at > datetime.now(UTC) and link.account_state == _state_of(account)
    return fresh and account.status != "deactivated"


def _state_of(account: StoredAccount) -> str:
    return hashlib.sha256(account.password_hash.encode()).hexdigest()


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
