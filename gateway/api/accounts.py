"""Accounts, tokens, clients, the audit log and keys: routes of auth_service, forwarded.

Forwarded are the operations that the public document lists under these prefixes, and no others. auth_service checks the
tokens itself. It is part of this system, and its own tests compare its answers with its document; so the gateway checks
the status and the media type of an answer, to notice that something else answered, and does not parse the body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
from fastapi import APIRouter, Request, Response

from gateway.api.dependencies import Dependencies
from hepar.core.deadlines import Deadline
from hepar.core.errors import BadUpstream
from hepar.web.openapi import Json

_PREFIXES = (
    "/v1/users", "/v1/account-options", "/v1/password-reset", "/v1/address-verification", "/v1/token", "/v1/clients",
    "/v1/audit", "/.well-known/",
)  # fmt: skip
_REQUEST_HEADERS = ("authorization", "content-type")
_RESPONSE_HEADERS = ("content-type", "location")


def router(document: Json) -> APIRouter:
    made = APIRouter(include_in_schema=False)
    for path, methods in document["paths"].items():
        if path.startswith(_PREFIXES):
            operations = {method.upper(): operation for method, operation in methods.items()}
            made.add_api_route(path, _endpoint(operations), methods=list(operations))
    return made


def _endpoint(operations: dict[str, Json]) -> Callable[..., Awaitable[Response]]:
    async def forward(request: Request, dependencies: Dependencies) -> Response:
        headers = {name: request.headers[name] for name in _REQUEST_HEADERS if name in request.headers}
        if request.client is not None:
            headers["x-forwarded-for"] = request.client.host
        query = f"?{request.url.query}" if request.url.query else ""
        answer = await dependencies.auth.request(
            request.method,
            request.scope["raw_path"].decode() + query,
            Deadline.after(dependencies.settings.account_deadline_s),
            headers=headers,
            content=await request.body(),
        )
        _check(answer, operations[request.method]["responses"])
        sent = {name: answer.headers[name] for name in _RESPONSE_HEADERS if name in answer.headers}
        return Response(answer.content, answer.status_code, sent)

    return forward


def _check(answer: httpx.Response, responses: Json) -> None:
    """Raises BadUpstream for a status or a media type that the document does not have."""
    content = responses.get(str(answer.status_code), {}).get("content", {})
    media_type = answer.headers.get("content-type")
    if str(answer.status_code) not in responses or (content and media_type not in content):
        raise BadUpstream("sign-in gave a wrong answer")
