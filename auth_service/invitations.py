"""Invitations: an administrator makes an account for somebody, who gets a link to set the password."""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime

from sqlalchemy.exc import IntegrityError

from auth_service.accounts import AddressInUse
from auth_service.confirmation import confirm_password, confirmed
from auth_service.dependencies import AuthDependencies, Caller
from auth_service.email_links import enqueue, require_offered
from auth_service.tables import StoredAccount
from hepar.contracts.invitations import Invitation


async def invite(dependencies: AuthDependencies, caller: Caller, form: Invitation) -> StoredAccount:
    """An active account with a password that nobody knows.

    Raises EmailNotOffered, WrongPassword, WrongCode, TooManyAttempts, AddressInUse.
    """
    await confirm_password(dependencies, caller, form.password)
    now = datetime.now(UTC)
    account = StoredAccount(
        id=uuid.uuid4().hex,
        email=form.email.lower(),
        name="",
        password_hash=await dependencies.hasher.hash_new(secrets.token_urlsafe(48), [], second_factor=False),
        role=form.role,
        group_name=form.group,
        status="active",
        created_at=now,
        approved_at=now,
        email_pending=False,
    )
    try:
        async with confirmed(dependencies, caller, form.code) as (session, _administrator):
            require_offered(dependencies, "invitation")
            session.add(account)
            await session.flush()
            details = {"role": form.role, "group": form.group or ""}
            await dependencies.audit.append(session, "invited", caller.actor, account.id, **details)
            enqueue(session, "invitation", account.email, caller.actor.origin)
    except IntegrityError as error:
        raise AddressInUse from error
    return account
