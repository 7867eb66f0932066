"""The public OpenAPI document: those of the services and the gateway's own in one, with what the gateway adds to each.

It is composed at build time (tools/public_document.py), because the gateway's image holds no other service's code. The
gateway serves openapi.json next to this file, and forwards the account operations that it lists.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from pathlib import Path

from gateway.api import UPLOAD_PATHS
from hepar.contracts.base import RESEARCH_USE_NOTICE
from hepar.web import openapi
from hepar.web.openapi import Json

FILE = Path(__file__).with_name("openapi.json")

_TAGS = {
    "analyses": "One CT image in, a classification and boxes out.",
    "batches": "Many images in one request, answered in order or as server-sent events.",
    "studies": "A whole CT study of one patient in, lesions in three dimensions and one result out.",
    "findings": "What readers make of the lesions of a study: accepted, rejected, retyped, outlined, added.",
    "webhooks": "Calls to your own systems when studies are finished or failed.",
    "destinations": "Archives and record systems that results are sent to, and the queues of these sends.",
    "models": "The models, their metrics, and which of them answer now.",
    "tokens": "Signing in (OAuth 2.0).",
    "account": "The caller's own account.",
    "administration": "Other people's accounts, and the audit log.",
    "clients": "Hospital systems that sign in by themselves.",
    "keys": "What other services need to verify tokens.",
    "health": "For load balancers and monitoring.",
}
_DESCRIPTION = f"""\
**{RESEARCH_USE_NOTICE}**

Send one axial CT slice (PNG, JPEG, TIFF, BMP, WebP or DICOM). The answer says whether it looks like cholangiocarcinoma,
metastasis or no tumour, and where the lesions are.

Send a whole study of one patient to `POST /v1/studies` (a ZIP, many DICOM files, or NIfTI). It is analysed in the
background: lesions in three dimensions, and one result for the patient.

**Signing in.** `POST /v1/token` returns an access token that is valid for ten minutes; send it as
`Authorization: Bearer <token>`.

**Errors** are `application/problem+json` (RFC 9457). `type` is stable and leads to a page with the cause and the
remedy.

**Repeating an analysis.** Give it an `Idempotency-Key` (a new UUID for each request). Repeated within 24 hours by the
same account with the same key and body, a complete result is sent again and nothing is computed twice; with another
body the request is refused. Errors and results with a failed part are not stored: a repetition computes them again.

**Lists** are sent in pages. Send `next` of one page as `after` to get the following one.

**Rate limits.** `RateLimit-Policy` and `RateLimit` give the caller's limits and what is left of them (q: requests,
w: length of the window in seconds, r: requests left, t: seconds until the window is over). After 429 and 503 wait for
the seconds in `Retry-After`.

**Time.** `X-Hepar-Timeout-Ms` gives the milliseconds that the caller waits; after them the answer is 504. Closing the
connection ends the work.
"""
_HEADERS: dict[str, Json] = openapi.HEADERS | {
    "RateLimit-Policy": {
        "description": "the caller's limits, as `name;q=requests;w=seconds`",
        "schema": {"type": "string"},
    },
    "RateLimit": {"description": "what is left of them, as `name;r=requests;t=seconds`", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "`true` where the answer is that of an earlier request",
        "schema": {"type": "string"},
    },
}
_PARAMETERS: dict[str, Json] = openapi.PARAMETERS | {
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "a new UUID for each request, or 16 to 128 letters, digits and `_ . : -` that nobody can guess; "
        "a repetition with the same key gets the same result",
        "schema": {"type": "string", "pattern": '^"?[A-Za-z0-9_.:-]{16,128}"?$'},
    },
}
_PROBLEMS = ("rate-limited", "unavailable", "deadline-exceeded", "bad-upstream")
_STORED_PROBLEMS = ("invalid-request", "idempotency-key-reused", "idempotency-in-progress")


def load_public_document() -> Json:
    document: Json = json.loads(FILE.read_text())
    return document


def compose(own: Json, services: Iterable[Json]) -> Json:
    """own: the gateway's document of its own routes, which take precedence over a service's of the same path."""
    document = copy.deepcopy(own)
    components = document["components"]
    for service in copy.deepcopy(list(services)):
        document["paths"] = service["paths"] | document["paths"]
        for kind in ("schemas", "securitySchemes"):
            components[kind] = service["components"].get(kind, {}) | components.get(kind, {})
    document["paths"] = dict(sorted(document["paths"].items(), key=_place))
    for path, _, operation in openapi.operations(document):
        if openapi.HEALTH_TAG not in operation["tags"]:
            _add_gateway(path, operation)
    openapi.complete_components(document, _PARAMETERS, _HEADERS)
    document["components"]["schemas"] = dict(sorted(components["schemas"].items()))
    document["info"] |= {"description": _DESCRIPTION, "contact": {"name": "Hepar", "url": "https://hepar.invalid/"}}
    document["servers"] = [{"url": "/", "description": "this gateway"}]
    document["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]
    return document


def _place(path: tuple[str, Json]) -> tuple[int, str]:
    """By subject, as the tags are ordered."""
    tag = next(iter(path[1].values()))["tags"][0]
    return list(_TAGS).index(tag), path[0]


def _add_gateway(path: str, operation: Json) -> None:
    """What the gateway checks and answers, whichever service an operation belongs to."""
    openapi.add_success_headers(operation, ("RateLimit-Policy", "RateLimit"))
    openapi.add_problems(operation, _PROBLEMS)
    if path in UPLOAD_PATHS:
        openapi.add_parameters(operation, ["Idempotency-Key"])
        openapi.add_success_headers(operation, ["Idempotency-Replayed"])
        openapi.add_problems(operation, _STORED_PROBLEMS)
