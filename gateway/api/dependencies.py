"""Dependencies of the routes: the gateway's parts, the caller's scope, the deadline, and the upload."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, FastAPI, Request, Security
from fastapi.security import SecurityScopes

from gateway.authentication import authenticated_principal
from gateway.settings import GatewaySettings
from hepar.core.deadlines import Deadline
from hepar.web.bearer import IMAGE_SCOPE, STUDY_SCOPE, bearer_token, token_of
from hepar.web.query import query_names
from hepar.web.timeouts import TimeoutMs
from hepar.web.token_verifier import TokenVerifier
from hepar.web.uploads import MULTIPART_OVERHEAD_BYTES, check_announced, limited
from hepar.web.upstream import Upstream


@dataclass(frozen=True)
class GatewayDependencies:
    """The parts that routes work with; made by the app's lifespan."""

    settings: GatewaySettings
    verifier: TokenVerifier
    auth: Upstream
    classify: Upstream
    detect: Upstream
    study: Upstream


def _dependencies_of(request: Request) -> GatewayDependencies:
    """Dependencies of a route call this themselves: FastAPI takes much longer to resolve what they depend on."""
    dependencies: GatewayDependencies = request.app.state.dependencies
    return dependencies


async def _dependencies(request: Request) -> GatewayDependencies:
    return _dependencies_of(request)


Dependencies = Annotated[GatewayDependencies, Depends(_dependencies)]
TokenDep = Annotated[str, Depends(bearer_token)]


async def _require_scope(required: SecurityScopes, request: Request, token: TokenDep) -> None:
    """Raises Unauthenticated, Unavailable, and Forbidden for a token without the scope that the route declares."""
    principal = authenticated_principal(request.scope) or await _dependencies_of(request).verifier.principal(token)
    principal.require(required.scopes)


IMAGE_SCOPE_REQUIRED = Security(_require_scope, scopes=[IMAGE_SCOPE])
"""For routes of images and models. The services behind them verify the token, too."""
STUDY_SCOPE_REQUIRED = Security(_require_scope, scopes=[STUDY_SCOPE])
"""For routes of studies, in the same way."""


async def _deadline(request: Request, timeout_ms: TimeoutMs = None) -> Deadline:
    return Deadline.within(timeout_ms, _dependencies_of(request).settings.deadline_s)


async def _batch_deadline(request: Request, timeout_ms: TimeoutMs = None) -> Deadline:
    return Deadline.within(timeout_ms, _dependencies_of(request).settings.batch_deadline_s)


DeadlineDep = Annotated[Deadline, Depends(_deadline)]
BatchDeadlineDep = Annotated[Deadline, Depends(_batch_deadline)]


@dataclass(frozen=True)
class Upload:
    """A checked but unread body, its media type and the caller's token as headers, and the query of the request."""

    body: AsyncIterator[bytes]
    headers: dict[str, str]
    query: str
    app: FastAPI

    def target(self, path: str) -> str:
        """The path at the service, with those parameters of the caller's query that the service has."""
        names = query_names(self.app, "POST", path)
        parameters = parse_qsl(self.query, keep_blank_values=True)
        query = urlencode([(name, value) for name, value in parameters if names is None or name in names])
        return f"{path}?{query}" if query else path


def authorization(token: str) -> dict[str, str]:
    """The header that hands the caller's token on to a service."""
    return {"authorization": f"Bearer {token}"}


async def _upload(request: Request) -> Upload:
    settings = _dependencies_of(request).settings
    check_announced(request, settings.upload_bytes_max)
    headers = {"content-type": request.headers["content-type"]} | authorization(token_of(request.headers))
    body = limited(request.stream(), settings.upload_bytes_max + MULTIPART_OVERHEAD_BYTES)
    return Upload(body, headers, request.url.query, request.app)


UploadDep = Annotated[Upload, Depends(_upload)]
