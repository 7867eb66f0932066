"""The OAuth2 token and revocation endpoints."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal
from urllib.parse import unquote_plus

from fastapi import APIRouter, Form, Header

from auth_service import sign_in
from auth_service.api.dependencies import PROBLEMS, Dependencies, OriginDep
from hepar.contracts.accounts import PASSWORD_CHARACTERS_MAX, AccessToken
from hepar.core.errors import InvalidField, InvalidRequest

router = APIRouter(prefix="/v1/token", tags=["tokens"], responses=PROBLEMS)


class InvalidTokenRequest(InvalidRequest):
    """A parameter that the grant needs is missing, or cannot be read."""

    oauth_error = "invalid_request"


Grant = Literal["password", "refresh_token", "client_credentials"]
Text = Annotated[str | None, Form(max_length=254)]
Secret = Annotated[str | None, Form(max_length=4096)]


@router.post("", summary="Sign in, refresh, or get a token for a system")
async def token(
    dependencies: Dependencies,
    origin: OriginDep,
    grant_type: Annotated[Grant, Form()] = "password",
    username: Annotated[str | None, Form(max_length=254, description="the account's e-mail address")] = None,
    password: Annotated[str | None, Form(max_length=1024)] = None,
    otp: Annotated[str | None, Form(max_length=40, description="code of the second factor, or a recovery code")] = None,
    refresh_token: Secret = None,
    client_id: Text = None,
    client_secret: Secret = None,
    scope: Annotated[str | None, Form(max_length=256, description="fewer scopes than allowed, space-separated")] = None,
    authorization: Annotated[str | None, Header(max_length=1024, description="Basic, of a client")] = None,
) -> AccessToken:
    """OAuth2 (RFC 6749): `password` for people, `refresh_token` to go on, `client_credentials` for hospital systems.

    An access token counts for ten minutes. A refresh token counts once; used twice, it ends its session.
    """
    if grant_type == "password":
        name, secret = _needed("username", username), _needed("password", password)
        if len(secret) > PASSWORD_CHARACTERS_MAX:
            secret = secret[: PASSWORD_CHARACTERS_MAX + 1]  # no account has it; the work stays the same
        return await sign_in.by_password(dependencies, name, secret, otp, scope, origin)
    if grant_type == "refresh_token":
        return await sign_in.by_refresh_token(dependencies, _needed("refresh_token", refresh_token), scope, origin)
    basic = _basic(authorization) if authorization else None
    if basic is not None:
        client_id, client_secret = basic
    named, secret = _needed("client_id", client_id), _needed("client_secret", client_secret)
    return await sign_in.by_client(dependencies, named, secret, scope, origin)


@router.post("/revoke", summary="Revoke a token", status_code=200)
async def revoke(
    dependencies: Dependencies,
    origin: OriginDep,
    token: Annotated[str, Form(max_length=4096)],
    token_type_hint: Annotated[str | None, Form(max_length=64)] = None,
) -> None:
    """RFC 7009: a refresh token ends its session; an access token ends here at once. Other services accept an access
    token until it expires. The answer is the same for a token that nobody knows.
    """
    del token_type_hint
    await sign_in.revoke(dependencies, token, origin)


def _needed(name: str, value: str | None) -> str:
    if not value:
        message = "Field required"
        raise InvalidTokenRequest(f"{name}: {message}", InvalidField("body", f"/{name}", "missing", message))
    return value


def _basic(header: str) -> tuple[str, str] | None:
    """Client id and secret (RFC 6749, section 2.3.1); None for another scheme. Raises InvalidRequest."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _not_basic() from error
    if not colon:
        raise _not_basic()
    return unquote_plus(name), unquote_plus(secret)


def _not_basic() -> InvalidTokenRequest:
    message = "not Basic credentials"
    field = InvalidField("header", "/Authorization", "invalid_credentials", message)
    return InvalidTokenRequest(f"authorization: {message}", field)
