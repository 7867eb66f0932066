"""Signing up, and what people do with their own account."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from auth_service import accounts, administration
from auth_service.api.dependencies import PROBLEMS, Dependencies, LimitDep, OriginDep, PersonDep, shaped
from auth_service.tables import StoredAuditEntry
from hepar.contracts.accounts import (
    Account,
    Confirmation,
    Page,
    PasswordChange,
    ProfileChange,
    RecoveryCodes,
    SecondFactor,
    SecondFactorCode,
    Session,
    SignIn,
    SignUp,
)
from hepar.core.errors import ClientError

router = APIRouter(prefix="/v1/users", tags=["accounts"], responses=PROBLEMS)

BeforeDep = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="`next` of the page before")]


class NoSuchSession(ClientError):
    """It is not one of the caller's, or it has ended."""

    status, title, slug = 404, "There is no such session", "no-such-session"


@router.post("", summary="Sign up", status_code=201)
async def sign_up(form: SignUp, dependencies: Dependencies, origin: OriginDep, response: Response) -> Account:
    """Makes an account. The password is stored as an argon2id hash only."""
    account = shaped(await accounts.sign_up(dependencies, form, origin))
    response.headers["Location"] = f"/v1/users/{account.id}"
    return account


@router.get("/me", summary="Who am I?")
async def me(caller: PersonDep) -> Account:
    """The account of the token."""
    return shaped(caller.person)


@router.patch("/me", summary="Change my profile")
async def change_profile(form: ProfileChange, caller: PersonDep, dependencies: Dependencies) -> Account:
    return shaped(await accounts.change_profile(dependencies, caller, form.name))


@router.delete("/me", summary="Delete my account", status_code=204)
async def delete_account(form: Confirmation, caller: PersonDep, dependencies: Dependencies) -> None:
    """Ends all sessions and forgets everything but the account's id in the audit. It cannot be undone."""
    await accounts.delete_account(dependencies, caller, form)


@router.put("/me/password", summary="Change my password", status_code=204)
async def change_password(form: PasswordChange, caller: PersonDep, dependencies: Dependencies) -> None:
    """Ends all sessions, this one too: sign in again."""
    await accounts.change_password(dependencies, caller, form)


@router.post("/me/second-factor", summary="Begin a second factor", status_code=201)
async def begin_second_factor(caller: PersonDep, dependencies: Dependencies, response: Response) -> SecondFactor:
    """A secret for an authenticator application. It counts once a code of it has been confirmed."""
    response.headers["Location"] = "/v1/users/me/second-factor"
    return await accounts.begin_second_factor(dependencies, caller)


@router.put("/me/second-factor", summary="Confirm my second factor")
async def confirm_second_factor(form: SecondFactorCode, caller: PersonDep, dependencies: Dependencies) -> RecoveryCodes:
    """From now on signing in asks for a code. The recovery codes are shown this once."""
    return RecoveryCodes(codes=await accounts.confirm_second_factor(dependencies, caller, form.code))


@router.delete("/me/second-factor", summary="Remove my second factor", status_code=204)
async def remove_second_factor(form: Confirmation, caller: PersonDep, dependencies: Dependencies) -> None:
    """A password of fewer than 15 characters must be changed first."""
    await accounts.remove_second_factor(dependencies, caller, form)


@router.post("/me/recovery-codes", summary="Renew my recovery codes", status_code=201)
async def renew_recovery_codes(
    form: Confirmation, caller: PersonDep, dependencies: Dependencies, response: Response
) -> RecoveryCodes:
    """The codes before no longer count."""
    response.headers["Location"] = "/v1/users/me/recovery-codes"
    return RecoveryCodes(codes=await accounts.renew_recovery_codes(dependencies, caller, form))


@router.get("/me/sessions", summary="My open sessions")
async def sessions(caller: PersonDep, dependencies: Dependencies) -> Page[Session]:
    """Newest first; at most a hundred."""
    items = [
        Session(
            id=row.id,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            expires_at=row.expires_at,
            current=row.id == caller.principal.session,
        )
        for row in await accounts.own_sessions(dependencies, caller)
    ]
    return Page[Session](items=items)


@router.delete("/me/sessions", summary="End all my sessions", status_code=204)
async def end_sessions(caller: PersonDep, dependencies: Dependencies) -> None:
    """This one too."""
    await accounts.end_own_sessions(dependencies, caller)


@router.delete("/me/sessions/{session_id}", summary="End one of my sessions", status_code=204)
async def end_session(
    session_id: Annotated[str, Path(pattern="^[0-9a-f]{32}$")], caller: PersonDep, dependencies: Dependencies
) -> None:
    if not await accounts.end_own_sessions(dependencies, caller, session_id):
        raise NoSuchSession


@router.get("/me/sign-ins", summary="My sign-in history")
async def sign_ins(
    caller: PersonDep, dependencies: Dependencies, limit: LimitDep = 50, before: BeforeDep = None
) -> Page[SignIn]:
    """Newest first, refused attempts too; `next` is given as `before`."""
    return sign_in_page(await administration.sign_ins(dependencies, caller.person.id, limit + 1, before), limit)


def sign_in_page(entries: list[StoredAuditEntry], limit: int) -> Page[SignIn]:
    items = [
        SignIn(at=entry.at, event=entry.event, origin=entry.origin, reason=entry.details.get("reason"))
        for entry in entries[:limit]
    ]
    return Page[SignIn](items=items, next=str(entries[limit - 1].number) if len(entries) > limit else None)
