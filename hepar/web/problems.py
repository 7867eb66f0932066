"""Domain errors as RFC 9457 problem+json: the one place where they are turned into responses."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from hepar.contracts.problem_types import PREFIX, PROBLEM_TYPES
from hepar.contracts.problems import Problem
from hepar.core.errors import HeparError, InvalidRequest
from hepar.core.request_context import current_request_id

MEDIA_TYPE = "application/problem+json"


def problem_of(error: HeparError) -> Problem:
    """The document for an error, with the id of the request under way."""
    return Problem(
        type=PREFIX + error.slug,
        title=error.title,
        status=error.status,
        detail=error.detail,
        request_id=current_request_id(),
        error=error.oauth_error,
    )


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(problem.model_dump(exclude_none=True), problem.status, headers=headers, media_type=MEDIA_TYPE)


def install_problem_handlers(app: FastAPI) -> None:
    """Every foreseen error of the app leaves as problem+json; the guard answers for the others."""

    async def known(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HeparError)  # noqa: S101  the registration below says so
        return problem_response(problem_of(error), error.response_headers())

    async def invalid(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101  the registration below says so
        faults = [f"{'.'.join(map(str, fault['loc'][1:]))}: {fault['msg']}" for fault in error.errors()]
        return problem_response(problem_of(InvalidRequest("; ".join(faults))))

    async def http(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101  the registration below says so
        known = PROBLEM_TYPES.get(f"http-{error.status_code}")
        title = known.title if known else "The request is not valid"
        problem = Problem(
            type=f"{PREFIX}http-{error.status_code}",
            title=title,
            status=error.status_code,
            detail=title,
            request_id=current_request_id(),
        )
        return problem_response(problem, dict(error.headers or {}))

    async def gone(_request: Request, _error: Exception) -> JSONResponse:
        return problem_response(problem_of(InvalidRequest("the upload ended before its announced length")))

    app.add_exception_handler(HeparError, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(ClientDisconnect, gone)
