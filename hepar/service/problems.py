"""Errors as types of the domain, turned into RFC 9457 problem+json in one place."""

from __future__ import annotations

from typing import ClassVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from hepar.contracts.problem_types import PREFIX, PROBLEM_TYPES
from hepar.contracts.problems import Problem
from hepar.service.requests import current_request_id

MEDIA_TYPE = "application/problem+json"


class HeparError(Exception):
    """An error with a meaning for the caller. `slug` is the stable end of its problem type."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong on our side"
    slug: ClassVar[str] = "internal-error"
    headers: ClassVar[dict[str, str]] = {}
    oauth_error: ClassVar[str | None] = None

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title

    def response_headers(self) -> dict[str, str]:
        """Those of its class; an error that knows more says more."""
        return self.headers


class ClientError(HeparError):
    """The caller can mend it."""

    status, title, slug = 400, "The request is not valid", "invalid-request"


class InvalidRequest(ClientError):
    """A field is missing or wrong."""

    status, slug = 422, "invalid-request"


class Unauthenticated(ClientError):
    """No token, or one that does not count."""

    status, title, slug = 401, "Sign in first", "unauthenticated"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class Forbidden(ClientError):
    """The token lacks the scope."""

    status, title, slug = 403, "Not allowed", "forbidden"


class TooLarge(ClientError):
    """More bytes or pixels than the published limits."""

    status, title, slug = 413, "The upload is too large", "too-large"


class UnsupportedMedia(ClientError):
    """A format that is not read here."""

    status, title, slug = 415, "The format is not supported", "unsupported-media"


class NothingHere(ClientError):
    """No route, or a part of a path that names nothing."""

    status, title, slug = 404, "There is nothing here", "http-404"


class Unavailable(HeparError):
    """A part of the system that this answer needs does not answer now."""

    status, title, slug = 503, "Not available at the moment", "unavailable"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "5"}


class DeadlineExceeded(HeparError):
    """The answer was not ready in time."""

    status, title, slug = 504, "The answer was not ready in time", "deadline-exceeded"


class BadUpstream(HeparError):
    """A part of the system answered something it must not."""

    status, title, slug = 502, "A part of the system gave a wrong answer", "bad-upstream"


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
