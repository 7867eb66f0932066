"""Studies and webhooks: routes of study_service, forwarded in both directions while the bytes arrive.

Forwarded are the operations that the public document lists under these prefixes. The gateway checks the token's scope
and the size of an upload; study_service verifies the token again and knows whose study it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import httpx
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from gateway.api.dependencies import (
    STUDY_SCOPE_REQUIRED,
    Dependencies,
    GatewayDependencies,
    TokenDep,
    authorization,
)
from hepar.contracts.studies import STUDIES_PATH
from hepar.core.deadlines import Deadline
from hepar.core.errors import BadUpstream
from hepar.web.guard import is_head
from hepar.web.openapi import Json
from hepar.web.uploads import MULTIPART_OVERHEAD_BYTES, check_announced_length, limited

_PREFIXES = (STUDIES_PATH, "/v1/webhooks")
_REQUEST_HEADERS = ("content-type", "accept")
"""Besides those that the operation has as parameters."""
_RESPONSE_HEADERS = (
    "content-type", "content-length", "content-disposition", "location", "etag", "cache-control", "vary", "retry-after",
)  # fmt: skip
_SILENCE_S = 40.0
"""Between two pieces of an answer. An event stream has a comment every 15 s."""


def router(document: Json) -> APIRouter:
    made = APIRouter(include_in_schema=False, dependencies=[STUDY_SCOPE_REQUIRED])
    for path, methods in document["paths"].items():
        if path.startswith(_PREFIXES):
            operations = {method.upper(): operation for method, operation in methods.items()}
            made.add_api_route(path, _endpoint(operations), methods=list(operations))
    return made


def _endpoint(operations: dict[str, Json]) -> Callable[..., Awaitable[Response]]:
    names = {method: [*_REQUEST_HEADERS, *_header_parameters(operation)] for method, operation in operations.items()}

    async def forward(request: Request, dependencies: Dependencies, token: TokenDep) -> Response:
        headers = {name: request.headers[name] for name in names[request.method] if name in request.headers}
        query = f"?{request.url.query}" if request.url.query else ""
        upload = request.method == "POST" and request.url.path == STUDIES_PATH
        settings = dependencies.settings
        async with AsyncExitStack() as stack:
            answer = await stack.enter_async_context(
                dependencies.study.stream(
                    "HEAD" if is_head(request.scope) else request.method,
                    request.scope["raw_path"].decode() + query,
                    Deadline.after(settings.study_upload_s if upload else settings.study_deadline_s),
                    silence_s=_SILENCE_S,
                    headers=headers | authorization(token),
                    content=_upload(request, dependencies) if upload else await request.body(),
                )
            )
            _check(answer, operations[request.method]["responses"])
            sent = {name: answer.headers[name] for name in _RESPONSE_HEADERS if name in answer.headers}
            return StreamingResponse(_body(answer, stack.pop_all()), answer.status_code, sent)

    return forward


def _header_parameters(operation: Json) -> list[str]:
    return [parameter["name"] for parameter in operation.get("parameters", []) if parameter.get("in") == "header"]


def _upload(request: Request, dependencies: GatewayDependencies) -> AsyncIterator[bytes]:
    """Raises TooLarge and InvalidContentLength, at once or while it is read."""
    bytes_max = dependencies.settings.study_bytes_max
    check_announced_length(request, bytes_max)
    return limited(request.stream(), bytes_max + MULTIPART_OVERHEAD_BYTES)


async def _body(answer: httpx.Response, connection: AsyncExitStack) -> AsyncIterator[bytes]:
    async with connection:
        async for chunk in answer.aiter_raw():
            yield chunk


def _check(answer: httpx.Response, responses: Json) -> None:
    """Raises BadUpstream for a status or a media type that the document does not have."""
    content = responses.get(str(answer.status_code), {}).get("content", {})
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    if str(answer.status_code) not in responses or (content and media_type not in content):
        raise BadUpstream("studies gave a wrong answer")
