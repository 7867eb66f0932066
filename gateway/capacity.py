"""How the gateway's capacity is shared: docs/decisions/0026."""

from __future__ import annotations

from starlette.types import Scope

from gateway.authentication import authenticated_principal
from hepar.contracts.studies import STUDIES_PATH, STUDY_UPLOAD_PATHS
from hepar.web.connection_limits import client_network
from hepar.web.in_flight import ALL
from hepar.web.request_body import listed_path

API_PATHS = ("/v1/", "/.well-known/", "/dicom-web/")
"""What costs more than reading a file."""

_UPLOADS, _EVENTS = "study uploads", "study events"


def _long_kind(scope: Scope) -> str | None:
    if scope["method"] == "POST" and listed_path(scope["path"], STUDY_UPLOAD_PATHS):
        return _UPLOADS
    if scope["path"].startswith(STUDIES_PATH) and scope["path"].endswith("/events"):
        return _EVENTS
    return None


class Capacity:
    """Shares of a gateway that serves `concurrent_max` requests at the same time.

    One account has half of it. Requests without a valid token have half of it together, a quarter per address. Pages
    and other files take no part of the capacity, and are limited per address only.

    Sending a study and following its progress take minutes: each has a capacity of its own, of which one account has a
    quarter, so that they keep nobody from analysing images.
    """

    def __init__(self, concurrent_max: int, study_uploads_max: int) -> None:
        self._all = concurrent_max
        self._half = max(concurrent_max // 2, 1)
        self._quarter = max(concurrent_max // 4, 1)
        self._study_uploads = study_uploads_max

    def _long(self, kind: str) -> int:
        return self._study_uploads if kind == _UPLOADS else self._all

    def of_caller(self, scope: Scope) -> dict[str, int]:
        """From the first header until the reader took the answer: the body may still be arriving."""
        principal = authenticated_principal(scope)
        kind = _long_kind(scope)
        if principal is not None and kind is not None:
            return {f"{kind} of account {principal.subject}": max(self._long(kind) // 4, 1)}
        if principal is not None:
            return {f"account {principal.subject}": self._half}
        if scope["path"].startswith(API_PATHS):
            return {f"address {client_network(scope)}": self._quarter}
        return {f"pages {client_network(scope)}": self._all}

    def of_all(self, scope: Scope) -> dict[str, int]:
        """While a request is served. Small bodies are complete by then."""
        if not scope["path"].startswith(API_PATHS):
            return {}
        kind = _long_kind(scope)
        if authenticated_principal(scope) and kind is not None:
            return {kind: self._long(kind)}
        return {ALL: self._all} if authenticated_principal(scope) else {ALL: self._all, "anonymous": self._half}
