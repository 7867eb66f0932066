"""Reads the caller's token before rate limits and idempotency keys need to know whose request it is."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from hepar.core.errors import HeparError
from hepar.core.request_context import set_account
from hepar.web.access_tokens import Principal
from hepar.web.bearer import token_of


class AuthenticationMiddleware:
    """ASGI middleware. Puts the Principal or None into the request's state; routes refuse invalid tokens themselves."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope.setdefault("state", {})["principal"] = principal = await _principal(scope)
            if principal is not None:
                set_account(principal.subject)
        await self._app(scope, receive, send)


async def _principal(scope: Scope) -> Principal | None:
    dependencies = scope["app"].state.dependencies
    try:
        token = token_of(Headers(scope=scope))
        principal: Principal = await dependencies.verifier.principal(token)
    except HeparError:
        return None
    return principal


def authenticated_principal(scope: Scope) -> Principal | None:
    """The caller, as `AuthenticationMiddleware` found it."""
    known: Principal | None = scope["state"]["principal"]
    return known
