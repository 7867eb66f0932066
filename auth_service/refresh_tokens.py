"""Refresh tokens: rotation, detection of stolen ones, and revocation."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service.audit import Actor
from auth_service.dependencies import AuthDependencies, end_sessions, locked_account, role_of
from auth_service.roles import SCOPES, granted
from auth_service.tables import StoredAccount, StoredRefreshToken, StoredRevocation, StoredSession
from hepar.contracts.tokens import AccessToken
from hepar.core.errors import ClientError, Unauthenticated

_SUCCESSORS_MAX = 4


class InvalidGrant(ClientError):
    """A refresh token that is unknown, was used before, or whose session has ended."""

    status, title, slug = 400, "The refresh token is not valid", "invalid-grant"
    oauth_error = "invalid_grant"


async def by_refresh_token(
    dependencies: AuthDependencies, token: str, requested: str | None, origin: str | None
) -> AccessToken:
    """RFC 6749, section 6, with rotation (RFC 9700, section 4.14): a token that is used twice ends its whole family.

    Parallel requests of one client are not told apart from a copied token: within `refresh_grace_s` a second use gives
    another successor. Only one of the successors can be used, so that a copied token still ends the family.
    Raises InvalidGrant.
    """
    now, digest = datetime.now(UTC), token_hash(token)
    answer: AccessToken | None = None
    async with dependencies.audited_transaction() as session:
        stored = await session.get(StoredRefreshToken, digest)
        opened = await session.get(StoredSession, stored.session_id) if stored else None
        account = await locked_account(session, opened.account_id) if opened else None
        if stored is not None and opened is not None and account is not None:
            if not await _may_be_used(session, stored, now, timedelta(seconds=dependencies.settings.refresh_grace_s)):
                await _end_family(dependencies, session, opened, origin)
            elif _is_open(dependencies, opened, account, now):
                opened.last_used_at = now
                scope = granted(SCOPES[role_of(account)] & frozenset(opened.scope.split()), requested)
                successor = new_refresh_token(session, opened, digest)
                answer = token_answer(dependencies, account, scope, opened.id, successor)
    if answer is None:
        raise InvalidGrant
    return answer


async def _may_be_used(session: AsyncSession, stored: StoredRefreshToken, now: datetime, grace: timedelta) -> bool:
    """One UPDATE decides between parallel callers which of them is the first."""
    unused = (StoredRefreshToken.hash == stored.hash) & StoredRefreshToken.used_at.is_(None)
    used_before = stored.used_at
    taken = await session.execute(update(StoredRefreshToken).where(unused).values(used_at=now))
    if getattr(taken, "rowcount", 0) == 1:
        siblings = await _successors(session, stored.parent) if stored.parent is not None else []
        return all(sibling.hash == stored.hash or sibling.used_at is None for sibling in siblings)
    successors = await _successors(session, stored.hash)
    in_time = used_before is not None and now - used_before <= grace
    return in_time and len(successors) < _SUCCESSORS_MAX and all(other.used_at is None for other in successors)


async def _successors(session: AsyncSession, digest: str) -> list[StoredRefreshToken]:
    return list((await session.scalars(select(StoredRefreshToken).where(StoredRefreshToken.parent == digest))).all())


async def _end_family(
    dependencies: AuthDependencies, session: AsyncSession, opened: StoredSession, origin: str | None
) -> None:
    if await end_sessions(session, opened.account_id, opened.id):
        actor = Actor(None, origin)
        await dependencies.audit.append(session, "refresh_token_reused", actor, opened.account_id, session_id=opened.id)


def _is_open(dependencies: AuthDependencies, opened: StoredSession, account: StoredAccount, now: datetime) -> bool:
    idle = now - opened.last_used_at > timedelta(seconds=dependencies.settings.session_idle_s)
    return opened.ended_at is None and opened.expires_at > now and not idle and account.status == "active"


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
        stored = await session.get(StoredRefreshToken, token_hash(token))
        opened = await session.get(StoredSession, stored.session_id) if stored else None
        if opened is not None and await end_sessions(session, opened.account_id, opened.id):
            actor = Actor(opened.account_id, origin)
            await dependencies.audit.append(session, "signed_out", actor, opened.account_id, session_id=opened.id)


def new_refresh_token(session: AsyncSession, opened: StoredSession, parent: str | None = None) -> str:
    """parent: the hash of the token that it replaces; None for the first of a session."""
    token = secrets.token_urlsafe(32)
    stored = StoredRefreshToken(
        hash=token_hash(token), session_id=opened.id, created_at=datetime.now(UTC), parent=parent
    )
    session.add(stored)
    return token


def token_answer(
    dependencies: AuthDependencies, account: StoredAccount, scope: str, session: str, refresh_token: str
) -> AccessToken:
    return AccessToken(
        access_token=dependencies.issuer.issue(account.id, scope, session, account.group_name),
        expires_in=dependencies.issuer.lifetime_s,
        scope=scope,
        refresh_token=refresh_token,
    )


def token_hash(token: str) -> str:
    """Of 256 random bits: a plain SHA-256 cannot be searched."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
