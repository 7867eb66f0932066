"""Domain errors as RFC 9457 problem+json: the one place where they are turned into responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from hepar.contracts.problem_types import PREFIX, PROBLEM_TYPES
from hepar.contracts.problems import FieldError, Problem
from hepar.core.errors import HeparError, InvalidField, InvalidRequest
from hepar.core.request_context import current_request_id

MEDIA_TYPE = "application/problem+json"


def problem_of(error: HeparError) -> Problem:
    """The document for an error, with the id of the current request."""
    return Problem(
        type=PREFIX + error.slug,
        title=error.title,
        status=error.status,
        detail=error.detail,
        request_id=current_request_id(),
        error=error.oauth_error,
        errors=[
            FieldError(location=field.location, pointer=field.pointer, code=field.code, message=field.message)
            for field in error.fields
        ]
        or None,
    )


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(problem.model_dump(exclude_none=True), problem.status, headers=headers, media_type=MEDIA_TYPE)


def _invalid_field(fault: Mapping[str, Any]) -> InvalidField:
    """fault: one entry of pydantic's `errors()`. Its `loc` begins with the part of the request."""
    location, *path = fault["loc"]
    if fault["type"] == "json_invalid":  # the rest of `loc` is an offset in bytes
        path = []
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    pointer = "".join(f"/{part}" for part in escaped)
    return InvalidField(location, pointer, fault["type"], fault["msg"])


def invalid_request(error: RequestValidationError) -> InvalidRequest:
    """What FastAPI found wrong with a request, with all fields."""
    fields = [_invalid_field(fault) for fault in error.errors()]
    detail = "; ".join(f"{field.pointer.lstrip('/') or field.location}: {field.message}" for field in fields)
    return InvalidRequest(detail, *fields)


def install_problem_handlers(app: FastAPI) -> None:
    """Every foreseen error of the app leaves as problem+json; the guard answers for the others."""

    async def known(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HeparError)  # noqa: S101  the registration below says so
        return problem_response(problem_of(error), error.response_headers())

    async def invalid(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101  the registration below says so
        return problem_response(problem_of(invalid_request(error)))

    async def http(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101  the registration below says so
        if error.status_code == 400:  # FastAPI's answer to a body that it cannot read
            message = "the body cannot be read"
            return problem_response(
                problem_of(InvalidRequest(message, InvalidField("body", "", "unreadable", message)))
            )
        known = PROBLEM_TYPES.get(f"http-{error.status_code}")
        title = known.title if known else "The request is not valid"
        problem = Problem(
            type=f"{PREFIX}http-{error.status_code}",
            title=title,
            status=error.status_code,
            detail=title,
            request_id=current_request_id(),
        )
        headers = dict(error.headers or {})
        if "Allow" in headers:
            allowed = {method.strip() for method in headers["Allow"].split(",")}
            headers["Allow"] = ", ".join(sorted(allowed | {"HEAD"} if "GET" in allowed else allowed))
        return problem_response(problem, headers)

    async def gone(_request: Request, _error: Exception) -> JSONResponse:
        message = "the upload ended before its announced length"
        field = InvalidField("body", "", "incomplete", message)
        return problem_response(problem_of(InvalidRequest(message, field)))

    app.add_exception_handler(HeparError, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(ClientDisconnect, gone)
