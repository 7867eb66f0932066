"""Sign-in: the password and client credentials grants."""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service.accounts import account_of_address
from auth_service.audit import Actor
from auth_service.confirmation import WrongCode, use_second_factor
from auth_service.dependencies import AuthDependencies, locked_account, role_of
from auth_service.passwords import Check
from auth_service.refresh_tokens import new_refresh_token, token_answer, token_hash
from auth_service.roles import SCOPES, granted
from auth_service.tables import (
    StoredAccount,
    StoredClient,
    StoredClientSecret,
    StoredSession,
)
from auth_service.throttle import Limit, client_limits, sign_in_limits
from hepar.contracts.tokens import STUDY_WORKER, AccessToken
from hepar.core.errors import ClientError
from hepar.web.bearer import SLICES_SCOPE


class WrongCredentials(ClientError):
    """The same error for an unknown address and for a wrong password."""

    status, title, slug = 400, "The address or the password is wrong", "wrong-credentials"
    oauth_error = "invalid_grant"


class SecondFactorRequired(ClientError):
    """The password was right; a code of the second factor is required as well."""

    status, title, slug = 400, "Send the code of your second factor as `otp`", "second-factor-required"
    oauth_error = "invalid_grant"


class WrongOtp(ClientError):
    """The password was right, but not the code of the second factor."""

    status, title, slug = 400, "The code is wrong or was used before", "wrong-otp"
    oauth_error = "invalid_grant"


class AccountNotActive(ClientError):
    """The password was right, but the account waits for approval or was deactivated."""

    status, title, slug = 400, "The account is not active", "account-not-active"
    oauth_error = "invalid_grant"


class AddressNotVerified(AccountNotActive):
    """The password was right, but no link has confirmed the address yet."""

    title, slug = "The e-mail address is not verified", "address-not-verified"


class WrongClient(ClientError):
    """The same error for an unknown client and for a wrong secret."""

    status, title, slug = 401, "The client or its secret is wrong", "wrong-client"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Basic"}
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

    Raises TooManyAttempts, WrongCredentials, AccountNotActive, AddressNotVerified, SecondFactorRequired, WrongOtp.
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
    if dependencies.settings.email_verification and found.email_pending:
        await _refused(dependencies, found.id, "address not verified", grant.origin)
        raise AddressNotVerified
    if found.totp_confirmed_at is not None and not grant.code:
        await dependencies.throttle.withdraw(limits)
        await _refused(dependencies, found.id, "code required", grant.origin)
        raise SecondFactorRequired
    try:
        return await _open_session(dependencies, grant, found, check, limits, device)
    except WrongCode as error:
        await _refused(dependencies, found.id, "wrong code", grant.origin)
        raise WrongOtp from error


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
        account.last_sign_in_at = opened.created_at
        await session.flush()
        refresh_token = new_refresh_token(session, opened)
        await dependencies.audit.append(session, "signed_in", actor, account.id, session_id=opened.id)
    answer = token_answer(dependencies, account, scope, opened.id, refresh_token)
    return answer.model_copy(update={"device": device or dependencies.devices.issue(account.id)})


async def by_client(
    dependencies: AuthDependencies, client_id: str, secret: str, requested: str | None, origin: str | None
) -> AccessToken:
    """RFC 6749, section 4.4. Raises TooManyAttempts, WrongClient."""
    found = await _rights_of(dependencies, client_id, secret)
    if found is None:
        await dependencies.throttle.begin(client_limits(origin))
        await _refused(dependencies, None, "wrong client", origin)
        raise WrongClient
    scope = granted(found.scopes, requested)
    async with dependencies.audited_transaction() as session:
        await dependencies.audit.append(session, "signed_in", Actor(client_id, origin), client_id)
    access_token = dependencies.issuer.issue(client_id, scope, group=found.group)
    return AccessToken(access_token=access_token, expires_in=dependencies.issuer.lifetime_s, scope=scope)


@dataclass(frozen=True)
class _Rights:
    """What a client's tokens may have."""

    scopes: frozenset[str]
    group: str | None = None


async def _rights_of(dependencies: AuthDependencies, client_id: str, secret: str) -> _Rights | None:
    """None where the secret is not the client's."""
    if client_id == STUDY_WORKER:
        expected = dependencies.settings.study_worker_secret
        same = expected and hmac.compare_digest(expected.get_secret_value().encode(), secret.encode())
        return _Rights(frozenset({SLICES_SCOPE})) if same else None
    async with dependencies.database.reading() as session:
        client = await _client_of(session, client_id, secret)
    return _Rights(frozenset(client.scope.split()), client.group_name) if client else None


async def _client_of(session: AsyncSession, client_id: str, secret: str) -> StoredClient | None:
    """The active client that the secret belongs to. PostgreSQL refuses a NUL character, which no id contains."""
    if "\x00" in client_id:
        return None
    known = (StoredClientSecret.hash == token_hash(secret)) & (StoredClientSecret.client_id == client_id)
    current = StoredClientSecret.expires_at.is_(None) | (StoredClientSecret.expires_at > datetime.now(UTC))
    found = (await session.scalars(select(StoredClientSecret).where(known & current))).one_or_none()
    client = await session.get(StoredClient, client_id) if found else None
    return client if client is not None and client.deactivated_at is None else None


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
