"""Routes that the public document lists of another service, and that the gateway forwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import APIRouter, Response

from hepar.core.errors import BadUpstream
from hepar.web.openapi import Json

Endpoint = Callable[..., Awaitable[Response]]


def forwarding_router(
    document: Json,
    prefixes: tuple[str, ...],
    endpoint_of: Callable[[dict[str, Json]], Endpoint],
    dependencies: Sequence[Any] = (),
) -> APIRouter:
    """endpoint_of: makes the endpoint of a path from its operations by method.  dependencies: of each route."""
    made = APIRouter(include_in_schema=False, dependencies=list(dependencies))
    for path, methods in document["paths"].items():
        if path.startswith(prefixes):
            operations = {method.upper(): operation for method, operation in methods.items()}
            made.add_api_route(path, endpoint_of(operations), methods=list(operations))
    return made


def check_answer(status: int, media_type: str | None, responses: Json, purpose: str) -> None:
    """Raises BadUpstream for a status or a media type that the operation does not have in the document."""
    content = responses.get(str(status), {}).get("content", {})
    if str(status) not in responses or (content and media_type not in content):
        raise BadUpstream(f"{purpose} gave a wrong answer")
