"""Query parameters: dates, and the refusal of those that an operation does not have, such as misspelt ones."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from pydantic import BeforeValidator

from hepar.core.errors import InvalidField, InvalidRequest
from hepar.web.openapi import HEALTH_TAG, problems_of

_NAME_LENGTH_MAX = 100
_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _written_date(value: object) -> object:
    """A number is refused: pydantic would read it as seconds, which the document does not say."""
    if isinstance(value, str) and not _DATE.fullmatch(value):
        raise ValueError("a date is written YYYY-MM-DD")
    return value


WrittenDate = Annotated[date, BeforeValidator(_written_date)]
"""Of a query parameter: YYYY-MM-DD."""


async def refuse_unknown_query(request: Request) -> None:
    """A dependency of a whole app. Raises InvalidRequest.

    A health check may have any query, and so may a token request (RFC 6749, section 3.2).
    """
    app, route = request.app, request.scope.get("route")
    if not request.url.query or not isinstance(app, FastAPI) or not isinstance(route, APIRoute):
        return
    known = query_names(app, request.method, route.path_format)
    unknown = [] if known is None else sorted(set(request.query_params) - known)
    if unknown:
        message = "there is no such query parameter"
        raise InvalidRequest(message, *(InvalidField("query", _pointer(name), "unknown", message) for name in unknown))


def query_names(app: FastAPI, method: str, path: str) -> set[str] | None:
    """The query parameters of an operation, as the document of the app has them; None where any may be sent."""
    operation = app.openapi()["paths"].get(path, {}).get(method.lower())
    if operation is None or HEALTH_TAG in operation["tags"] or "invalid-token-request" in problems_of(operation):
        return None
    return {parameter["name"] for parameter in operation["parameters"] if parameter.get("in") == "query"}


def _pointer(name: str) -> str:
    """A JSON Pointer (RFC 6901) of bounded length."""
    return "/" + name[:_NAME_LENGTH_MAX].replace("~", "~0").replace("/", "~1")
