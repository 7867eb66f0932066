"""The Authorization header (RFC 6750, section 2.1)."""

from __future__ import annotations

from fastapi.security import OAuth2PasswordBearer
from starlette.requests import HTTPConnection

from hepar.core.errors import Unauthenticated


class _Bearer(OAuth2PasswordBearer):
    """Declares the security scheme in the OpenAPI document, and parses the header strictly."""

    async def __call__(self, request: HTTPConnection) -> str:
        headers = request.headers.getlist("authorization")
        if not headers:
            raise Unauthenticated("send the header `Authorization: Bearer <token>`")
        scheme, _, token = headers[0].partition(" ")
        if len(headers) != 1 or scheme.lower() != "bearer" or not token:
            raise Unauthenticated("the Authorization header is not a single bearer token")
        return token


bearer_token = _Bearer(tokenUrl="/v1/token")
