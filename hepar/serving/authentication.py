"""The caller of a model service: it verifies the token that the gateway passes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import httpx
from fastapi import Depends, Request, Security
from fastapi.security import SecurityScopes

from hepar.core.request_context import set_account
from hepar.serving.settings import ModelServiceSettings
from hepar.web.access_tokens import KeyCache, Principal, TokenRules
from hepar.web.bearer import IMAGE_SCOPE, SLICES_SCOPE, bearer_token
from hepar.web.public_keys import public_key_cache
from hepar.web.upstream import Upstream


@dataclass(frozen=True)
class TokenVerifier:
    """Verifies access tokens while auth_service is unavailable, too: its keys are kept."""

    keys: KeyCache
    rules: TokenRules

    async def ready(self) -> bool:
        """Whether tokens can be verified now."""
        return self.keys.known or await self.keys.refresh()

    async def principal(self, token: str) -> Principal:
        """Raises Unauthenticated, and Unavailable as long as no key was ever fetched."""
        return await self.keys.principal(token, self.rules)


@asynccontextmanager
async def token_verifier(settings: ModelServiceSettings) -> AsyncIterator[TokenVerifier]:
    """Fetches the keys first; where auth_service starts later, they are fetched for the first token."""
    async with httpx.AsyncClient(base_url=settings.auth_url, trust_env=False) as client:
        keys = public_key_cache(Upstream(client, "sign-in"))
        await keys.refresh()
        yield TokenVerifier(keys, TokenRules(settings.issuer, settings.audience))


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
