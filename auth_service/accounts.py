"""Operations on the caller's own account."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service.audit import Actor
from auth_service.dependencies import AuthDependencies, Caller, end_sessions, locked_account
from auth_service.password_strength import require_length
from auth_service.second_factor import (
    accepted_step,
    fresh_recovery_codes,
    fresh_secret,
    provisioning_uri,
    recovery_hash,
)
from auth_service.tables import StoredAccount, StoredRecoveryCode, StoredSession
from auth_service.throttle import confirmation_limits, sign_up_limits
from hepar.contracts.accounts import Confirmation, PasswordChange, Role, SecondFactor, SignUp
from hepar.core.errors import ClientError, Forbidden, Unauthenticated


class AddressInUse(ClientError):
    """The address belongs to an existing account."""

    status, title, slug = 409, "An account with this address exists", "address-in-use"


class SignUpClosed(Forbidden):
    """Only administrators create accounts."""

    title, slug = "Sign-up is closed", "sign-up-closed"


class WrongPassword(ClientError):
    """The current password, which confirms a change, is wrong."""

    status, title, slug = 403, "The password is wrong", "wrong-password"


class WrongCode(ClientError):
    """The second factor's code is wrong, or was used before."""

    status, title, slug = 403, "The code is wrong or was used before", "wrong-code"


class NoSecondFactor(ClientError):
    """There is no second factor to confirm, renew or remove."""

    status, title, slug = 409, "There is no second factor", "no-second-factor"


class SecondFactorActive(ClientError):
    """The account has a second factor, which must be removed first."""

    status, title, slug = 409, "A second factor is already active", "second-factor-active"


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
    return await new_account(dependencies, form, dependencies.settings.signup_role, status, Actor(None, origin))


async def new_account(
    dependencies: AuthDependencies, form: SignUp, role: Role, status: str, actor: Actor
) -> StoredAccount:
    """Raises WeakPassword, AddressInUse."""
    password_hash = await dependencies.hasher.hash_new(form.password, [form.email, form.name], second_factor=False)
    account = StoredAccount(
        id=uuid.uuid4().hex,
        email=form.email.lower(),
        name=form.name,
        password_hash=password_hash,
        role=role,
        status=status,
        created_at=datetime.now(UTC),
    )
    try:
        async with dependencies.audited_transaction() as session:
            session.add(account)
            await session.flush()
            await dependencies.audit.append(session, "signed_up", actor, account.id, role=role, status=status)
    except IntegrityError as error:
        raise AddressInUse from error
    return account


async def change_profile(dependencies: AuthDependencies, caller: Caller, name: str) -> StoredAccount:
    async with dependencies.audited_transaction() as session:
        account = await _own(session, caller)
        account.name = name
        await dependencies.audit.append(session, "profile_changed", caller.actor, account.id)
    return account


async def change_password(dependencies: AuthDependencies, caller: Caller, form: PasswordChange) -> None:
    """Ends all sessions, including the current one. Raises WrongPassword, WeakPassword, TooManyAttempts."""
    person = caller.person
    await confirm_password(dependencies, caller, form.current_password)
    own_words, second_factor = [person.email, person.name], person.totp_confirmed_at is not None
    stored = await dependencies.hasher.hash_new(
        form.new_password, own_words, second_factor=second_factor, pointer="/new_password"
    )
    async with dependencies.audited_transaction() as session:
        account = await _own(session, caller)
        account.password_hash = stored
        await end_sessions(session, account.id)
        await dependencies.audit.append(session, "password_changed", caller.actor, account.id)


async def delete_account(dependencies: AuthDependencies, caller: Caller, form: Confirmation) -> None:
    """Only its id remains, in the audit log. Raises WrongPassword, WrongCode, LastAdministrator, TooManyAttempts."""
    await confirm_password(dependencies, caller, form.password)
    async with dependencies.audited_transaction() as session:
        account = await _own(session, caller)
        if account.totp_confirmed_at is not None:
            await use_second_factor(dependencies, session, account, form.code or "", caller.actor)
        await require_another_administrator(session, account)
        await session.delete(account)
        await dependencies.audit.append(session, "deleted", caller.actor, account.id)


async def begin_second_factor(dependencies: AuthDependencies, caller: Caller) -> SecondFactor:
    """Creates a secret, which becomes active once a code confirms it. Raises SecondFactorActive."""
    secret = fresh_secret()
    async with dependencies.audited_transaction() as session:
        account = await _own(session, caller)
        if account.totp_confirmed_at is not None:
            raise SecondFactorActive
        account.totp_secret = dependencies.secret_key.encrypt(secret)
        account.last_totp_step = None
        await dependencies.audit.append(session, "second_factor_begun", caller.actor, account.id)
    return SecondFactor(secret=secret, uri=provisioning_uri(secret, account.email))


async def confirm_second_factor(dependencies: AuthDependencies, caller: Caller, code: str) -> list[str]:
    """Activates the second factor and returns the recovery codes.

    Raises NoSecondFactor, SecondFactorActive, WrongCode and TooManyAttempts.
    """
    limits = confirmation_limits(caller.session_id)
    await dependencies.throttle.begin(limits)
    async with dependencies.audited_transaction() as session:
        account = await _own(session, caller)
        if account.totp_confirmed_at is not None:
            raise SecondFactorActive
        if account.totp_secret is None:
            raise NoSecondFactor
        step = accepted_step(dependencies.secret_key.decrypt(account.totp_secret), code, datetime.now(UTC), None)
        if step is None:
            raise WrongCode
        account.totp_confirmed_at, account.last_totp_step = datetime.now(UTC), step
        codes = await _new_recovery_codes(session, account.id)
        await dependencies.throttle.succeeded(session, limits)
        await dependencies.audit.append(session, "second_factor_confirmed", caller.actor, account.id)
    return codes


async def renew_recovery_codes(dependencies: AuthDependencies, caller: Caller, form: Confirmation) -> list[str]:
    """Replaces the previous codes. Raises WrongPassword, NoSecondFactor, WrongCode, TooManyAttempts."""
    await confirm_password(dependencies, caller, form.password)
    async with dependencies.audited_transaction() as session:
        account = await _own(session, caller)
        if account.totp_confirmed_at is None:
            raise NoSecondFactor
        await use_second_factor(dependencies, session, account, form.code or "", caller.actor)
        codes = await _new_recovery_codes(session, account.id)
        await dependencies.audit.append(session, "recovery_codes_renewed", caller.actor, account.id)
    return codes


async def remove_second_factor(dependencies: AuthDependencies, caller: Caller, form: Confirmation) -> None:
    """Raises WrongPassword, NoSecondFactor, WrongCode, and WeakPassword for a password that is too short on its own."""
    await confirm_password(dependencies, caller, form.password)
    require_length(form.password, second_factor=False)
    async with dependencies.audited_transaction() as session:
        account = await _own(session, caller)
        if account.totp_confirmed_at is None:
            raise NoSecondFactor
        await use_second_factor(dependencies, session, account, form.code or "", caller.actor)
        account.totp_secret = account.totp_confirmed_at = account.last_totp_step = None
        await session.execute(delete(StoredRecoveryCode).where(StoredRecoveryCode.account_id == account.id))
        await dependencies.audit.append(session, "second_factor_removed", caller.actor, account.id)


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


async def confirm_password(dependencies: AuthDependencies, caller: Caller, password: str) -> None:
    """Raises WrongPassword and TooManyAttempts."""
    person = caller.person
    limits = confirmation_limits(caller.session_id)
    await dependencies.throttle.begin(limits)
    if not (await dependencies.hasher.check(password, person.password_hash)).matches:
        raise WrongPassword
    async with dependencies.database.writing() as session:
        await dependencies.throttle.succeeded(session, limits)


async def use_second_factor(
    dependencies: AuthDependencies, session: AsyncSession, account: StoredAccount, code: str, actor: Actor
) -> None:
    """Accepts a code of the authenticator or a recovery code, both single-use. `account` is locked.

    Raises NoSecondFactor and WrongCode.
    """
    if account.totp_secret is None:
        raise NoSecondFactor
    secret = dependencies.secret_key.decrypt(account.totp_secret)
    step = accepted_step(secret, code, datetime.now(UTC), account.last_totp_step)
    if step is not None:
        account.last_totp_step = step
        return
    one = (StoredRecoveryCode.account_id == account.id) & (StoredRecoveryCode.hash == recovery_hash(code))
    used = await session.execute(delete(StoredRecoveryCode).where(one))
    if getattr(used, "rowcount", 0) != 1:
        raise WrongCode
    await dependencies.audit.append(session, "recovery_code_used", actor, account.id)


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


async def _own(session: AsyncSession, caller: Caller) -> StoredAccount:
    account = await locked_account(session, caller.person.id)
    if account is None or account.status != "active":
        raise Unauthenticated("the account no longer exists")
    return account


async def _new_recovery_codes(session: AsyncSession, account_id: str) -> list[str]:
    codes = fresh_recovery_codes()
    await session.execute(delete(StoredRecoveryCode).where(StoredRecoveryCode.account_id == account_id))
    session.add_all(StoredRecoveryCode(hash=recovery_hash(code), account_id=account_id) for code in codes)
    return codes
