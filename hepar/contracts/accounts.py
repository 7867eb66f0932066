"""Sign-up, sign-in and what an account shows of itself."""

from datetime import datetime
from typing import Literal

from pydantic import EmailStr, Field

from hepar.contracts.base import Document

PASSWORD_CHARACTERS_MIN, PASSWORD_CHARACTERS_MAX = 15, 128


class SignUp(Document):
    email: EmailStr = Field(max_length=254)
    password: str = Field(
        min_length=PASSWORD_CHARACTERS_MIN,
        max_length=PASSWORD_CHARACTERS_MAX,
        description="15 to 128 characters (NIST SP 800-63B-4); no rule on which",
        repr=False,
    )


class Account(Document):
    id: str
    email: str
    created_at: datetime


class AccessToken(Document):
    """The answer of the OAuth2 token endpoint (RFC 6749, section 5.1)."""

    access_token: str = Field(repr=False)
    token_type: Literal["bearer"] = "bearer"  # noqa: S105
    expires_in: int = Field(gt=0, description="seconds")
    scope: str


class PublicKey(Document):
    """One EC P-256 verification key (RFC 7517, RFC 7518 section 6.2)."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str
    y: str
    kid: str
    alg: Literal["ES256"]
    use: Literal["sig"]


class PublicKeys(Document):
    """A JSON Web Key Set."""

    keys: list[PublicKey]
