"""Errors as types of the domain. hepar.web.problems turns them into RFC 9457 problem documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

FieldLocation = Literal["body", "query", "path", "header"]


@dataclass(frozen=True)
class InvalidField:
    """A part of a request that breaks a rule.

    pointer: JSON Pointer (RFC 6901) into the part that `location` names.  code: stable name of the rule.
    """

    location: FieldLocation
    pointer: str
    code: str
    message: str


class HeparError(Exception):
    """An error with a meaning for the client.

    slug: the stable end of its problem type.  fields: the invalid parts of the request, where they are known.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    slug: ClassVar[str] = "internal-error"
    headers: ClassVar[dict[str, str]] = {}
    oauth_error: ClassVar[str | None] = None

    def __init__(self, detail: str = "", *fields: InvalidField) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.fields = fields

    def response_headers(self) -> dict[str, str]:
        """The headers of its class; subclasses with more information override it."""
        return self.headers


class ClientError(HeparError):
    """The client can correct it."""

    status, title, slug = 422, "The request is not valid", "invalid-request"


class InvalidRequest(ClientError):
    """A field is missing or invalid."""


class Unauthenticated(ClientError):
    """The token is missing or invalid."""

    status, title, slug = 401, "Sign in first", "unauthenticated"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class Forbidden(ClientError):
    """The token lacks the scope."""

    status, title, slug = 403, "Not allowed", "forbidden"


class TooLarge(ClientError):
    """More bytes or pixels than the published limits."""

    status, title, slug = 413, "The upload is too large", "too-large"


class UnsupportedMedia(ClientError):
    """The format is not supported."""

    status, title, slug = 415, "The format is not supported", "unsupported-media"


class NotFound(ClientError):
    """No such route or resource."""

    status, title, slug = 404, "Not found", "http-404"


class Unavailable(HeparError):
    """A component that the response needs is not available."""

    status, title, slug = 503, "Not available at the moment", "unavailable"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "5"}


class Busy(Unavailable):
    """As much work is in flight, or waits, as this process accepts."""

    title, slug = "Too many requests at the moment", "busy"


class DeadlineExceeded(HeparError):
    """The response was not ready in time."""

    status, title, slug = 504, "The response was not ready in time", "deadline-exceeded"


class BadUpstream(HeparError):
    """A component returned a response that breaks its contract."""

    status, title, slug = 502, "An internal component returned an invalid response", "bad-upstream"


class InsufficientStorage(HeparError):
    """There is no room left for what was sent or computed."""

    status, title, slug = 507, "The storage is full", "insufficient-storage"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "60"}
