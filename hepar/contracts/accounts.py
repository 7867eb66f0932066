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

    items: list[Item] = Field(description="at most as many as `limit` asked for")
    next: str | None = Field(default=None, description="give it as `after` for the next page; null on the last one")


class SignUp(Document):
    email: EmailStr = Field(max_length=254, description="the address to sign in with")
    password: NewPassword
    name: Name = Field(default="", description="what others see, at most 120 characters")


class Account(Document):
    id: str = Field(description="32 hexadecimal digits")
    email: str = Field(description="the address that signs in")
    name: str = Field(description="what others see; may be empty")
    role: Role = Field(description="decides the scopes of the account's tokens")
    status: AccountStatus = Field(description="`pending` accounts wait for an administrator's approval")
    second_factor: bool = Field(description="is a code asked for beside the password?")
    created_at: datetime = Field(description="when it signed up, UTC")


class ProfileChange(Document):
    name: Name = Field(description="what others see, at most 120 characters")


class PasswordChange(Document):
    current_password: GivenPassword = Field(description="the one that counts until now")
    new_password: NewPassword


class Confirmation(Document):
    """The account's password once more, for what cannot be undone; and the second factor where there is one."""

    password: GivenPassword = Field(description="the account's own")
    code: Code | None = Field(default=None, description="of the second factor, where the account has one")


class SecondFactor(Document):
    """For an authenticator application (RFC 6238: SHA-1, six digits, 30 s). Not active until confirmed."""

    secret: str = Field(repr=False, description="base32")
    uri: str = Field(repr=False, description="what its QR code says")


class SecondFactorCode(Document):
    code: Code


class RecoveryCodes(Document):
    """Shown once. Each stands in for the second factor once."""

    codes: list[str] = Field(repr=False, description="keep them apart from the authenticator")


class AccessToken(Document):
    """The answer of the OAuth2 token endpoint (RFC 6749, section 5.1)."""

    access_token: str = Field(repr=False, description="a signed JWT (RFC 9068): send it as `Authorization: Bearer`")
    token_type: Literal["bearer"] = Field(default="bearer", description="always `bearer`")
    expires_in: int = Field(gt=0, description="seconds")
    scope: str = Field(description="what the token allows, separated by spaces")
    refresh_token: str | None = Field(
        default=None, repr=False, description="counts once; its successor comes with the answer. People's tokens only"
    )


class Session(Document):
    """One signing in, kept alive by refreshing."""

    id: str = Field(description="32 hexadecimal digits")
    created_at: datetime = Field(description="when it signed in, UTC")
    last_used_at: datetime = Field(description="when it was refreshed last, UTC")
    expires_at: datetime = Field(description="when it ends at the latest, UTC")
    current: bool = Field(description="the one that asks")


class SignIn(Document):
    """One entry of the sign-in history."""

    at: datetime = Field(description="when, UTC")
    event: str = Field(description="what happened")
    origin: str | None = Field(description="the network address it came from")
    reason: str | None = Field(description="why it was refused; null where it was not")


class RoleChange(Document):
    role: Role = Field(description="the new one")


class ClientRegistration(Document):
    name: Annotated[Name, Field(min_length=1, description="what administrators see, at most 120 characters")]
    scopes: list[Literal["analyses", "models"]] = Field(
        default=["analyses"], min_length=1, max_length=2, description="what its tokens allow"
    )


class ClientSecret(Document):
    """secret: null but in the answer that made it."""

    id: str = Field(description="32 hexadecimal digits")
    secret: str | None = Field(default=None, repr=False, description="shown once: null but in the answer that made it")
    created_at: datetime = Field(description="when it was made, UTC")
    expires_at: datetime | None = Field(description="when it stops counting, UTC; null while it is the newest")


class Client(Document):
    """A hospital system that signs in by itself, with the client credentials grant."""

    id: str = Field(description="32 hexadecimal digits: the `client_id`")
    name: str = Field(description="what administrators see")
    scopes: list[str] = Field(description="what its tokens allow")
    active: bool = Field(description="does it get tokens?")
    created_at: datetime = Field(description="when it was registered, UTC")
    secrets: list[ClientSecret] = Field(description="those that count, the oldest first")


class AuditEntry(Document):
    number: int = Field(description="from 1, without gaps")
    at: datetime = Field(description="when, UTC")
    event: str = Field(description="what happened")
    actor: str | None = Field(description="the id of the account that did it; null where nobody was signed in")
    subject: str | None = Field(description="the id of the account that it was done to")
    origin: str | None = Field(description="the network address that it came from")
    details: dict[str, str] = Field(description="more, by name")
    hash: str = Field(description="HMAC-SHA256 over this entry and the hash of the one before, in hexadecimal digits")


class PublicKey(Document):
    """One EC P-256 verification key (RFC 7517, RFC 7518 section 6.2)."""

    kty: Literal["EC"] = Field(description="key type")
    crv: Literal["P-256"] = Field(description="curve")
    x: str = Field(description="coordinate, base64url")
    y: str = Field(description="coordinate, base64url")
    kid: str = Field(description="the `kid` of the tokens that it verifies")
    alg: Literal["ES256"] = Field(description="algorithm")
    use: Literal["sig"] = Field(description="for signatures")


class PublicKeys(Document):
    """A JSON Web Key Set."""

    keys: list[PublicKey] = Field(description="the one in use, and older ones until their tokens end")


class AuthorizationServer(Document):
    """Where what is (RFC 8414)."""

    issuer: str = Field(description="`iss` of the tokens")
    token_endpoint: str = Field(description="URL")
    revocation_endpoint: str = Field(description="URL")
    jwks_uri: str = Field(description="URL of the public keys")
    scopes_supported: list[str] = Field(description="every scope that there is")
    grant_types_supported: list[str] = Field(description="how a token can be had")
    response_types_supported: list[str] = Field(description="none: there is no authorization endpoint")
    token_endpoint_auth_methods_supported: list[str] = Field(description="how a client says who it is")
    revocation_endpoint_auth_methods_supported: list[str] = Field(description="the token itself suffices")
