"""Operations on the caller's own account."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service.audit import Actor
from auth_service.confirmation import confirm_password, confirmed, own_account
from auth_service.dependencies import AuthDependencies, Caller, end_sessions
from auth_service.email_links import enqueue
from auth_service.tables import StoredAccount, StoredSession
from auth_service.throttle import sign_up_limits
from hepar.contracts.accounts import Confirmation, SignUp
from hepar.contracts.roles import Role
from hepar.core.errors import ClientError, Forbidden


class AddressInUse(ClientError):
    """The address belongs to an existing account."""

    status, title, slug = 409, "An account with this address exists", "address-in-use"


class SignUpClosed(Forbidden):
    """Only administrators create accounts."""

    title, slug = "Sign-up is closed", "sign-up-closed"


class LastAdministrator(ClientError):
    """The system would have no active administrator."""

    status, title, slug = 409, "This is the last administrator", "last-administrator"


async def sign_up(dependencies: AuthDependencies, form: SignUp, origin: str | None) -> StoredAccount:
    """Raises SignUpClosed, TooManyAttempts, WeakPassword and AddressInUse.

    Of parallel sign-ups with one address, one succeeds.
    """
    if dependencies.settings.signup == "closed":
        raise SignUpClosed
    await dependencies.throttle.begin(sign_up_limits(origin, dependencies.settings.signup_burst))
    status = "pending" if dependencies.settings.signup == "approval" else "active"
    actor = Actor(None, origin)
    pending = dependencies.settings.email_verification
    return await new_account(
        dependencies, form, dependencies.settings.signup_role, status, actor, email_pending=pending
    )


async def new_account(
    dependencies: AuthDependencies, form: SignUp, role: Role, status: str, actor: Actor, *, email_pending: bool = False
) -> StoredAccount:
    """email_pending: sends a link that confirms the address. Raises WeakPassword, AddressInUse."""
    password_hash = await dependencies.hasher.hash_new(form.password, [form.email, form.name], second_factor=False)
    now = datetime.now(UTC)
    account = StoredAccount(
        id=uuid.uuid4().hex,
        email=form.email.lower(),
        name=form.name,
        password_hash=password_hash,
        role=role,
        status=status,
        created_at=now,
        approved_at=now if status == "active" else None,
        email_pending=email_pending,
    )
    try:
        async with dependencies.audited_transaction() as session:
            session.add(account)
            await session.flush()
            await dependencies.audit.append(session, "signed_up", actor, account.id, role=role, status=status)
            if email_pending:
                enqueue(session, "address_verification", account.email, actor.origin)
    except IntegrityError as error:
        raise AddressInUse from error
    return account


async def change_profile(dependencies: AuthDependencies, caller: Caller, name: str) -> StoredAccount:
    async with dependencies.audited_transaction() as session:
        account = await own_account(session, caller)
        account.name = name
        await dependencies.audit.append(session, "profile_changed", caller.actor, account.id)
    return account


async def delete_account(dependencies: AuthDependencies, caller: Caller, form: Confirmation) -> None:
    """Only its id remains, in the audit log. Raises WrongPassword, WrongCode, LastAdministrator, TooManyAttempts."""
    await confirm_password(dependencies, caller, form.password)
    async with confirmed(dependencies, caller, form.code) as (session, account):
        await require_another_administrator(session, account)
        await session.delete(account)
        await dependencies.audit.append(session, "deleted", caller.actor, account.id)


async def own_sessions(dependencies: AuthDependencies, caller: Caller) -> list[StoredSession]:
    """The open sessions, newest first; at most 100."""
    async with dependencies.database.reading() as session:
        opened = (StoredSession.account_id == caller.person.id) & StoredSession.ended_at.is_(None)
        current = opened & (StoredSession.expires_at > datetime.now(UTC))
        newest = select(StoredSession).where(current).order_by(StoredSession.created_at.desc()).limit(100)
        return list((await session.scalars(newest)).all())


async def end_own_sessions(dependencies: AuthDependencies, caller: Caller, only: str | None = None) -> int:
    """Ends all of them, or one; returns how many were open."""
    async with dependencies.audited_transaction() as session:
        ended = await end_sessions(session, caller.person.id, only)
        if ended:
            await dependencies.audit.append(
                session, "sessions_ended", caller.actor, caller.person.id, sessions=str(ended)
            )
    return ended


async def require_another_administrator(session: AsyncSession, account: StoredAccount) -> None:
    """Raises LastAdministrator where `account` is the only active one."""
    if account.role != "administrator" or account.status != "active":
        return
    others = select(StoredAccount.id).where(
        StoredAccount.role == "administrator", StoredAccount.status == "active", StoredAccount.id != account.id
    )
    if not (await session.scalars(others.with_for_update())).all():
        raise LastAdministrator


async def account_of_address(session: AsyncSession, email: str) -> StoredAccount | None:
    """None where there is no such account. PostgreSQL refuses a NUL character, which no address contains."""
    if "\x00" in email:
        return None
    return (await session.scalars(select(StoredAccount).where(StoredAccount.email == email.lower()))).one_or_none()
