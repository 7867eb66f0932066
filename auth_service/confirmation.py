"""Confirmation of an operation on credentials: the password and the second factor are checked again.

Failures are counted by session and audited: whoever stole an access token learns nothing by trying.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service.audit import Actor
from auth_service.dependencies import AuthDependencies, Caller, locked_account
from auth_service.second_factor import accepted_step, recovery_hash
from auth_service.tables import StoredAccount, StoredRecoveryCode
from auth_service.throttle import confirmation_limits
from hepar.core.errors import ClientError, Unauthenticated


class WrongPassword(ClientError):
    """The current password, which confirms a change, is wrong."""

    status, title, slug = 403, "The password is wrong", "wrong-password"


class WrongCode(ClientError):
    """The second factor's code is missing, wrong, or was used before."""

    status, title, slug = 403, "The code is wrong or was used before", "wrong-code"


async def confirm_password(dependencies: AuthDependencies, caller: Caller, password: str) -> None:
    """The first step: it counts an attempt, which `confirmed` takes back. Raises WrongPassword, TooManyAttempts."""
    await dependencies.throttle.begin(confirmation_limits(caller.session_id))
    if not (await dependencies.hasher.check(password, caller.person.password_hash)).matches:
        await _refused(dependencies, caller, "wrong password")
        raise WrongPassword


@asynccontextmanager
async def confirmed(
    dependencies: AuthDependencies, caller: Caller, code: str | None
) -> AsyncIterator[tuple[AsyncSession, StoredAccount]]:
    """The second step: the code, where the account has a second factor, and the transaction of the operation.

    Yields the caller's account, locked. Raises WrongCode, and what the operation raises; both undo everything.
    """
    limits = confirmation_limits(caller.session_id)
    try:
        async with dependencies.audited_transaction() as session:
            account = await own_account(session, caller)
            if account.password_hash != caller.person.password_hash:
                raise WrongPassword("the password was changed in the meantime")
            if account.totp_confirmed_at is not None:
                await use_second_factor(dependencies, session, account, code or "", caller.actor)
            await dependencies.throttle.succeeded(session, limits)
            yield session, account
    except WrongCode:
        await _refused(dependencies, caller, "wrong code")
        raise
    except ClientError:
        await dependencies.throttle.withdraw(limits)
        raise


async def own_account(session: AsyncSession, caller: Caller) -> StoredAccount:
    """The caller's account, locked. Raises Unauthenticated."""
    account = await locked_account(session, caller.person.id)
    if account is None or account.status != "active":
        raise Unauthenticated("the account no longer exists")
    return account


async def use_second_factor(
    dependencies: AuthDependencies, session: AsyncSession, account: StoredAccount, code: str, actor: Actor
) -> None:
    """Accepts a code of the authenticator or a recovery code, both single-use. Raises WrongCode. account: locked."""
    if account.totp_secret is None:
        raise WrongCode
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


async def _refused(dependencies: AuthDependencies, caller: Caller, reason: str) -> None:
    async with dependencies.audited_transaction() as session:
        await dependencies.audit.append(
            session, "confirmation_refused", caller.actor, caller.person.id, reason=reason, session_id=caller.session_id
        )
