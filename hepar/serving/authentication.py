"""The caller of a model service: it verifies the token that the gateway passes on."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import SecurityScopes

from hepar.core.request_context import set_account
from hepar.web.access_tokens import Principal
from hepar.web.bearer import IMAGE_SCOPE, SLICES_SCOPE, bearer_token
from hepar.web.token_verifier import TokenVerifier


async def _caller(
    required: SecurityScopes, request: Request, token: Annotated[str, Depends(bearer_token)]
) -> Principal:
    """Raises Unauthenticated, Unavailable, and Forbidden for a token without the scope that the route declares."""
    verifier: TokenVerifier = request.app.state.token_verifier
    principal = await verifier.principal(token)
    set_account(principal.subject)
    principal.require(required.scopes)
    return principal


_CALLER = Security(_caller, scopes=[IMAGE_SCOPE])
IMAGE_SCOPE_REQUIRED = _CALLER
"""For routers: it is resolved before a route's own parameters, so nothing of a body is read without a valid token."""
Caller = Annotated[Principal, _CALLER]
_WORKER = Security(_caller, scopes=[SLICES_SCOPE])
SLICES_SCOPE_REQUIRED = _WORKER
"""For internal routers, as IMAGE_SCOPE_REQUIRED is for public ones."""
StudyWorker = Annotated[Principal, _WORKER]
