"""Verification of access tokens in every service but auth_service, with the public keys of that one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from hepar.contracts.tokens import PublicKeys
from hepar.core.deadlines import Deadline
from hepar.web.access_tokens import KeyCache, Principal, TokenRules
from hepar.web.upstream import Upstream, open_upstream

_FETCH_S = 3.0


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


def verifier_of(auth: Upstream, rules: TokenRules) -> TokenVerifier:
    """Without keys until the first token or the first refresh."""

    async def fetch() -> PublicKeys:
        return await auth.call(PublicKeys, "GET", "/.well-known/jwks.json", Deadline.after(_FETCH_S))

    return TokenVerifier(KeyCache(fetch), rules)


@asynccontextmanager
async def token_verifier(auth_url: str, rules: TokenRules) -> AsyncIterator[TokenVerifier]:
    """Fetches the keys first; where auth_service starts later, they are fetched for the first token."""
    async with open_upstream(auth_url, "sign-in") as auth:
        verifier = verifier_of(auth, rules)
        await verifier.keys.refresh()
        yield verifier
