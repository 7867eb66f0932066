"""What routes ask for: the dependencies, where a call comes from, and who makes it."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Query, Request

from auth_service.dependencies import AuthDependencies, Caller, authenticate
from auth_service.roles import ACCOUNT, AUDIT, CLIENTS, USERS
from auth_service.tables import StoredAccount
from hepar.contracts.accounts import PAGE_MAX, Account, AccountStatus
from hepar.contracts.problems import Problem
from hepar.storage.paging import PageRequest
from hepar.web.bearer import bearer_token
from hepar.web.problems import MEDIA_TYPE

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {MEDIA_TYPE: {}}, "description": description}
    for status, description in (
        (400, "The request is not valid HTTP or JSON"),
        (401, "No token, one that does not count, or wrong credentials"),
        (403, "Not allowed"),
        (404, "There is nothing with this id"),
        (409, "What is there does not allow it"),
        (413, "Too large"),
        (415, "Another media type is expected"),
        (422, "A field is missing or wrong"),
        (429, "Too many attempts: see Retry-After"),
        (503, "The database cannot be reached, or too many requests are under way: see Retry-After"),
    )
}


def _dependencies(request: Request) -> AuthDependencies:
    dependencies: AuthDependencies = request.app.state.dependencies
    return dependencies


Dependencies = Annotated[AuthDependencies, Depends(_dependencies)]
TokenDep = Annotated[str, Depends(bearer_token)]


def _origin(request: Request, dependencies: Dependencies) -> str | None:
    """The address of who calls; behind the gateway the one that it says, which no one else may say."""
    peer = _address(request.client.host if request.client else "")
    forwarded = request.headers.get("x-forwarded-for")
    if forwarded and peer and any(peer in network for network in dependencies.settings.proxy_networks):
        peer = _address(forwarded.rsplit(",", 1)[-1].strip())
    return str(peer) if peer else None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


OriginDep = Annotated[str | None, Depends(_origin)]


def _caller(scope: str | None) -> Callable[[TokenDep, Dependencies, OriginDep], Awaitable[Caller]]:
    async def caller(token: TokenDep, dependencies: Dependencies, origin: OriginDep) -> Caller:
        return await authenticate(dependencies, token, scope, origin)

    return caller


PersonDep = Annotated[Caller, Depends(_caller(ACCOUNT))]
UsersAdministratorDep = Annotated[Caller, Depends(_caller(USERS))]
ClientsAdministratorDep = Annotated[Caller, Depends(_caller(CLIENTS))]
AuditorDep = Annotated[Caller, Depends(_caller(AUDIT))]


LimitDep = Annotated[int, Query(ge=1, le=PAGE_MAX, description="items of a page")]


def _page(
    limit: LimitDep = 50,
    after: Annotated[str | None, Query(pattern="^[0-9a-f]{32}$", description="`next` of the page before")] = None,
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
            "status": status,
            "second_factor": account.totp_confirmed_at is not None,
            "created_at": account.created_at,
        }
    )
