"""Errors, as RFC 9457 problem details."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from .base import Document, with_example


class FieldError(Document):
    """One part of a request that is not valid."""

    location: Literal["body", "query", "path", "header"] = Field(description="which part of the request holds it")
    pointer: str = Field(
        description="JSON Pointer (RFC 6901) into that part, for example `/email`; empty for the part as a whole"
    )
    code: str = Field(description="stable name of the rule that was broken, for example `missing` or `too_long`")
    message: str = Field(description="the rule in words")


class Problem(Document):
    """Every error of every service, as application/problem+json."""

    model_config = with_example(
        {
            "kind": "problem",
            "type": "/problems/unavailable",
            "title": "Not available at the moment",
            "status": 503,
            "detail": "classification is not available at the moment",
            "request_id": "3b1f7b1e6a1a4b0f9d5c2e8a7f604d11",
        }
    )

    kind: Literal["problem"] = Field(default="problem", description="tells a problem from a result")
    type: str = Field(
        description="stable URI of the kind of problem, relative to the gateway; the page there explains its cause and "
        "its remedy"
    )
    title: str = Field(description="the kind of problem in words, always the same")
    status: int = Field(ge=400, le=599, description="the HTTP status")
    detail: str = Field(description="what went wrong this time, in words for the caller")
    request_id: str = Field(description="identifies this request; include it in a support request")
    error: str | None = Field(default=None, description="at the token endpoint: the code of RFC 6749, section 5.2")
    errors: list[FieldError] | None = Field(
        default=None, description="the invalid fields, where the request failed validation"
    )


@dataclass(frozen=True)
class ProblemType:
    """A page of the documentation. statuses: the HTTP statuses that it is returned with."""

    title: str
    statuses: tuple[int, ...]
    cause: str
    action: str
