"""Signing up, and the caller's own account."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from auth_service import accounts, administration
from auth_service.api.dependencies import (
    CONFIRMATION_PROBLEMS,
    ID_PATTERN,
    AfterEntryDep,
    Dependencies,
    LimitDep,
    OriginDep,
    PersonDep,
    shaped,
)
from auth_service.tables import StoredAuditEntry
from hepar.contracts.accounts import (
    Account,
    Confirmation,
    Page,
    ProfileChange,
    Session,
    SignIn,
    SignUp,
)
from hepar.core.errors import ClientError
from hepar.web.openapi import problems

router = APIRouter(prefix="/v1/users", tags=["account"], responses=problems("unavailable"))

_LINKS = {
    target: {"operationId": target, "parameters": {"account_id": "$response.body#/id"}}
    for target in ("get_user", "deactivate_user", "change_role")
}


class NoSuchSession(ClientError):
    """It has ended, or is not one of the caller's."""

    status, title, slug = 404, "There is no such session", "no-such-session"


@router.post(
    "",
    summary="Sign up",
    status_code=201,
    responses=problems("address-in-use", "sign-up-closed", "weak-password", "too-many-attempts"),
    openapi_extra={"responses": {"201": {"links": _LINKS}}},
)
async def sign_up(form: SignUp, dependencies: Dependencies, origin: OriginDep, response: Response) -> Account:
    """Makes an account. The operator decides whether it is active at once, waits for an administrator's approval, or is
    refused. The password is stored as an argon2id hash only.
    """
    account = shaped(await accounts.sign_up(dependencies, form, origin))
    response.headers["Location"] = f"/v1/users/{account.id}"
    return account


@router.get("/me", summary="Read my profile")
async def get_me(caller: PersonDep) -> Account:
    """The account that the token belongs to."""
    return shaped(caller.person)


@router.patch("/me", summary="Change my profile")
async def change_me(form: ProfileChange, caller: PersonDep, dependencies: Dependencies) -> Account:
    """Changes the display name."""
    return shaped(await accounts.change_profile(dependencies, caller, form.name))


@router.delete(
    "/me",
    summary="Delete my account",
    status_code=204,
    responses=problems(*CONFIRMATION_PROBLEMS, "last-administrator"),
)
async def delete_me(form: Confirmation, caller: PersonDep, dependencies: Dependencies) -> None:
    """Deletes the account and ends its sessions; only its id stays, in the audit log. It cannot be undone."""
    await accounts.delete_account(dependencies, caller, form)


@router.get("/me/sessions", summary="List my open sessions")
async def list_sessions(caller: PersonDep, dependencies: Dependencies) -> Page[Session]:
    """Newest first; at most a hundred, on one page."""
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
    """Signs out everywhere, the caller's own session included. Analyses still accept the access tokens for up to ten
    minutes.
    """
    await accounts.end_own_sessions(dependencies, caller)


@router.delete(
    "/me/sessions/{session_id}",
    summary="End one of my sessions",
    status_code=204,
    responses=problems("no-such-session"),
)
async def end_session(
    session_id: Annotated[str, Path(pattern=ID_PATTERN, description="`id` of the session")],
    caller: PersonDep,
    dependencies: Dependencies,
) -> None:
    """Signs out on one device."""
    if not await accounts.end_own_sessions(dependencies, caller, session_id):
        raise NoSuchSession


@router.get("/me/sign-ins", summary="List my sign-ins")
async def list_sign_ins(
    caller: PersonDep, dependencies: Dependencies, limit: LimitDep = 50, after: AfterEntryDep = None
) -> Page[SignIn]:
    """Newest first; refused attempts are included."""
    return sign_in_page(await administration.sign_ins(dependencies, caller.person.id, limit + 1, after), limit)


def sign_in_page(entries: list[StoredAuditEntry], limit: int) -> Page[SignIn]:
    items = [
        SignIn(at=entry.at, event=entry.event, origin=entry.origin, reason=entry.details.get("reason"))
        for entry in entries[:limit]
    ]
    return Page[SignIn](items=items, next=str(entries[limit - 1].number) if len(entries) > limit else None)
