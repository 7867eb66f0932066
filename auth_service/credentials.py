"""The caller's password, second factor and recovery codes. Each operation is confirmed with the password and a code."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service.confirmation import WrongCode, confirm_password, confirmed
from auth_service.dependencies import AuthDependencies, Caller, end_sessions
from auth_service.password_strength import require_length
from auth_service.second_factor import (
    accepted_step,
    fresh_recovery_codes,
    fresh_secret,
    provisioning_uri,
    recovery_hash,
)
from auth_service.tables import StoredAccount, StoredRecoveryCode
from auth_service.throttle import confirmation_limits
from hepar.contracts.accounts import Confirmation, PasswordChange, SecondFactor, SecondFactorActivation
from hepar.core.errors import ClientError


class NoSecondFactor(ClientError):
    """There is no second factor to confirm, renew or remove."""

    status, title, slug = 409, "There is no second factor", "no-second-factor"


class SecondFactorActive(ClientError):
    """The account has a second factor, which must be removed first."""

    status, title, slug = 409, "A second factor is already active", "second-factor-active"


async def change_password(dependencies: AuthDependencies, caller: Caller, form: PasswordChange) -> None:
    """Ends all sessions, including the current one.

    Raises WrongPassword, WrongCode, WeakPassword, TooManyAttempts.
    """
    person = caller.person
    await confirm_password(dependencies, caller, form.current_password)
    own_words, second_factor = [person.email, person.name], person.totp_confirmed_at is not None
    try:
        stored = await dependencies.hasher.hash_new(
            form.new_password, own_words, second_factor=second_factor, pointer="/new_password"
        )
    except ClientError:
        await dependencies.throttle.withdraw(confirmation_limits(caller.session_id))
        raise
    async with confirmed(dependencies, caller, form.code) as (session, account):
        account.password_hash = stored
        await end_sessions(session, account.id)
        await dependencies.audit.append(session, "password_changed", caller.actor, account.id)


async def begin_second_factor(dependencies: AuthDependencies, caller: Caller, form: Confirmation) -> SecondFactor:
    """Creates a secret, which becomes active once a code of it is confirmed.

    Raises WrongPassword, WrongCode, SecondFactorActive, TooManyAttempts.
    """
    secret = fresh_secret()
    await confirm_password(dependencies, caller, form.password)
    async with confirmed(dependencies, caller, form.code) as (session, account):
        if account.totp_confirmed_at is not None:
            raise SecondFactorActive
        account.totp_secret = dependencies.secret_key.encrypt(secret)
        account.last_totp_step = None
        await dependencies.audit.append(session, "second_factor_begun", caller.actor, account.id)
    return SecondFactor(secret=secret, uri=provisioning_uri(secret, account.email))


async def activate_second_factor(
    dependencies: AuthDependencies, caller: Caller, form: SecondFactorActivation
) -> list[str]:
    """Activates the second factor with the first code of its secret and returns the recovery codes.

    Raises WrongPassword, NoSecondFactor, SecondFactorActive, WrongCode and TooManyAttempts.
    """
    await confirm_password(dependencies, caller, form.password)
    async with confirmed(dependencies, caller, form.code) as (session, account):
        if account.totp_confirmed_at is not None:
            raise SecondFactorActive
        if account.totp_secret is None:
            raise NoSecondFactor
        step = accepted_step(dependencies.secret_key.decrypt(account.totp_secret), form.code, datetime.now(UTC), None)
        if step is None:
            raise WrongCode
        account.totp_confirmed_at, account.last_totp_step = datetime.now(UTC), step
        codes = await _new_recovery_codes(session, account.id)
        await dependencies.audit.append(session, "second_factor_confirmed", caller.actor, account.id)
    return codes


async def renew_recovery_codes(dependencies: AuthDependencies, caller: Caller, form: Confirmation) -> list[str]:
    """Replaces the previous codes. Raises WrongPassword, NoSecondFactor, WrongCode, TooManyAttempts."""
    await confirm_password(dependencies, caller, form.password)
    async with confirmed(dependencies, caller, form.code) as (session, account):
        if account.totp_confirmed_at is None:
            raise NoSecondFactor
        codes = await _new_recovery_codes(session, account.id)
        await dependencies.audit.append(session, "recovery_codes_renewed", caller.actor, account.id)
    return codes


async def remove_second_factor(dependencies: AuthDependencies, caller: Caller, form: Confirmation) -> None:
    """Raises WrongPassword, NoSecondFactor, WrongCode, TooManyAttempts.

    Raises WeakPassword for a password that is too short on its own.
    """
    await confirm_password(dependencies, caller, form.password)
    async with confirmed(dependencies, caller, form.code) as (session, account):
        if account.totp_confirmed_at is None:
            raise NoSecondFactor
        require_length(form.password, second_factor=False)
        await clear_second_factor(session, account)
        await dependencies.audit.append(session, "second_factor_removed", caller.actor, account.id)


async def clear_second_factor(session: AsyncSession, account: StoredAccount) -> None:
    """Deletes the secret and the recovery codes. `account` is locked."""
    account.totp_secret = account.totp_confirmed_at = account.last_totp_step = None
    await session.execute(delete(StoredRecoveryCode).where(StoredRecoveryCode.account_id == account.id))


async def _new_recovery_codes(session: AsyncSession, account_id: str) -> list[str]:
    codes = fresh_recovery_codes()
    await session.execute(delete(StoredRecoveryCode).where(StoredRecoveryCode.account_id == account_id))
    session.add_all(StoredRecoveryCode(hash=recovery_hash(code), account_id=account_id) for code in codes)
    return codes
