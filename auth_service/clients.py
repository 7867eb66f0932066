"""Clients: hospital systems that sign in with a secret.

Secrets are shown once and stored as hashes. After a new one is created, the older ones stay valid for a limited time.
Each change raises WrongPassword, WrongCode or TooManyAttempts where its confirmation is refused.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service.confirmation import confirm_password, confirmed
from auth_service.dependencies import AuthDependencies, Caller
from auth_service.tables import StoredClient, StoredClientSecret
from hepar.contracts.accounts import ClientRegistration, Confirmation
from hepar.core.errors import ClientError
from hepar.storage.paging import PageRequest, paged

SECRETS_MAX = 5


class NoSuchClient(ClientError):
    """There is no active client, or no secret of it, with this id."""

    status, title, slug = 404, "There is no such client", "no-such-client"


class TooManySecrets(ClientError):
    """A secret that is no longer used must be removed first."""

    status, title, slug = 409, "The client has too many secrets", "too-many-secrets"


@dataclass(frozen=True)
class ClientRecord:
    """fresh: id and plain text of the secret that was just created; it is shown this once."""

    client: StoredClient
    secrets: list[StoredClientSecret]
    fresh: tuple[str, str] | None = None


async def register(dependencies: AuthDependencies, caller: Caller, form: ClientRegistration) -> ClientRecord:
    client = StoredClient(
        id=uuid.uuid4().hex,
        name=form.name,
        scope=" ".join(sorted(set(form.scopes))),
        created_at=datetime.now(UTC),
        group_name=form.group,
    )
    await confirm_password(dependencies, caller, form.password)
    async with confirmed(dependencies, caller, form.code) as (session, _):
        session.add(client)
        await session.flush()
        secret, stored = _fresh_secret(session, client.id)
        await dependencies.audit.append(session, "client_registered", caller.actor, client.id)
    return ClientRecord(client, [stored], (stored.id, secret))


async def clients(dependencies: AuthDependencies, page: PageRequest) -> tuple[list[ClientRecord], str | None]:
    """Oldest first."""
    async with dependencies.database.reading() as session:
        found, following = await paged(session, StoredClient, page)
        return [ClientRecord(client, await _secrets_of(session, client.id)) for client in found], following


async def add_secret(
    dependencies: AuthDependencies, caller: Caller, client_id: str, form: Confirmation
) -> ClientRecord:
    """The other secrets stay valid for `secret_overlap_s` seconds. Raises NoSuchClient, TooManySecrets."""
    now = datetime.now(UTC)
    await confirm_password(dependencies, caller, form.password)
    async with confirmed(dependencies, caller, form.code) as (session, _):
        client = await _active(session, client_id)
        current = [
            row for row in await _secrets_of(session, client_id) if row.expires_at is None or row.expires_at > now
        ]
        if len(current) >= SECRETS_MAX:
            raise TooManySecrets
        until = now + timedelta(seconds=dependencies.settings.secret_overlap_s)
        for row in current:
            row.expires_at = until if row.expires_at is None else min(row.expires_at, until)
        secret, stored = _fresh_secret(session, client_id)
        await dependencies.audit.append(session, "client_secret_added", caller.actor, client_id, secret=stored.id)
        await session.flush()
        every = await _secrets_of(session, client_id)
    return ClientRecord(client, every, (stored.id, secret))


async def remove_secret(
    dependencies: AuthDependencies, caller: Caller, client_id: str, secret_id: str, form: Confirmation
) -> None:
    """The secret is invalid immediately. Raises NoSuchClient."""
    await confirm_password(dependencies, caller, form.password)
    async with confirmed(dependencies, caller, form.code) as (session, _):
        found = await session.get(StoredClientSecret, secret_id)
        if found is None or found.client_id != client_id:
            raise NoSuchClient
        await session.delete(found)
        await dependencies.audit.append(session, "client_secret_removed", caller.actor, client_id, secret=secret_id)


async def deactivate(dependencies: AuthDependencies, caller: Caller, client_id: str, form: Confirmation) -> None:
    """Its tokens become invalid as well. Raises NoSuchClient."""
    await confirm_password(dependencies, caller, form.password)
    async with confirmed(dependencies, caller, form.code) as (session, _):
        one = (StoredClient.id == client_id) & StoredClient.deactivated_at.is_(None)
        changed = await session.execute(update(StoredClient).where(one).values(deactivated_at=datetime.now(UTC)))
        if getattr(changed, "rowcount", 0) != 1:
            raise NoSuchClient
        await dependencies.audit.append(session, "client_deactivated", caller.actor, client_id)


async def _active(session: AsyncSession, client_id: str) -> StoredClient:
    client = await session.get(StoredClient, client_id)
    if client is None or client.deactivated_at is not None:
        raise NoSuchClient
    return client


async def _secrets_of(session: AsyncSession, client_id: str) -> list[StoredClientSecret]:
    own = select(StoredClientSecret).where(StoredClientSecret.client_id == client_id)
    return list((await session.scalars(own.order_by(StoredClientSecret.created_at))).all())


def _fresh_secret(session: AsyncSession, client_id: str) -> tuple[str, StoredClientSecret]:
    secret = secrets.token_urlsafe(32)
    stored = StoredClientSecret(
        id=uuid.uuid4().hex,
        client_id=client_id,
        hash=hashlib.sha256(secret.encode()).hexdigest(),
        created_at=datetime.now(UTC),
    )
    session.add(stored)
    return secret, stored
