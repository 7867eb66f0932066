"""Errors of the FHIR interface. The gateway writes them as OperationOutcome."""

from __future__ import annotations

from hepar.core.errors import ClientError, InvalidField, NotFound


class InvalidSearch(ClientError):
    """A parameter cannot be understood, or the caller refuses that it be ignored."""

    status, title, slug = 400, "The search is not valid", "invalid-search"

    @classmethod
    def of(cls, name: str, message: str) -> InvalidSearch:
        return cls(f"{name}: {message}", InvalidField("query", f"/{name}", "invalid", message))


class NotAcceptable(ClientError):
    """Only JSON of FHIR R4 is served."""

    status, title, slug = 406, "The answer has no form that is accepted", "not-acceptable"


class NoSuchResource(NotFound):
    """There is none, or the caller may not see its study: the caller cannot tell."""

    def __init__(self) -> None:
        super().__init__("there is no such resource")


class NoSuchType(NotFound):
    """This server has no resources of the type."""
