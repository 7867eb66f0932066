"""The token endpoint: the password, refresh token and client credentials grants, and revocation."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service.accounts import account_of_address
from auth_service.audit import Actor
from auth_service.confirmation import WrongCode, use_second_factor
from auth_service.dependencies import AuthDependencies, end_sessions, locked_account, role_of
from auth_service.passwords import Check
from auth_service.roles import SCOPES, granted
from auth_service.tables import (
    StoredAccount,
    StoredClient,
    StoredClientSecret,
    StoredRefreshToken,
    StoredRevocation,
    StoredSession,
)
from auth_service.throttle import Limit, client_limits, sign_in_limits
from hepar.contracts.tokens import AccessToken
from hepar.core.errors import Forbidden, Unauthenticated


class WrongCredentials(Unauthenticated):
    """The same error for an unknown address and for a wrong password."""

    title, slug = "The address or the password is wrong", "wrong-credentials"
    oauth_error = "invalid_grant"


class SecondFactorRequired(Unauthenticated):
    """The password was right; a code of the second factor is required as well."""

    title, slug = "Send the code of your second factor as `otp`", "second-factor-required"
    oauth_error = "invalid_grant"


class AccountNotActive(Forbidden):
    """The password was right, but the account waits for approval or was deactivated."""

    title, slug = "The account is not active", "account-not-active"
    oauth_error = "invalid_grant"


class InvalidGrant(Unauthenticated):
    """A refresh token that is unknown, was used before, or whose session has ended."""

    title, slug = "The refresh token is not valid", "invalid-grant"
    oauth_error = "invalid_grant"


class WrongClient(Unauthenticated):
    """The same error for an unknown client and for a wrong secret."""

    title, slug = "The client or its secret is wrong", "wrong-client"
    oauth_error = "invalid_client"


@dataclass(frozen=True)
class PasswordGrant:
    """code: of the second factor.  scope: what is asked for.  devices: device tokens, separated by spaces."""

    email: str
    password: str
    code: str | None
    scope: str | None
    devices: str | None
    origin: str | None


async def by_password(dependencies: AuthDependencies, grant: PasswordGrant) -> AccessToken:
    """RFC 6749, section 4.3. Every refusal takes the same work and is counted, whichever of the two is wrong.

    Raises TooManyAttempts, WrongCredentials, AccountNotActive, SecondFactorRequired, WrongCode.
    """
    async with dependencies.database.reading() as session:
        found = await account_of_address(session, grant.email)
    device = dependencies.devices.find(grant.devices, found.id) if found else None
    limits = sign_in_limits(grant.email, grant.origin, device)
    await dependencies.throttle.begin(limits)
    check = await dependencies.hasher.check(grant.password, found.password_hash if found else None)
    if found is None or not check.matches:
        reason = "wrong password" if found else "unknown address"
        await _refused(dependencies, found.id if found else None, reason, grant.origin)
        raise WrongCredentials
    if found.status != "active":
        await _refused(dependencies, found.id, found.status, grant.origin)
        raise AccountNotActive(f"the account is {found.status}")
    if found.totp_confirmed_at is not None and not grant.code:
        await dependencies.throttle.withdraw(limits)
        await _refused(dependencies, found.id, "code required", grant.origin)
        raise SecondFactorRequired
    try:
        return await _open_session(dependencies, grant, found, check, limits, device)
    except WrongCode:
        await _refused(dependencies, found.id, "wrong code", grant.origin)
        raise


async def _open_session(
    dependencies: AuthDependencies,
    grant: PasswordGrant,
    found: StoredAccount,
    check: Check,
    limits: list[Limit],
    device: str | None,
) -> AccessToken:
    """After the right password. found: as it was when the password was checked.  Raises WrongCredentials, WrongCode."""
    actor = Actor(found.id, grant.origin)
    async with dependencies.audited_transaction() as session:
        account = await locked_account(session, found.id)
        if account is None or account.status != "active" or account.password_hash != found.password_hash:
            raise WrongCredentials
        if account.totp_confirmed_at is not None:
            await use_second_factor(dependencies, session, account, grant.code or "", actor)
        if check.rehashed is not None:
            account.password_hash = check.rehashed
        await dependencies.throttle.succeeded(session, limits)
        scope = granted(SCOPES[role_of(account)], grant.scope)
        opened = _new_session(dependencies, account, scope)
        session.add(opened)
        await session.flush()
        refresh_token = _new_refresh_token(session, opened)
        await dependencies.audit.append(session, "signed_in", actor, account.id, session_id=opened.id)
    answer = _answer(dependencies, account.id, scope, opened.id, refresh_token)
    return answer.model_copy(update={"device": device or dependencies.devices.issue(account.id)})


async def by_refresh_token(
    dependencies: AuthDependencies, token: str, asked: str | None, origin: str | None
) -> AccessToken:
    """RFC 6749, section 6, with rotation (RFC 9700, section 4.14): a token that is used twice ends its whole family.

    Raises InvalidGrant.
    """
    now = datetime.now(UTC)
    grant: tuple[str, str, str, str] | None = None
    async with dependencies.audited_transaction() as session:
        family = await _family_of(session, _hash(token))
        if family is not None:
            opened, account = family
            if not await _first_use(session, _hash(token), now):
                await _end_family(dependencies, session, opened, origin)
            elif _counts(dependencies, opened, account, now):
                opened.last_used_at = now
                scope = granted(SCOPES[role_of(account)] & frozenset(opened.scope.split()), asked)
                grant = (account.id, scope, opened.id, _new_refresh_token(session, opened))
    if grant is None:
        raise InvalidGrant
    return _answer(dependencies, *grant)


async def _family_of(session: AsyncSession, digest: str) -> tuple[StoredSession, StoredAccount] | None:
    stored = await session.get(StoredRefreshToken, digest)
    opened = await session.get(StoredSession, stored.session_id) if stored else None
    account = await locked_account(session, opened.account_id) if opened else None
    return (opened, account) if opened is not None and account is not None else None


async def _first_use(session: AsyncSession, digest: str, now: datetime) -> bool:
    """One UPDATE decides between parallel callers."""
    unused = (StoredRefreshToken.hash == digest) & StoredRefreshToken.used_at.is_(None)
    taken = await session.execute(update(StoredRefreshToken).where(unused).values(used_at=now))
    return getattr(taken, "rowcount", 0) == 1


async def _end_family(
    dependencies: AuthDependencies, session: AsyncSession, opened: StoredSession, origin: str | None
) -> None:
    if await end_sessions(session, opened.account_id, opened.id):
        actor = Actor(None, origin)
        await dependencies.audit.append(session, "refresh_token_reused", actor, opened.account_id, session_id=opened.id)


async def by_client(
    dependencies: AuthDependencies, client_id: str, secret: str, asked: str | None, origin: str | None
) -> AccessToken:
    """RFC 6749, section 4.4. Raises TooManyAttempts, WrongClient."""
    async with dependencies.database.reading() as session:
        client = await _client_of(session, client_id, secret)
    if client is None:
        await dependencies.throttle.begin(client_limits(origin))
        await _refused(dependencies, None, "wrong client", origin)
        raise WrongClient
    scope = granted(frozenset(client.scope.split()), asked)
    async with dependencies.audited_transaction() as session:
        await dependencies.audit.append(session, "signed_in", Actor(client_id, origin), client_id)
    access_token = dependencies.issuer.issue(client_id, scope)
    return AccessToken(access_token=access_token, expires_in=dependencies.issuer.lifetime_s, scope=scope)


async def _client_of(session: AsyncSession, client_id: str, secret: str) -> StoredClient | None:
    """The active client that the secret belongs to. PostgreSQL refuses a NUL character, which no id contains."""
    if "\x00" in client_id:
        return None
    known = (StoredClientSecret.hash == _hash(secret)) & (StoredClientSecret.client_id == client_id)
    current = StoredClientSecret.expires_at.is_(None) | (StoredClientSecret.expires_at > datetime.now(UTC))
    found = (await session.scalars(select(StoredClientSecret).where(known & current))).one_or_none()
    client = await session.get(StoredClient, client_id) if found else None
    return client if client is not None and client.deactivated_at is None else None


async def revoke(dependencies: AuthDependencies, token: str, origin: str | None) -> None:
    """RFC 7009: a refresh token ends its session, an access token becomes invalid; anything else is ignored."""
    try:
        principal = dependencies.principal(token)
    except Unauthenticated:
        await _revoke_refresh_token(dependencies, token, origin)
        return
    revocation = StoredRevocation(
        token_id=principal.token_id[:64], expires_at=datetime.fromtimestamp(principal.expires_at + 60, UTC)
    )
    try:
        async with dependencies.audited_transaction() as session:
            session.add(revocation)
            await session.flush()
            actor = Actor(principal.subject, origin)
            await dependencies.audit.append(session, "token_revoked", actor, principal.subject)
    except IntegrityError:
        return  # already revoked


async def _revoke_refresh_token(dependencies: AuthDependencies, token: str, origin: str | None) -> None:
    async with dependencies.audited_transaction() as session:
        stored = await session.get(StoredRefreshToken, _hash(token))
        opened = await session.get(StoredSession, stored.session_id) if stored else None
        if opened is not None and await end_sessions(session, opened.account_id, opened.id):
            actor = Actor(opened.account_id, origin)
            await dependencies.audit.append(session, "signed_out", actor, opened.account_id, session_id=opened.id)


async def _refused(dependencies: AuthDependencies, subject: str | None, reason: str, origin: str | None) -> None:
    async with dependencies.audited_transaction() as session:
        await dependencies.audit.append(session, "sign_in_refused", Actor(None, origin), subject, reason=reason)


def _new_session(dependencies: AuthDependencies, account: StoredAccount, scope: str) -> StoredSession:
    now = datetime.now(UTC)
    return StoredSession(
        id=uuid.uuid4().hex,
        account_id=account.id,
        scope=scope,
        created_at=now,
        last_used_at=now,
        expires_at=now + timedelta(seconds=dependencies.settings.session_s),
    )


def _new_refresh_token(session: AsyncSession, opened: StoredSession) -> str:
    token = secrets.token_urlsafe(32)
    session.add(StoredRefreshToken(hash=_hash(token), session_id=opened.id, created_at=datetime.now(UTC)))
    return token


def _counts(dependencies: AuthDependencies, opened: StoredSession, account: StoredAccount, now: datetime) -> bool:
    idle = now - opened.last_used_at > timedelta(seconds=dependencies.settings.session_idle_s)
    return opened.ended_at is None and opened.expires_at > now and not idle and account.status == "active"


def _answer(dependencies: AuthDependencies, subject: str, scope: str, session: str, refresh_token: str) -> AccessToken:
    return AccessToken(
        access_token=dependencies.issuer.issue(subject, scope, session),
        expires_in=dependencies.issuer.lifetime_s,
        scope=scope,
        refresh_token=refresh_token,
    )


def _hash(token: str) -> str:
    """Of 256 random bits: a plain SHA-256 cannot be searched."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
