"""The OAuth 2.0 token and revocation endpoints."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import unquote_plus

from fastapi import APIRouter, Form, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security.http import HTTPBase
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from auth_service import refresh_tokens, sign_in
from auth_service.api.dependencies import Dependencies, OriginDep
from hepar.contracts.accounts import PASSWORD_CHARACTERS_MAX
from hepar.contracts.tokens import AccessToken, TokenRequest, TokenRevocation
from hepar.core.errors import ClientError, InvalidField
from hepar.web.openapi import problems
from hepar.web.problems import invalid_request

_BASIC_CHARACTERS_MAX = 1024


class InvalidTokenRequest(ClientError):
    """A parameter that the grant needs is missing, or cannot be read."""

    status, title, slug = 400, "The token request is not valid", "invalid-token-request"
    oauth_error = "invalid_request"


class UnsupportedGrantType(ClientError):
    """Not one of the grants that the discovery document lists."""

    status, title, slug = 400, "The grant type is not supported", "unsupported-grant-type"
    oauth_error = "unsupported_grant_type"


class _OAuthRoute(APIRoute):
    """Answers a request that does not match the form with an error of RFC 6749, section 5.2."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_form(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                found = invalid_request(error)
                if any(field.pointer == "/grant_type" for field in found.fields):
                    raise UnsupportedGrantType(found.detail, *found.fields) from error
                raise InvalidTokenRequest(found.detail, *found.fields) from error
            except HTTPException as error:  # FastAPI's answer to a body that it cannot read
                raise InvalidTokenRequest("the body cannot be read") from error

        return handle_form


router = APIRouter(prefix="/v1/token", tags=["tokens"], route_class=_OAuthRoute, responses=problems("unavailable"))


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
        "invalid-token-request", "unsupported-grant-type", "wrong-credentials", "second-factor-required", "wrong-otp",
        "account-not-active", "address-not-verified", "invalid-grant", "wrong-client", "too-many-attempts",
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
        return await refresh_tokens.by_refresh_token(dependencies, token, form.scope, origin)
    client_id, client_secret = _basic(authorization) or (form.client_id, form.client_secret)
    named, secret = _needed("client_id", client_id), _needed("client_secret", client_secret)
    return await sign_in.by_client(dependencies, named, secret, form.scope, origin)


@router.post("/revoke", summary="Revoke a token", status_code=200, responses=problems("invalid-token-request"))
async def revoke_token(form: Annotated[TokenRevocation, Form()], dependencies: Dependencies, origin: OriginDep) -> None:
    """OAuth 2.0 token revocation (RFC 7009).

    A refresh token ends its session. An access token is refused by the account operations at once; the other operations
    accept it until it expires. The answer to an unknown token is the same.
    """
    await refresh_tokens.revoke(dependencies, form.token, origin)


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
