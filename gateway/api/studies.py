"""Studies, webhooks, destinations: routes of study_service, forwarded in both directions while the bytes arrive.

Forwarded are the operations that the public document lists under these prefixes. The gateway checks the token's scope
and the size of an upload; study_service verifies the token again and knows whose study it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from gateway.api.dependencies import (
    STUDY_SCOPE_REQUIRED,
    Dependencies,
    GatewayDependencies,
    TokenDep,
    authorization,
)
from gateway.api.forwarding import check_answer, forwarding_router
from hepar.contracts.destinations import DESTINATIONS_PATH, SENDS_PATH
from hepar.contracts.studies import STUDIES_PATH
from hepar.contracts.system_state import SYSTEM_PATH
from hepar.core.deadlines import Deadline
from hepar.web.client_address import forwarded_client
from hepar.web.guard import is_head
from hepar.web.openapi import Json
from hepar.web.uploads import MULTIPART_OVERHEAD_BYTES, check_announced_length, limited

_PREFIXES = (STUDIES_PATH, "/v1/corrections", "/v1/webhooks", DESTINATIONS_PATH, SENDS_PATH, SYSTEM_PATH)
_REQUEST_HEADERS = ("content-type", "accept")
"""Besides those that the operation has as parameters."""
_RESPONSE_HEADERS = (
    "content-type", "content-length", "content-disposition", "location", "etag", "cache-control", "vary", "retry-after",
)  # fmt: skip
_FETCHES = "/fetches"
"""An archive may need as long as a sender."""
SILENCE_S = 40.0
"""Between two pieces of an answer. An event stream has a comment every 15 s."""


def router(document: Json) -> APIRouter:
    return forwarding_router(document, _PREFIXES, _endpoint, [STUDY_SCOPE_REQUIRED])


def _endpoint(operations: dict[str, Json]) -> Callable[..., Awaitable[Response]]:
    names = {method: [*_REQUEST_HEADERS, *_header_parameters(operation)] for method, operation in operations.items()}

    async def forward(request: Request, dependencies: Dependencies, token: TokenDep) -> Response:
        headers = {name: request.headers[name] for name in names[request.method] if name in request.headers}
        query = f"?{request.url.query}" if request.url.query else ""
        upload = request.method == "POST" and request.url.path == STUDIES_PATH
        slow = upload or request.url.path.endswith(_FETCHES)
        settings = dependencies.settings
        async with AsyncExitStack() as stack:
            answer = await stack.enter_async_context(
                dependencies.study.stream(
                    "HEAD" if is_head(request.scope) else request.method,
                    request.scope["raw_path"].decode() + query,
                    Deadline.after(settings.study_upload_s if slow else settings.study_deadline_s),
                    silence_s=SILENCE_S,
                    headers=headers | authorization(token) | forwarded_client(request),
                    content=study_upload(request, dependencies) if upload else await request.body(),
                )
            )
            media_type = answer.headers.get("content-type", "").partition(";")[0]
            check_answer(answer.status, media_type, operations[request.method]["responses"], "studies")
            sent = {name: answer.headers[name] for name in _RESPONSE_HEADERS if name in answer.headers}
            return StreamingResponse(answer_body(answer, stack.pop_all()), answer.status, sent)

    return forward


def _header_parameters(operation: Json) -> list[str]:
    return [parameter["name"] for parameter in operation.get("parameters", []) if parameter.get("in") == "header"]


def study_upload(request: Request, dependencies: GatewayDependencies) -> AsyncIterator[bytes]:
    """Raises TooLarge and InvalidContentLength, at once or while it is read."""
    bytes_max = dependencies.settings.study_bytes_max
    check_announced_length(request, bytes_max)
    return limited(request.stream(), bytes_max + MULTIPART_OVERHEAD_BYTES)


async def answer_body(answer: aiohttp.ClientResponse, connection: AsyncExitStack) -> AsyncIterator[bytes]:
    async with connection:
        async for chunk in answer.content.iter_any():
            yield chunk
