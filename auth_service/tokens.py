"""Issuing access tokens: ES256, short-lived, RFC 9068."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

from jose import jwt

from auth_service.keys import KeyRing
from hepar.web.access_tokens import ALGORITHM, TOKEN_TYPE


@dataclass(frozen=True)
class TokenIssuer:
    """Signs tokens with the current key."""

    keys: KeyRing
    issuer: str
    audience: str
    lifetime_s: int

    def issue(self, subject: str, scope: str, session: str | None = None, group: str | None = None) -> str:
        """session: the token family; None for a client's tokens.  group: whose studies the subject may see, too."""
        now = int(time.time())
        key = self.keys.signing()
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "jti": uuid.uuid4().hex,
            "scope": scope,
            "iat": now,
            "nbf": now,
            "exp": now + self.lifetime_s,
        }
        if session is not None:
            claims["sid"] = session
        if group is not None:
            claims["group"] = group
        headers = {"kid": key.public.kid, "typ": TOKEN_TYPE}
        return jwt.encode(claims, key.pem, algorithm=ALGORITHM, headers=headers)
