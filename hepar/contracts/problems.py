"""Errors, as RFC 9457 problem details."""

from pydantic import Field

from hepar.contracts.base import Document


class Problem(Document):
    """Every error of every service, as application/problem+json."""

    type: str = Field(
        description="stable URI of the kind of problem, relative to the gateway; a page there tells its cause and cure"
    )
    title: str = Field(description="the kind of problem in words, always the same")
    status: int = Field(ge=400, le=599, description="the HTTP status")
    detail: str = Field(description="what went wrong this time, in words for the caller")
    request_id: str = Field(description="quote it when asking for help")
    error: str | None = Field(default=None, description="at the token endpoint: the code of RFC 6749, section 5.2")
