"""Access tokens for tests without auth_service: real ones, some with chosen claims, and a server of their keys."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from jose import jws, jwt

from auth_service.keys import KeyRing
from auth_service.tokens import TokenIssuer
from hepar.contracts.tokens import PublicKeys
from hepar.web.access_tokens import TokenRules, read_token, verification_keys
from tests.support.serving import serving

RULES = TokenRules("issuer", "audience")
CLAIMS = ("exp", "iat", "nbf", "iss", "aud", "sub", "jti", "scope")
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


def new_issuer(folder: Path) -> TokenIssuer:
    """Its tokens follow RULES."""
    return TokenIssuer(KeyRing(folder, 600), RULES.issuer, RULES.audience, 600)


def kid(issuer: TokenIssuer) -> str:
    return issuer.keys.signing().public.kid


def signed(issuer: TokenIssuer, claims: dict[str, Any], headers: dict[str, Any] | None = None) -> str:
    """A token with a valid signature and the given claims."""
    header = {"kid": kid(issuer), "typ": "at+jwt"} | (headers or {})
    return str(jws.sign(json.dumps(claims).encode(), issuer.keys.signing().pem, headers=header, algorithm="ES256"))


def good_claims(issuer: TokenIssuer) -> dict[str, Any]:
    return dict(jwt.get_unverified_claims(issuer.issue("somebody", "analyses")))


def subject_of(issuer: TokenIssuer, token: str, now: float | None = None) -> str:
    """Raises Unauthenticated. now: seconds since 1970."""
    return read_token(token, verification_keys(PublicKeys(keys=issuer.keys.published())), RULES, now).subject


def encoded_part(part: object) -> str:
    """A header or claims as a token has them."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
