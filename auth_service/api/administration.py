"""Other people's accounts, and the audit: for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from auth_service import administration
from auth_service.api.dependencies import (
    PROBLEMS,
    AuditorDep,
    Dependencies,
    LimitDep,
    PageDep,
    UsersAdministratorDep,
    shaped,
)
from auth_service.api.users import BeforeDep, sign_in_page
from hepar.contracts.accounts import Account, AccountStatus, AuditEntry, Page, Role, RoleChange, SignIn

router = APIRouter(prefix="/v1", tags=["administration"], responses=PROBLEMS)

AccountId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]


@router.get("/users", summary="List accounts")
async def accounts(
    _caller: UsersAdministratorDep,
    dependencies: Dependencies,
    page: PageDep,
    status: AccountStatus | None = None,
    role: Role | None = None,
) -> Page[Account]:
    """Oldest first, all or those of one status or role."""
    found, following = await administration.accounts(dependencies, page, status, role)
    return Page[Account](items=[shaped(account) for account in found], next=following)


@router.get("/users/{account_id}", summary="One account")
async def account(account_id: AccountId, _caller: UsersAdministratorDep, dependencies: Dependencies) -> Account:
    return shaped(await administration.account(dependencies, account_id))


@router.delete("/users/{account_id}", summary="Delete an account", status_code=204)
async def delete(account_id: AccountId, caller: UsersAdministratorDep, dependencies: Dependencies) -> None:
    """Forgets everything but the account's id in the audit. It cannot be undone."""
    await administration.delete(dependencies, caller, account_id)


@router.post("/users/{account_id}/approve", summary="Approve an account")
async def approve(account_id: AccountId, caller: UsersAdministratorDep, dependencies: Dependencies) -> Account:
    """One that signed up while `HEPAR_AUTH_SIGNUP` is `approval`."""
    return shaped(await administration.approve(dependencies, caller, account_id))


@router.put("/users/{account_id}/role", summary="Change an account's role")
async def change_role(
    account_id: AccountId, form: RoleChange, caller: UsersAdministratorDep, dependencies: Dependencies
) -> Account:
    return shaped(await administration.change_role(dependencies, caller, account_id, form.role))


@router.post("/users/{account_id}/deactivate", summary="Deactivate an account")
async def deactivate(account_id: AccountId, caller: UsersAdministratorDep, dependencies: Dependencies) -> Account:
    """Ends its sessions; its access tokens are accepted elsewhere for ten minutes at most."""
    return shaped(await administration.deactivate(dependencies, caller, account_id))


@router.post("/users/{account_id}/reactivate", summary="Reactivate an account")
async def reactivate(account_id: AccountId, caller: UsersAdministratorDep, dependencies: Dependencies) -> Account:
    return shaped(await administration.reactivate(dependencies, caller, account_id))


@router.get("/users/{account_id}/sign-ins", summary="An account's sign-in history")
async def sign_ins_of_account(
    account_id: AccountId,
    _caller: UsersAdministratorDep,
    dependencies: Dependencies,
    limit: LimitDep = 50,
    before: BeforeDep = None,
) -> Page[SignIn]:
    """Newest first, refused attempts too; `next` is given as `before`."""
    await administration.account(dependencies, account_id)
    return sign_in_page(await administration.sign_ins(dependencies, account_id, limit + 1, before), limit)


@router.get("/audit", summary="Read the audit")
async def audit(
    _caller: AuditorDep,
    dependencies: Dependencies,
    limit: LimitDep = 50,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="`next` of the page before")] = 0,
) -> Page[AuditEntry]:
    """Oldest first. `python -m auth_service verify-audit` checks the whole chain."""
    entries = await administration.audit_entries(dependencies, limit + 1, after)
    items = [
        AuditEntry(
            number=entry.number,
            at=entry.at,
            event=entry.event,
            actor=entry.actor,
            subject=entry.subject,
            origin=entry.origin,
            details=entry.details,
            hash=entry.hash,
        )
        for entry in entries[:limit]
    ]
    return Page[AuditEntry](items=items, next=str(entries[limit - 1].number) if len(entries) > limit else None)
