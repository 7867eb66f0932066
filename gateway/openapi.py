"""The public OpenAPI 3.1 document: what FastAPI knows of the routes, and what an integrator needs beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from gateway.examples import EXAMPLES, problem_example
from gateway.operations import OPERATIONS, Operation
from hepar.contracts import analyses
from hepar.contracts.problem_types import PREFIX, PROBLEM_TYPES
from hepar.contracts.problems import Problem
from hepar.web.problems import MEDIA_TYPE

Json = dict[str, Any]

SCOPES = {
    "analyses": "classify images, find lesions, read the models' cards",
    "models": "train and compare models",
    "account": "one's own account",
    "users": "administer accounts",
    "clients": "register hospital systems",
    "audit": "read the audit",
}
_TAGS = {
    "analyses": "One CT image in, a verdict and boxes out.",
    "batches": "Many images in one request, answered in order or as server-sent events.",
    "models": "The networks, what they measured, and which of them answer now.",
    "tokens": "Signing in (OAuth 2.0).",
    "account": "One's own account.",
    "administration": "Other people's accounts, and the audit.",
    "clients": "Hospital systems that sign in by themselves.",
    "keys": "What other services need to verify tokens.",
    "health": "For load balancers and monitoring.",
}
_DESCRIPTION = """\
{notice}

Send one axial CT slice (PNG, JPEG, TIFF, BMP, WebP or DICOM) and get back whether it looks like cholangiocarcinoma,
metastasis or no tumour, and where.

**Signing in.** `POST /v1/token` gives an access token for ten minutes; send it as `Authorization: Bearer <token>`.

**Errors** are `application/problem+json` (RFC 9457). `type` is stable and leads to a page with cause and cure.

**Repeating.** Give a POST an `Idempotency-Key` (a UUID): repeated within 24 hours with the same key and body, it gets
the same answer and nothing is done twice; with another body it is refused.

**Limits.** `RateLimit-Policy` and `RateLimit` tell the caller's share of requests and what is left of it (q:
requests, w: seconds of the window, r: requests left, t: seconds until the window is over). After 429 and 503 wait for
the seconds of `Retry-After`.

**Time.** `X-Hepar-Timeout-Ms` says how many milliseconds the caller will wait; at the end of it the answer is 504.
Closing the connection ends the work.
"""
_EVERY = ("internal-error", "busy", "unknown-host", "headers-too-large", "url-too-long")
_API = ("rate-limited",)
_SIGNED = ("unauthenticated", "forbidden", "unavailable")
_BODY = ("invalid-request", "too-large", "upload-too-slow")
_POST = ("invalid-request", "idempotency-key-reused", "idempotency-in-progress")
_CALLED = ("unavailable", "deadline-exceeded", "bad-upstream")
_IMAGE = ("unreadable-image", "unsupported-media", "bad-content-length", "below-quorum")
_HEADERS: dict[str, tuple[str, Json]] = {
    "X-Request-ID": ("the request's id: quote it when asking for help", {"type": "string", "maxLength": 64}),
    "RateLimit-Policy": ("the caller's shares, as `name;q=requests;w=seconds`", {"type": "string"}),
    "RateLimit": ("what is left of them, as `name;r=requests;t=seconds`", {"type": "string"}),
    "Retry-After": ("seconds to wait before another try", {"type": "integer", "minimum": 1}),
    "Location": ("where the new resource is", {"type": "string", "format": "uri-reference"}),
    "Idempotency-Replayed": ("`true` where the answer is that of an earlier request", {"type": "string"}),
}
_PARAMETERS: dict[str, Json] = {
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "a UUID, or 16 to 128 letters, digits and `_ . : -`: the same request is answered once",
        "schema": {"type": "string", "pattern": '^"?[A-Za-z0-9_.:-]{16,128}"?$'},
        "example": "6f1c2f0e-6d0b-4f53-9a43-3f1df0a1f9f4",
    },
    "X-Hepar-Timeout-Ms": {
        "name": "X-Hepar-Timeout-Ms",
        "in": "header",
        "description": "milliseconds that the caller will wait; capped by the server",
        "schema": {"type": "integer", "minimum": 1, "maximum": 600_000},
        "example": 10_000,
    },
    "X-Request-ID": {
        "name": "X-Request-ID",
        "in": "header",
        "description": "an id of the caller's own; one is made where it is left out",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{8,64}$"},
        "example": "study-2026-0042",
    },
}
_ITEMS: dict[str, type[BaseModel]] = {
    "classify_batch": analyses.ClassificationItem,
    "detect_batch": analyses.DetectionItem,
    "analysis_batch": analyses.AnalysisItem,
}
_HEALTH = {"healthz", "readyz"}
_LINKS = {
    "sign_up": {"get_user": "account_id", "deactivate_user": "account_id", "change_role": "account_id"},
    "register_client": {"add_client_secret": "client_id", "deactivate_client": "client_id"},
}


def describe(app: FastAPI) -> None:
    """The app serves this document instead of FastAPI's own."""

    def openapi() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = document(app)
        return app.openapi_schema

    vars(app)["openapi"] = openapi  # FastAPI's own way to do it


def document(app: FastAPI) -> Json:
    """Made anew."""
    made = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=_DESCRIPTION.format(notice=f"**{app.description}**"),
        routes=app.routes,
        license_info=app.license_info,
        contact={"name": "Hepar", "url": "https://hepar.invalid/"},
        servers=[{"url": "/", "description": "this gateway"}],
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
    )
    schemas = made["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    more: list[type[BaseModel]] = [Problem, analyses.BatchEnd, *_ITEMS.values()]
    for model in more:
        _add_schema(schemas, model)
    propagation_headers = {operation.name: operation for operation in OPERATIONS}
    for operation in OPERATIONS:
        if operation.body is not None:
            _add_schema(schemas, operation.body)
    for methods in made["paths"].values():
        for method, found in methods.items():
            name = found["operationId"]
            if name in propagation_headers:
                _describe_passed_on(found, propagation_headers[name])
            else:
                _describe_own(found, name, method)
    made["components"]["securitySchemes"] = {"oauth2": _security()}
    made["components"]["headers"] = {
        name: {"description": text, "schema": schema} for name, (text, schema) in _HEADERS.items()
    }
    made["components"]["parameters"] = _PARAMETERS
    told = str(made["paths"])
    made["components"]["examples"] = {
        name: {"summary": kind.title, "value": problem_example(name, kind)}
        for name, kind in PROBLEM_TYPES.items()
        if f"examples/{name}'" in told
    }
    for schema in schemas.values():
        _complete_tuples(schema)
    return made


def _complete_tuples(schema: Any) -> None:  # noqa: ANN401  JSON
    """Pairs have `prefixItems` only; generators of clients, and spectral, want `items` beside it."""
    if isinstance(schema, dict):
        if "prefixItems" in schema:
            schema["items"] = schema["prefixItems"][0]
        for part in schema.values():
            _complete_tuples(part)
    elif isinstance(schema, list):
        for part in schema:
            _complete_tuples(part)


def _security() -> Json:
    flow = {"tokenUrl": "/v1/token", "refreshUrl": "/v1/token"}
    return {
        "type": "oauth2",
        "description": "access tokens are JWTs (RFC 9068), signed with ES256, for ten minutes",
        "flows": {
            "password": flow | {"scopes": SCOPES},
            "clientCredentials": {
                "tokenUrl": "/v1/token",
                "scopes": {name: SCOPES[name] for name in ("analyses", "models")},
            },
        },
    }


def _describe_own(found: Json, name: str, method: str) -> None:
    if name in _HEALTH:
        found["description"] = found.get("description") or found["summary"]
        found["security"] = []
        if name == "readyz":
            found["responses"]["503"] = {"description": "Not now: `parts` says what is missing"} | {
                "content": {"application/json": {"schema": {"type": "object"}}}
            }
        _answer(found, "200", name, None)
        _problems(found, _EVERY)
        return
    image = name != "models"
    found["security"] = [{"oauth2": ["analyses"]}]
    slugs = (*_EVERY, *_API, *_SIGNED, *_CALLED, *((*_BODY, *_POST, *_IMAGE) if image else ()))
    _parameters(found, posted=method == "post")
    _answer(found, "200", name, "RateLimit")
    if name in _ITEMS:
        item = _ITEMS[name].__name__
        found["responses"]["200"]["content"]["text/event-stream"] = {
            "schema": {
                "type": "string",
                "description": f"events `item`, each with a JSON document ({item}), then one `end` (BatchEnd)",
                "x-event-item": {"$ref": f"#/components/schemas/{item}"},
                "x-event-end": {"$ref": "#/components/schemas/BatchEnd"},
            },
            "example": 'event: item\ndata: {...}\n\nevent: end\ndata: {"count": 1}\n\n',
        }
    _problems(found, slugs)


def _describe_passed_on(found: Json, operation: Operation) -> None:
    found["description"] = operation.description
    found["security"] = [{"oauth2": [operation.scope]}] if operation.scope else []
    found["parameters"] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": "as the list gives it",
            "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        }
        for name in re.findall(r"{(\w+)}", operation.path)
    ] + list(operation.query)
    _parameters(found, posted=operation.method == "POST", waits=False)
    content: Json = {}
    if operation.body is not None:
        schema = {"$ref": f"#/components/schemas/{operation.body.__name__}"}
        content["application/json"] = {"schema": schema, "example": EXAMPLES[operation.body.__name__]}
    if operation.form:
        content["application/x-www-form-urlencoded"] = {
            "schema": operation.form,
            "example": EXAMPLES[f"{operation.name} form"],
        }
    if content:
        found["requestBody"] = {"required": True, "content": content}
    _answer(found, str(operation.status), operation.name, "RateLimit")
    if operation.name in _LINKS:
        found["responses"][str(operation.status)]["links"] = {
            target: {"operationId": target, "parameters": {parameter: "$response.body#/id"}}
            for target, parameter in _LINKS[operation.name].items()
        }
    slugs = [*_EVERY, *_API, *_CALLED, *operation.problems]
    slugs += _SIGNED if operation.scope else ()
    slugs += _BODY if content else ("too-large",)
    slugs += _POST if operation.method == "POST" else ()
    slugs += ("invalid-request",) if operation.query or "{" in operation.path else ()
    _problems(found, slugs)


def _parameters(found: Json, *, posted: bool, waits: bool = True) -> None:
    wanted = [
        *(["Idempotency-Key"] if posted else []),
        *(["X-Hepar-Timeout-Ms"] if waits else []),
        "X-Request-ID",
    ]
    found["parameters"] = [
        *found.get("parameters", []),
        *({"$ref": f"#/components/parameters/{name}"} for name in wanted),
    ]


def _answer(found: Json, status: str, name: str, limited: str | None) -> None:
    """Of success: its headers, and an example where it has a body."""
    answer = found["responses"][status]
    answer["description"] = "Done" if answer["description"] == "Successful Response" else answer["description"]
    headers = ["X-Request-ID", *(["RateLimit-Policy", "RateLimit"] if limited else [])]
    if any(parameter.get("$ref", "").endswith("Idempotency-Key") for parameter in found.get("parameters", ())):
        headers.append("Idempotency-Replayed")
    if status == "201":
        headers.append("Location")
    answer["headers"] = {header: {"$ref": f"#/components/headers/{header}"} for header in headers}
    content = answer.get("content", {}).get("application/json")
    if content is not None and f"{name} answer" in EXAMPLES:
        content["example"] = EXAMPLES[f"{name} answer"]
    elif content is not None and content.get("schema") == {}:
        answer.pop("content")


def _problems(found: Json, slugs: Iterable[str]) -> None:
    """Every error by its status, each kind with an example."""
    found["responses"].pop("422", None)
    by_status: dict[int, list[str]] = {}
    for slug in dict.fromkeys(slugs):
        for status in PROBLEM_TYPES[slug].statuses:
            by_status.setdefault(status, []).append(slug)
    for status, kinds in sorted(by_status.items()):
        headers = {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}}
        if status in (429, 503):
            headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
        already = found["responses"].get(str(status))
        problem = {
            "description": "; ".join(f"[{PROBLEM_TYPES[kind].title}]({PREFIX}{kind})" for kind in kinds),
            "headers": headers,
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {kind: {"$ref": f"#/components/examples/{kind}"} for kind in kinds},
                }
            },
        }
        if already is not None:  # readiness has an answer of its own for 503
            problem["content"] |= already.get("content", {})
            problem["description"] = f"{already['description']}; {problem['description']}"
        found["responses"][str(status)] = problem


def _add_schema(schemas: Json, model: type[BaseModel]) -> None:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    for name, part in schema.pop("$defs", {}).items():
        schemas.setdefault(name, part)
    schemas.setdefault(model.__name__, schema)
