"""The Authorization header (RFC 6750, section 2.1)."""

from __future__ import annotations

from fastapi.openapi.models import OAuthFlowClientCredentials, OAuthFlowPassword, OAuthFlows
from fastapi.security import OAuth2
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from hepar.core.errors import Unauthenticated

SCOPES = {
    "analyses": "classify images, find lesions, read model cards",
    "studies": "send studies, read and delete their results, be called when they are finished",
    "all-studies": "read, cancel and delete the studies of every account",
    "models": "train and compare models",
    "account": "read and change one's own account",
    "users": "administer accounts",
    "clients": "register hospital systems",
    "audit": "read the audit log",
}
"""Every scope of an access token, as the OpenAPI document explains it."""
IMAGE_SCOPE = "analyses"
"""What routes of images and models require."""
SLICES_SCOPE = "slices"
"""What internal routes for slices of volumes require: only the study worker has it, and no document names it."""
STUDY_SCOPE = "studies"
"""What routes of studies require. A study is seen by its owner, by the owner's group and with ALL_STUDIES_SCOPE."""
ALL_STUDIES_SCOPE = "all-studies"
AUDIT_SCOPE = "audit"
"""What reading logs of other people's actions requires."""
_CLIENT_SCOPES = ("analyses", "models", "studies")
_TOKEN_URL = "/v1/token"  # noqa: S105


class _Bearer(OAuth2):
    """Declares in the OpenAPI document how to sign in, and reads the header strictly."""

    def __init__(self) -> None:
        client_scopes = {name: SCOPES[name] for name in _CLIENT_SCOPES}
        super().__init__(
            flows=OAuthFlows(
                password=OAuthFlowPassword(tokenUrl=_TOKEN_URL, refreshUrl=_TOKEN_URL, scopes=SCOPES),
                clientCredentials=OAuthFlowClientCredentials(tokenUrl=_TOKEN_URL, scopes=client_scopes),
            ),
            scheme_name="oauth2",
            description="access tokens are JWTs (RFC 9068), signed with ES256, valid for ten minutes",
        )

    async def __call__(self, request: HTTPConnection) -> str:
        """The token. Raises Unauthenticated."""
        return token_of(request.headers)


bearer_token = _Bearer()


def token_of(headers: Headers) -> str:
    """The token in the headers of a request. Raises Unauthenticated."""
    values = headers.getlist("authorization")
    if not values:
        raise Unauthenticated("send the header `Authorization: Bearer <token>`")
    scheme, _, token = values[0].partition(" ")
    if len(values) != 1 or scheme.lower() != "bearer" or not token:
        raise Unauthenticated("the Authorization header is not a single bearer token")
    return token
