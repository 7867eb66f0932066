"""Accounts, sign-in, sessions, clients and the audit, as the API shows them."""

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import EmailStr, Field, StringConstraints

from hepar.contracts.base import Document

PASSWORD_CHARACTERS_MIN, PASSWORD_CHARACTERS_MIN_WITH_SECOND_FACTOR, PASSWORD_CHARACTERS_MAX = 15, 12, 128
PAGE_MAX = 100

Role = Literal["clinician", "researcher", "integrator", "administrator"]
AccountStatus = Literal["pending", "active", "deactivated"]

# No control characters: PostgreSQL cannot store NUL, and lists and logs should not be rearranged by a name.
Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=120, pattern=r"^[^\x00-\x1f\x7f]*$")]
GivenPassword = Annotated[str, Field(min_length=1, max_length=PASSWORD_CHARACTERS_MAX, repr=False)]
NewPassword = Annotated[
    str,
    Field(
        min_length=PASSWORD_CHARACTERS_MIN_WITH_SECOND_FACTOR,
        max_length=PASSWORD_CHARACTERS_MAX,
        description="15 to 128 characters, 12 with a second factor (NIST SP 800-63B-4); no rule on which, but refused "
        "when common or made of the account's name or address",
        repr=False,
    ),
]
Code = Annotated[str, Field(min_length=6, max_length=40, description="of the authenticator, or a recovery code")]

Item = TypeVar("Item")


class Page(Document, Generic[Item]):
    """One page of a list, oldest first unless it says otherwise."""

    items: list[Item]
    next: str | None = Field(default=None, description="give it as `after` for the next page; null on the last one")


class SignUp(Document):
    email: EmailStr = Field(max_length=254)
    password: NewPassword
    name: Name = ""


class Account(Document):
    id: str
    email: str
    name: str
    role: Role
    status: AccountStatus = Field(description="`pending` accounts wait for an administrator's approval")
    second_factor: bool
    created_at: datetime


class ProfileChange(Document):
    name: Name


class PasswordChange(Document):
    current_password: GivenPassword
    new_password: NewPassword


class Confirmation(Document):
    """The account's password once more, for what cannot be undone; and the second factor where there is one."""

    password: GivenPassword
    code: Code | None = None


class SecondFactor(Document):
    """For an authenticator application (RFC 6238: SHA-1, six digits, 30 s). Not active until confirmed."""

    secret: str = Field(repr=False, description="base32")
    uri: str = Field(repr=False, description="what its QR code says")


class SecondFactorCode(Document):
    code: Code


class RecoveryCodes(Document):
    """Shown once. Each stands in for the second factor once."""

    codes: list[str] = Field(repr=False)


class AccessToken(Document):
    """The answer of the OAuth2 token endpoint (RFC 6749, section 5.1)."""

    access_token: str = Field(repr=False)
    token_type: Literal["bearer"] = "bearer"  # noqa: S105
    expires_in: int = Field(gt=0, description="seconds")
    scope: str
    refresh_token: str | None = Field(
        default=None, repr=False, description="counts once; its successor comes with the answer. People's tokens only"
    )


class Session(Document):
    """One signing in, kept alive by refreshing."""

    id: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool = Field(description="the one that asks")


class SignIn(Document):
    """One entry of the sign-in history."""

    at: datetime
    event: str
    origin: str | None = Field(description="the network address it came from")
    reason: str | None


class RoleChange(Document):
    role: Role


class ClientRegistration(Document):
    name: Annotated[Name, Field(min_length=1)]
    scopes: list[Literal["analyses", "models"]] = Field(default=["analyses"], min_length=1, max_length=2)


class ClientSecret(Document):
    """secret: null but in the answer that made it."""

    id: str
    secret: str | None = Field(default=None, repr=False)
    created_at: datetime
    expires_at: datetime | None


class Client(Document):
    """A hospital system that signs in by itself, with the client credentials grant."""

    id: str
    name: str
    scopes: list[str]
    active: bool
    created_at: datetime
    secrets: list[ClientSecret]


class AuditEntry(Document):
    number: int
    at: datetime
    event: str
    actor: str | None
    subject: str | None
    origin: str | None
    details: dict[str, str]
    hash: str


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


class AuthorizationServer(Document):
    """Where what is (RFC 8414)."""

    issuer: str
    token_endpoint: str
    revocation_endpoint: str
    jwks_uri: str
    scopes_supported: list[str]
    grant_types_supported: list[str]
    response_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    revocation_endpoint_auth_methods_supported: list[str]
