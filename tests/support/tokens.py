"""Access tokens for services that are tested without auth_service: real ones, and a server of their public keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI

from auth_service.keys import KeyRing
from auth_service.tokens import TokenIssuer
from hepar.contracts.tokens import PublicKeys
from tests.support.serving import serving

LIFETIME_S = 3600
"""Longer than any test."""


@dataclass(frozen=True)
class TokenAuthority:
    """url: where its public keys are, as at auth_service."""

    url: str
    issuer: TokenIssuer

    def bearer(self, subject: str = "somebody", scope: str = "analyses") -> dict[str, str]:
        """The Authorization header of a caller."""
        return {"authorization": f"Bearer {self.issuer.issue(subject, scope)}"}


@contextmanager
def token_authority(folder: Path) -> Iterator[TokenAuthority]:
    keys = KeyRing(folder / "keys", LIFETIME_S)
    app = FastAPI()

    @app.get("/.well-known/jwks.json")
    async def public_keys() -> PublicKeys:
        return PublicKeys(keys=keys.published())

    with serving(app) as url:
        yield TokenAuthority(url, TokenIssuer(keys, "hepar-auth", "hepar", LIFETIME_S))
