"""The OAuth 2.0 token and revocation endpoints."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated
from urllib.parse import unquote_plus

from fastapi import APIRouter, Form, Security
from fastapi.security.http import HTTPBase
from starlette.requests import HTTPConnection

from auth_service import sign_in
from auth_service.api.dependencies import Dependencies, OriginDep
from hepar.contracts.accounts import PASSWORD_CHARACTERS_MAX
from hepar.contracts.tokens import AccessToken, TokenRequest, TokenRevocation
from hepar.core.errors import InvalidField, InvalidRequest
from hepar.web.openapi import problems

_BASIC_CHARACTERS_MAX = 1024
router = APIRouter(prefix="/v1/token", tags=["tokens"], responses=problems("unavailable"))


class InvalidTokenRequest(InvalidRequest):
    """A parameter that the grant needs is missing, or cannot be read."""

    oauth_error = "invalid_request"


class _ClientCredentials(HTTPBase):
    """Declares HTTP Basic in the OpenAPI document; reads the header only for the grant that takes it."""

    async def __call__(self, request: HTTPConnection) -> str | None:  # type: ignore[override]
        return request.headers.get("authorization")


_client_credentials = _ClientCredentials(
    scheme="basic",
    scheme_name="client",
    description="a client's id and secret (RFC 6749, section 2.3.1); they may be sent in the form instead",
)


@router.post(
    "",
    summary="Sign in, refresh, or get a token for a system",
    responses=problems(
        "wrong-credentials", "second-factor-required", "wrong-code", "account-not-active", "invalid-grant",
        "wrong-client", "too-many-attempts",
    ),
    openapi_extra={"security": [{}]},
)  # fmt: skip
async def create_token(
    form: Annotated[TokenRequest, Form()],
    dependencies: Dependencies,
    origin: OriginDep,
    authorization: Annotated[str | None, Security(_client_credentials)],
) -> AccessToken:
    """OAuth 2.0 token endpoint (RFC 6749).

    An access token is valid for ten minutes. A refresh token can be used once; using it twice ends its session.
    """
    if form.grant_type == "password":
        name, secret = _needed("username", form.username), _needed("password", form.password)
        if len(secret) > PASSWORD_CHARACTERS_MAX:
            secret = secret[: PASSWORD_CHARACTERS_MAX + 1]  # no account has it; the work stays the same
        grant = sign_in.PasswordGrant(name, secret, form.otp, form.scope, form.device, origin)
        return await sign_in.by_password(dependencies, grant)
    if form.grant_type == "refresh_token":
        token = _needed("refresh_token", form.refresh_token)
        return await sign_in.by_refresh_token(dependencies, token, form.scope, origin)
    client_id, client_secret = _basic(authorization) or (form.client_id, form.client_secret)
    named, secret = _needed("client_id", client_id), _needed("client_secret", client_secret)
    return await sign_in.by_client(dependencies, named, secret, form.scope, origin)


@router.post("/revoke", summary="Revoke a token", status_code=200)
async def revoke_token(form: Annotated[TokenRevocation, Form()], dependencies: Dependencies, origin: OriginDep) -> None:
    """OAuth 2.0 token revocation (RFC 7009).

    A refresh token ends its session. An access token is refused by the account operations at once; the other operations
    accept it until it expires. The answer to an unknown token is the same.
    """
    await sign_in.revoke(dependencies, form.token, origin)


def _needed(name: str, value: str | None) -> str:
    if not value:
        message = "Field required"
        raise InvalidTokenRequest(f"{name}: {message}", InvalidField("body", f"/{name}", "missing", message))
    return value


def _basic(header: str | None) -> tuple[str, str] | None:
    """Client id and secret (RFC 6749, section 2.3.1); None for another scheme. Raises InvalidTokenRequest."""
    scheme, _, value = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _not_basic() from error
    if not colon or len(value) > _BASIC_CHARACTERS_MAX:
        raise _not_basic()
    return unquote_plus(name), unquote_plus(secret)


def _not_basic() -> InvalidTokenRequest:
    message = "not Basic credentials"
    field = InvalidField("header", "/Authorization", "invalid_credentials", message)
    return InvalidTokenRequest(f"authorization: {message}", field)
