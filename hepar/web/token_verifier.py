"""Verification of access tokens in a service behind the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from hepar.web.access_tokens import KeyCache, Principal, TokenRules
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
async def token_verifier(auth_url: str, rules: TokenRules) -> AsyncIterator[TokenVerifier]:
    """Fetches the keys first; where auth_service starts later, they are fetched for the first token."""
    async with httpx.AsyncClient(base_url=auth_url, trust_env=False) as client:
        keys = public_key_cache(Upstream(client, "sign-in"))
        await keys.refresh()
        yield TokenVerifier(keys, rules)
