"""Other people's accounts: for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from auth_service import administration, invitations
from auth_service.api.dependencies import (
    CONFIRMATION_PROBLEMS,
    ID_PATTERN,
    PRINTABLE,
    AfterEntryDep,
    Dependencies,
    LimitDep,
    PageDep,
    UsersAdministratorDep,
    shaped,
)
from auth_service.api.users import sign_in_page
from hepar.contracts.accounts import (
    Account,
    AccountStatus,
    Confirmation,
    Group,
    GroupChange,
    Page,
    RoleChange,
    SignIn,
)
from hepar.contracts.invitations import Invitation
from hepar.contracts.roles import Role
from hepar.web.openapi import problems

router = APIRouter(prefix="/v1", tags=["administration"], responses=problems("unavailable"))

AccountId = Annotated[str, Path(pattern=ID_PATTERN, description="`id` of the account")]


@router.get("/users", summary="List accounts")
async def list_users(
    _caller: UsersAdministratorDep,
    dependencies: Dependencies,
    page: PageDep,
    status: Annotated[AccountStatus | None, Query(description="only accounts with this status")] = None,
    role: Annotated[Role | None, Query(description="only accounts with this role")] = None,
    group: Annotated[Group | None, Query(description="only accounts of this group")] = None,
    search: Annotated[
        str | None,
        Query(
            min_length=1, max_length=120, pattern=PRINTABLE, description="only accounts whose address or name has this"
        ),
    ] = None,
) -> Page[Account]:
    """Oldest first."""
    chosen = administration.AccountFilter(status, role, group, search)
    found, following = await administration.accounts(dependencies, page, chosen)
    return Page[Account](items=[shaped(account) for account in found], next=following)


@router.post(
    "/invitations",
    summary="Invite a person",
    status_code=201,
    responses=problems(*CONFIRMATION_PROBLEMS, "email-not-offered", "address-in-use"),
)
async def invite(form: Invitation, caller: UsersAdministratorDep, dependencies: Dependencies) -> Account:
    """Makes an active account and sends a link to its address that sets the password: once, within seven days. Later
    the person gets another one by `POST /v1/password-reset`. The form has the administrator's own password and code.
    """
    return shaped(await invitations.invite(dependencies, caller, form))


@router.get("/users/{account_id}", summary="Read an account", responses=problems("no-such-account"))
async def get_user(account_id: AccountId, _caller: UsersAdministratorDep, dependencies: Dependencies) -> Account:
    """By its id."""
    return shaped(await administration.account(dependencies, account_id))


@router.delete(
    "/users/{account_id}",
    summary="Delete an account",
    status_code=204,
    responses=problems(*CONFIRMATION_PROBLEMS, "no-such-account", "last-administrator"),
)
async def delete_user(
    account_id: AccountId, form: Confirmation, caller: UsersAdministratorDep, dependencies: Dependencies
) -> None:
    """Deletes it and ends its sessions; only its id stays, in the audit log. It cannot be undone. The form has the
    administrator's own password and code.
    """
    await administration.delete(dependencies, caller, account_id, form)


@router.post(
    "/users/{account_id}/approve", summary="Approve an account", responses=problems("no-such-account", "not-pending")
)
async def approve_user(account_id: AccountId, caller: UsersAdministratorDep, dependencies: Dependencies) -> Account:
    """Activates an account that waits for approval: one made while `HEPAR_AUTH_SIGNUP` was `approval`."""
    return shaped(await administration.approve(dependencies, caller, account_id))


@router.put(
    "/users/{account_id}/role",
    summary="Change an account's role",
    responses=problems(*CONFIRMATION_PROBLEMS, "no-such-account", "last-administrator"),
)
async def change_role(
    account_id: AccountId, form: RoleChange, caller: UsersAdministratorDep, dependencies: Dependencies
) -> Account:
    """New tokens have the new role's scopes. Tokens that were issued before keep theirs until they expire, but never
    more than the new role allows at the account operations. The form has the administrator's own password and code.
    """
    return shaped(await administration.change_role(dependencies, caller, account_id, form))


@router.put(
    "/users/{account_id}/group",
    summary="Change an account's group",
    responses=problems(*CONFIRMATION_PROBLEMS, "no-such-account"),
)
async def change_group(
    account_id: AccountId, form: GroupChange, caller: UsersAdministratorDep, dependencies: Dependencies
) -> Account:
    """The members of a group read each other's studies: those that they send from now on. Tokens that were issued
    before keep their group until they expire, in ten minutes. The form has the administrator's own password and code.
    """
    return shaped(await administration.change_group(dependencies, caller, account_id, form))


@router.post(
    "/users/{account_id}/deactivate",
    summary="Deactivate an account",
    responses=problems("no-such-account", "last-administrator"),
)
async def deactivate_user(account_id: AccountId, caller: UsersAdministratorDep, dependencies: Dependencies) -> Account:
    """Nobody can sign in with it, and its sessions end. Analyses still accept its access tokens for up to ten
    minutes.
    """
    return shaped(await administration.deactivate(dependencies, caller, account_id))


@router.post("/users/{account_id}/reactivate", summary="Reactivate an account", responses=problems("no-such-account"))
async def reactivate_user(account_id: AccountId, caller: UsersAdministratorDep, dependencies: Dependencies) -> Account:
    """It can sign in again. An account that was never approved waits for approval instead."""
    return shaped(await administration.reactivate(dependencies, caller, account_id))


@router.delete(
    "/users/{account_id}/second-factor",
    summary="Reset an account's second factor",
    responses=problems(*CONFIRMATION_PROBLEMS, "no-such-account", "no-second-factor"),
)
async def reset_second_factor(
    account_id: AccountId, form: Confirmation, caller: UsersAdministratorDep, dependencies: Dependencies
) -> Account:
    """For an owner who lost the authenticator and the recovery codes: ends the account's sessions, and signing in needs
    the password alone. Make sure that it is the owner who asks. The form has the administrator's own password and code.
    """
    return shaped(await administration.reset_second_factor(dependencies, caller, account_id, form))


@router.get("/users/{account_id}/sign-ins", summary="List an account's sign-ins", responses=problems("no-such-account"))
async def list_sign_ins_of_user(
    account_id: AccountId,
    _caller: UsersAdministratorDep,
    dependencies: Dependencies,
    limit: LimitDep = 50,
    after: AfterEntryDep = None,
) -> Page[SignIn]:
    """Newest first; refused attempts are included."""
    await administration.account(dependencies, account_id)
    return sign_in_page(await administration.sign_ins(dependencies, account_id, limit + 1, after), limit)
