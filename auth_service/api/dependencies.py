"""Dependencies of the routes: the service's parts, the origin of a request, its caller, and paging."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request, Security
from fastapi.security import SecurityScopes

from auth_service.dependencies import AuthDependencies, Caller, authenticate
from auth_service.roles import ACCOUNT, AUDIT, CLIENTS, USERS
from auth_service.tables import StoredAccount
from hepar.contracts.accounts import PAGE_MAX, Account, AccountStatus
from hepar.storage.paging import PageRequest
from hepar.web.bearer import bearer_token
from hepar.web.client_address import client_address


def _dependencies(request: Request) -> AuthDependencies:
    dependencies: AuthDependencies = request.app.state.dependencies
    return dependencies


Dependencies = Annotated[AuthDependencies, Depends(_dependencies)]
TokenDep = Annotated[str, Depends(bearer_token)]


def _origin(request: Request, dependencies: Dependencies) -> str | None:
    """The caller's network address, as the gateway forwards it."""
    return client_address(request, dependencies.settings.proxy_networks)


OriginDep = Annotated[str | None, Depends(_origin)]


async def _caller(required: SecurityScopes, token: TokenDep, dependencies: Dependencies, origin: OriginDep) -> Caller:
    """The holder of a token with the scope that the route declares."""
    return await authenticate(dependencies, token, required.scopes[0], origin)


PersonDep = Annotated[Caller, Security(_caller, scopes=[ACCOUNT])]
UsersAdministratorDep = Annotated[Caller, Security(_caller, scopes=[USERS])]
ClientsAdministratorDep = Annotated[Caller, Security(_caller, scopes=[CLIENTS])]
AuditorDep = Annotated[Caller, Security(_caller, scopes=[AUDIT])]

CONFIRMATION_PROBLEMS = ("wrong-password", "wrong-code", "too-many-attempts")
ID_PATTERN = "^[0-9a-f]{32}$"
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
LimitDep = Annotated[int, Query(ge=1, le=PAGE_MAX, description="items of a page")]
AFTER = "`next` of the previous page; the first page where it is missing"
AfterEntryDep = Annotated[int | None, Query(ge=1, le=2**31 - 1, description=AFTER)]


def _page(
    limit: LimitDep = 50, after: Annotated[str | None, Query(pattern=ID_PATTERN, description=AFTER)] = None
) -> PageRequest:
    return PageRequest(limit, after)


PageDep = Annotated[PageRequest, Depends(_page)]


def shaped(account: StoredAccount) -> Account:
    status: AccountStatus = account.status  # type: ignore[assignment]
    return Account.model_validate(
        {
            "id": account.id,
            "email": account.email,
            "name": account.name,
            "role": account.role,
            "group": account.group_name,
            "status": status,
            "second_factor": account.totp_confirmed_at is not None,
            "created_at": account.created_at,
            "last_sign_in_at": account.last_sign_in_at,
        }
    )
