"""Operations of administrators on other accounts.

What gives rights or cannot be undone asks for the administrator's password and code: a role, a group, the reset of a
second factor, a deletion. Approving, deactivating and reactivating give no more than the account had and can be undone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service.accounts import require_another_administrator
from auth_service.confirmation import confirm_password, confirmed
from auth_service.credentials import NoSecondFactor, clear_second_factor
from auth_service.dependencies import AuthDependencies, Caller, end_sessions, locked_account
from auth_service.tables import StoredAccount, StoredAuditEntry
from hepar.contracts.accounts import AccountStatus, Confirmation, GroupChange, RoleChange
from hepar.contracts.roles import Role
from hepar.core.errors import ClientError
from hepar.storage.paging import PageRequest, paged

SIGN_IN_EVENTS = ("signed_in", "sign_in_refused", "signed_out", "refresh_token_reused", "confirmation_refused")


class NoSuchAccount(ClientError):
    """There is no account with this id."""

    status, title, slug = 404, "There is no such account", "no-such-account"


class NotPending(ClientError):
    """Only a pending account can be approved."""

    status, title, slug = 409, "The account does not wait for approval", "not-pending"


@dataclass(frozen=True)
class AccountFilter:
    """search: part of an address or a name, whatever its case."""

    status: AccountStatus | None = None
    role: Role | None = None
    group: str | None = None
    search: str | None = None


async def accounts(
    dependencies: AuthDependencies, page: PageRequest, chosen: AccountFilter
) -> tuple[list[StoredAccount], str | None]:
    """Oldest first."""
    wanted = select(StoredAccount)
    if chosen.status is not None:
        wanted = wanted.where(StoredAccount.status == chosen.status)
    if chosen.role is not None:
        wanted = wanted.where(StoredAccount.role == chosen.role)
    if chosen.group is not None:
        wanted = wanted.where(StoredAccount.group_name == chosen.group)
    if chosen.search is not None:
        columns = (StoredAccount.email, StoredAccount.name)
        wanted = wanted.where(or_(*(column.icontains(chosen.search, autoescape=True) for column in columns)))
    async with dependencies.database.reading() as session:
        return await paged(session, StoredAccount, page, wanted)


async def account(dependencies: AuthDependencies, account_id: str) -> StoredAccount:
    """Raises NoSuchAccount."""
    async with dependencies.database.reading() as session:
        found = await session.get(StoredAccount, account_id)
    if found is None:
        raise NoSuchAccount
    return found


async def approve(dependencies: AuthDependencies, caller: Caller, account_id: str) -> StoredAccount:
    """Raises NoSuchAccount, NotPending."""
    async with dependencies.audited_transaction() as session:
        found = await _locked(session, account_id)
        if found.status != "pending":
            raise NotPending
        found.status, found.approved_at = "active", datetime.now(UTC)
        await dependencies.audit.append(session, "approved", caller.actor, account_id)
    return found


async def change_role(
    dependencies: AuthDependencies, caller: Caller, account_id: str, form: RoleChange
) -> StoredAccount:
    """Tokens of its open sessions are limited to the new role's scopes.

    Raises WrongPassword, WrongCode, TooManyAttempts, NoSuchAccount, LastAdministrator.
    """
    await confirm_password(dependencies, caller, form.password)
    async with confirmed(dependencies, caller, form.code) as (session, _administrator):
        found = await _locked(session, account_id)
        if found.role != form.role:
            await require_another_administrator(session, found)
            before, found.role = found.role, form.role
            await dependencies.audit.append(
                session, "role_changed", caller.actor, account_id, before=before, after=form.role
            )
    return found


async def change_group(
    dependencies: AuthDependencies, caller: Caller, account_id: str, form: GroupChange
) -> StoredAccount:
    """Of the tokens that are issued from now on. Raises WrongPassword, WrongCode, TooManyAttempts, NoSuchAccount."""
    await confirm_password(dependencies, caller, form.password)
    async with confirmed(dependencies, caller, form.code) as (session, _administrator):
        found = await _locked(session, account_id)
        if found.group_name != form.group:
            details = {"before": found.group_name or "", "after": form.group or ""}
            found.group_name = form.group
            await dependencies.audit.append(session, "group_changed", caller.actor, account_id, **details)
    return found


async def deactivate(dependencies: AuthDependencies, caller: Caller, account_id: str) -> StoredAccount:
    """Ends its sessions. Idempotent. Raises NoSuchAccount, LastAdministrator."""
    async with dependencies.audited_transaction() as session:
        found = await _locked(session, account_id)
        if found.status != "deactivated":
            await require_another_administrator(session, found)
            found.status = "deactivated"
            await end_sessions(session, account_id)
            await dependencies.audit.append(session, "deactivated", caller.actor, account_id)
    return found


async def reactivate(dependencies: AuthDependencies, caller: Caller, account_id: str) -> StoredAccount:
    """An account that was never approved waits for approval again. Raises NoSuchAccount."""
    async with dependencies.audited_transaction() as session:
        found = await _locked(session, account_id)
        if found.status == "deactivated":
            found.status = "active" if found.approved_at is not None else "pending"
            await dependencies.audit.append(session, "reactivated", caller.actor, account_id)
    return found


async def reset_second_factor(
    dependencies: AuthDependencies, caller: Caller, account_id: str, form: Confirmation
) -> StoredAccount:
    """For an owner who lost the authenticator and the recovery codes; ends the account's sessions.

    form: confirms the administrator, not the owner.  Raises WrongPassword, WrongCode, TooManyAttempts, NoSuchAccount,
    NoSecondFactor.
    """
    await confirm_password(dependencies, caller, form.password)
    async with confirmed(dependencies, caller, form.code) as (session, _administrator):
        found = await _locked(session, account_id)
        if found.totp_secret is None:
            raise NoSecondFactor
        await clear_second_factor(session, found)
        await end_sessions(session, account_id)
        await dependencies.audit.append(session, "second_factor_reset", caller.actor, account_id)
    return found


async def delete(dependencies: AuthDependencies, caller: Caller, account_id: str, form: Confirmation) -> None:
    """Only its id remains, in the audit log.

    Raises WrongPassword, WrongCode, TooManyAttempts, NoSuchAccount, LastAdministrator.
    """
    await confirm_password(dependencies, caller, form.password)
    async with confirmed(dependencies, caller, form.code) as (session, _administrator):
        found = await _locked(session, account_id)
        await require_another_administrator(session, found)
        await session.delete(found)
        await dependencies.audit.append(session, "deleted", caller.actor, account_id)


async def sign_ins(
    dependencies: AuthDependencies, account_id: str, limit: int, after: int | None
) -> list[StoredAuditEntry]:
    """Newest first. after: the number of the last entry of the previous page."""
    wanted = select(StoredAuditEntry).where(
        StoredAuditEntry.subject == account_id, StoredAuditEntry.event.in_(SIGN_IN_EVENTS)
    )
    if after is not None:
        wanted = wanted.where(StoredAuditEntry.number < after)
    async with dependencies.database.reading() as session:
        return list((await session.scalars(wanted.order_by(StoredAuditEntry.number.desc()).limit(limit))).all())


async def _locked(session: AsyncSession, account_id: str) -> StoredAccount:
    found = await locked_account(session, account_id)
    if found is None:
        raise NoSuchAccount
    return found
