"""Accounts, tokens, clients, the audit log and keys: routes of auth_service, forwarded.

Forwarded are the operations that the public document lists under these prefixes, and no others. auth_service checks the
tokens itself. It is part of this system, and its own tests compare its answers with its document; so the gateway checks
the status and the media type of an answer, to notice that something else answered, and does not parse the body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request, Response

from gateway.api.dependencies import Dependencies
from gateway.api.forwarding import check_answer, forwarding_router
from hepar.core.deadlines import Deadline
from hepar.web.client_address import forwarded_client
from hepar.web.openapi import Json

_PREFIXES = (
    "/v1/users", "/v1/account-options", "/v1/invitations", "/v1/password-reset", "/v1/address-verification",
    "/v1/token", "/v1/clients", "/v1/audit", "/.well-known/",
)  # fmt: skip
_REQUEST_HEADERS = ("authorization", "content-type")
_RESPONSE_HEADERS = ("content-type", "location")


def router(document: Json) -> APIRouter:
    return forwarding_router(document, _PREFIXES, _endpoint)


def _endpoint(operations: dict[str, Json]) -> Callable[..., Awaitable[Response]]:
    async def forward(request: Request, dependencies: Dependencies) -> Response:
        headers = {name: request.headers[name] for name in _REQUEST_HEADERS if name in request.headers}
        query = f"?{request.url.query}" if request.url.query else ""
        answer = await dependencies.auth.request(
            request.method,
            request.scope["raw_path"].decode() + query,
            Deadline.after(dependencies.settings.account_deadline_s),
            headers=headers | forwarded_client(request),
            content=await request.body(),
        )
        responses = operations[request.method]["responses"]
        media_type = answer.headers.get("content-type", "").partition(";")[0] or None
        check_answer(answer.status, media_type, responses, "sign-in")
        sent = {name: answer.headers[name] for name in _RESPONSE_HEADERS if name in answer.headers}
        return Response(answer.content, answer.status, sent)

    return forward
