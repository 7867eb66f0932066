"""Accounts, sign-in, sessions, clients and the audit log, as the API shows them."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, EmailStr, Field, StringConstraints

from .addresses import require_one_script
from .base import Document, example_of, with_example
from .roles import Role

PASSWORD_CHARACTERS_MIN, PASSWORD_CHARACTERS_MIN_WITH_SECOND_FACTOR, PASSWORD_CHARACTERS_MAX = 15, 12, 128
PAGE_MAX = 100

AccountStatus = Literal["pending", "active", "deactivated"]

# No control characters: PostgreSQL cannot store NUL, and lists and logs should not be rearranged by a name.
Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=120, pattern=r"^[^\x00-\x1f\x7f]*$")]
Group = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""The name of a group."""
GivenPassword = Annotated[str, Field(min_length=1, max_length=PASSWORD_CHARACTERS_MAX, repr=False)]
NewPassword = Annotated[
    str,
    Field(
        min_length=PASSWORD_CHARACTERS_MIN_WITH_SECOND_FACTOR,
        max_length=PASSWORD_CHARACTERS_MAX,
        description="15 to 128 characters, 12 with a second factor (NIST SP 800-63B-4); no required character classes, "
        "but refused where it is common or contains the account's name or address",
        repr=False,
    ),
]
Code = Annotated[str, Field(min_length=6, max_length=40, description="a code of the authenticator, or a recovery code")]
_CODE = "a code of the second factor, or a recovery code, where the caller has a second factor"
Id = Annotated[str, Field(description="32 hexadecimal digits")]

_ID, _OTHER_ID = "0f8b7a6c5d4e3f2a1b0c9d8e7f6a5b4c", "9c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f"
_PASSWORD, _NEXT_PASSWORD = "seven herons over a frozen lake", "another long phrase of mine"
_NOON, _LATER = "2026-11-25T12:00:00Z", "2026-12-25T12:00:00Z"
_CLIENT_NAME = "PACS of the radiology department"

Item = TypeVar("Item")


def _page_example(schema: dict[str, Any], page: type[BaseModel]) -> None:
    (item,) = page.__pydantic_generic_metadata__["args"] or (None,)
    if isinstance(item, type) and issubclass(item, BaseModel):
        schema["examples"] = [{"items": [example_of(item)]}]


class Page(Document, Generic[Item]):
    """One page of a list. The description of the operation gives the order."""

    model_config = ConfigDict(json_schema_extra=_page_example)

    items: list[Item] = Field(description="at most `limit` of them")
    next: str | None = Field(default=None, description="send it as `after` to get the next page; null on the last page")


class SignUp(Document):
    model_config = with_example({"email": "ada@example.org", "password": _PASSWORD, "name": "Ada"})

    email: Annotated[EmailStr, AfterValidator(require_one_script)] = Field(
        max_length=254, description="the address to sign in with; letters of one script"
    )
    password: NewPassword
    name: Name = Field(default="", description="display name, at most 120 characters")


class Account(Document):
    model_config = with_example(
        {
            "id": _ID,
            "email": "ada@example.org",
            "name": "Ada",
            "role": "researcher",
            "status": "active",
            "second_factor": False,
            "created_at": _NOON,
            "last_sign_in_at": _NOON,
        }
    )

    id: Id
    email: str = Field(description="the address to sign in with")
    name: str = Field(description="display name; may be empty")
    role: Role = Field(description="decides the scopes of the account's tokens")
    group: str | None = Field(default=None, description="its members read each other's studies; null without one")
    status: AccountStatus = Field(description="`pending` accounts wait for an administrator's approval")
    second_factor: bool = Field(description="whether signing in needs a code besides the password")
    created_at: datetime = Field(description="when the account was made, UTC")
    last_sign_in_at: datetime | None = Field(
        default=None, description="the last sign-in with the password, UTC; null before the first"
    )


class ProfileChange(Document):
    model_config = with_example({"name": "Ada Lovelace"})

    name: Name = Field(description="display name, at most 120 characters")


class PasswordChange(Document):
    model_config = with_example({"current_password": _PASSWORD, "new_password": _NEXT_PASSWORD})

    current_password: GivenPassword = Field(description="the account's present password")
    new_password: NewPassword
    code: Code | None = Field(default=None, description=_CODE)


class AccountOptions(Document):
    """What people without a session can do on this server."""

    model_config = with_example({"sign_up": "open", "password_reset": True, "address_verification": False})

    sign_up: Literal["open", "approval", "closed"] = Field(description="`approval`: an administrator approves accounts")
    password_reset: bool = Field(description="whether a forgotten password can be replaced by a link in an e-mail")
    address_verification: bool = Field(description="whether new accounts must confirm their address by a link")


class LinkRequest(Document):
    model_config = with_example({"email": "ada@example.org"})

    email: EmailStr = Field(max_length=254, description="the address of the account")


LinkToken = Annotated[
    str, Field(min_length=20, max_length=128, pattern="^[A-Za-z0-9_-]+$", repr=False, description="from the link")
]


class PasswordReset(Document):
    model_config = with_example({"token": "from-the-link-in-the-e-mail", "new_password": _NEXT_PASSWORD})

    token: LinkToken
    new_password: NewPassword


class AddressVerification(Document):
    model_config = with_example({"token": "from-the-link-in-the-e-mail"})

    token: LinkToken


class Confirmation(Document):
    """The caller's password, and a code where there is a second factor: required for operations on credentials."""

    model_config = with_example({"password": _PASSWORD, "code": "123456"})

    password: GivenPassword = Field(description="the caller's password")
    code: Code | None = Field(default=None, description=_CODE)


class SecondFactor(Document):
    """For an authenticator application (RFC 6238: SHA-1, six digits, 30 s). Not active until confirmed."""

    model_config = with_example(
        {
            "secret": "JBSWY3DPEHPK3PXP",
            "uri": "otpauth://totp/Hepar:ada@example.org?secret=JBSWY3DPEHPK3PXP&issuer=Hepar",
        }
    )

    secret: str = Field(repr=False, description="base32")
    uri: str = Field(repr=False, description="the content of its QR code")


class SecondFactorActivation(Document):
    model_config = with_example({"password": _PASSWORD, "code": "123456"})

    password: GivenPassword = Field(description="the caller's password")
    code: Code = Field(description="the first code of the authenticator that has the new secret")


class RecoveryCodes(Document):
    """Shown once. Each replaces a code of the second factor once."""

    model_config = with_example({"codes": ["K3V9-8Q2M-X7TD-RW4H", "P5WZ-9C6N-H4RB-TG2E"]})

    codes: list[str] = Field(repr=False, description="keep them apart from the authenticator")


class Session(Document):
    """One sign-in, extended by refreshing."""

    model_config = with_example(
        {
            "id": _ID,
            "created_at": _NOON,
            "last_used_at": _NOON,
            "expires_at": _LATER,
            "current": True,
        }
    )

    id: Id
    created_at: datetime = Field(description="time of the sign-in, UTC")
    last_used_at: datetime = Field(description="time of the last refresh, UTC")
    expires_at: datetime = Field(description="latest end, UTC")
    current: bool = Field(description="whether it is the session of the token of this request")


class SignIn(Document):
    """One entry of the sign-in history."""

    model_config = with_example(
        {"at": _NOON, "event": "sign_in_refused", "origin": "192.0.2.7", "reason": "wrong password"}
    )

    at: datetime = Field(description="time, UTC")
    event: str = Field(description="what happened")
    origin: str | None = Field(description="network address of the caller")
    reason: str | None = Field(description="why it was refused; null where it was not")


class RoleChange(Confirmation):
    """Confirmed like an operation on credentials: a role gives an account the scopes of its tokens."""

    model_config = with_example({"role": "clinician", "password": _PASSWORD, "code": "123456"})

    role: Role = Field(description="the new role")


class GroupChange(Confirmation):
    """Confirmed like a role: a group opens the studies of others."""

    model_config = with_example({"group": "radiology-2", "password": _PASSWORD, "code": "123456"})

    group: Group | None = Field(description="the new group; null for none")


class ClientRegistration(Confirmation):
    model_config = with_example({"name": _CLIENT_NAME, "scopes": ["analyses"], "password": _PASSWORD, "code": "123456"})

    name: Annotated[Name, Field(min_length=1, description="display name, at most 120 characters")]
    scopes: list[Literal["analyses", "models", "studies"]] = Field(
        default=["analyses"], min_length=1, max_length=3, description="the scopes of its tokens"
    )
    group: Group | None = Field(default=None, description="whose members read its studies; null for none")


class ClientSecret(Document):
    model_config = with_example({"id": _OTHER_ID, "secret": "shown-once", "created_at": _NOON, "expires_at": _LATER})

    id: Id
    secret: str | None = Field(
        default=None, repr=False, description="shown once: null except in the answer to the request that made it"
    )
    created_at: datetime = Field(description="when it was made, UTC")
    expires_at: datetime | None = Field(description="when it expires, UTC; null for the newest")


class Client(Document):
    """A hospital system that signs in by itself, with the client credentials grant."""

    model_config = with_example(
        {
            "id": _ID,
            "name": _CLIENT_NAME,
            "scopes": ["analyses"],
            "active": True,
            "created_at": _NOON,
            "secrets": [example_of(ClientSecret)],
        }
    )

    id: str = Field(description="32 hexadecimal digits: the `client_id`")
    name: str = Field(description="display name")
    scopes: list[str] = Field(description="the scopes of its tokens")
    group: str | None = Field(default=None, description="whose members read its studies; null without one")
    active: bool = Field(description="whether it can get tokens")
    created_at: datetime = Field(description="when it was registered, UTC")
    secrets: list[ClientSecret] = Field(description="those that are valid, the oldest first")


class AuditEntry(Document):
    model_config = with_example(
        {
            "number": 1,
            "at": _NOON,
            "event": "signed_in",
            "actor": _ID,
            "subject": _ID,
            "origin": "192.0.2.7",
            "details": {},
            "hash": "0" * 64,
        }
    )

    number: int = Field(description="from 1, without gaps")
    at: datetime = Field(description="time, UTC")
    event: str = Field(description="what happened")
    actor: str | None = Field(description="id of the account that did it; null where nobody was signed in")
    subject: str | None = Field(description="id of the account or client that was affected")
    origin: str | None = Field(description="network address of the caller")
    details: dict[str, str] = Field(description="further facts by name")
    hash: str = Field(description="HMAC-SHA256 over this entry and the hash of the entry before, in hexadecimal digits")
