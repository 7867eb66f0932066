"""The OpenAPI document of a service: what FastAPI knows of each route, and what every route has in common.

A route declares its own texts, parameters, answers and errors (`responses=problems(...)`). Added here are the errors of
the request guard, the headers of every request and answer, and the schemas of server-sent events.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

from hepar.contracts.base import example_of
from hepar.contracts.problem_types import PREFIX, PROBLEM_TYPES
from hepar.contracts.problems import Problem
from hepar.web.problems import MEDIA_TYPE

Json = dict[str, Any]

HEALTH_TAG = "health"
_EVERY_ROUTE = (
    "internal-error", "too-large", "upload-too-slow", "malformed-request", "unknown-host", "headers-too-large",
    "url-too-long",
)  # fmt: skip
_WITH_RETRY_AFTER = (429, 503, 507)
_EXAMPLE_ID = example_of(Problem)["request_id"]
HEADERS: dict[str, Json] = {
    "X-Request-ID": {
        "description": "identifies this request; include it in a support request",
        "schema": {"type": "string", "maxLength": 64},
    },
    "Location": {
        "description": "address of the new resource",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Retry-After": {
        "description": "seconds to wait before the next attempt",
        "schema": {"type": "integer", "minimum": 1},
    },
}
PARAMETERS: dict[str, Json] = {
    "X-Request-ID": {
        "name": "X-Request-ID",
        "in": "header",
        "description": "an identifier chosen by the caller, 8 to 64 letters, digits and `. _ -`; the server makes one "
        "where it is missing or malformed",
        "schema": {"type": "string"},
        "example": "study-2026-0042",
    },
    "traceparent": {
        "name": "traceparent",
        "in": "header",
        "description": "the caller's trace (W3C Trace Context); the server starts one where it is missing or malformed",
        "schema": {"type": "string"},
        "example": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    },
}


class DescribedApp(FastAPI):
    """A FastAPI app whose document is complete."""

    _rendered: bytes | None = None

    def setup(self) -> None:
        """The route of the document. It is rendered once: that takes longer than the event loop may be blocked."""
        assert self.openapi_url  # noqa: S101  new_app sets it

        async def document(_request: Request) -> Response:
            if self._rendered is None:
                self._rendered = json.dumps(self.openapi(), ensure_ascii=False, separators=(",", ":")).encode()
            return Response(self._rendered, media_type="application/json")

        self.add_route(self.openapi_url, document, include_in_schema=False)

    def openapi(self) -> Json:
        if self.openapi_schema is None:
            document = super().openapi()
            _complete(document)
            self.openapi_schema = document
        return self.openapi_schema


def problems(*slugs: str) -> dict[int | str, Json]:
    """`responses` of a route that answers with these problems, besides those that every route has."""
    described: Json = {"responses": {}}
    add_problems(described, slugs)
    return {int(status): response for status, response in described["responses"].items()}


def add_problems(operation: Json, slugs: Iterable[str]) -> None:
    """Adds the responses of these problems to those that the operation has; one response lists all of its status."""
    responses: Json = operation["responses"]
    by_status: dict[int, list[str]] = {}
    for slug in dict.fromkeys([*problems_of(operation), *slugs]):
        for status in PROBLEM_TYPES[slug].statuses:
            by_status.setdefault(status, []).append(slug)
    for status, kinds in by_status.items():
        names = ["X-Request-ID", *(["Retry-After"] if status in _WITH_RETRY_AFTER else [])]
        responses[str(status)] = {
            "description": "; ".join(f"[{PROBLEM_TYPES[kind].title}]({PREFIX}{kind})" for kind in kinds),
            "headers": {name: _reference("headers", name) for name in names},
            "content": {
                MEDIA_TYPE: {
                    "schema": _reference("schemas", "Problem"),
                    "examples": {kind: _reference("examples", kind) for kind in kinds},
                }
            },
        }
    operation["responses"] = dict(sorted(responses.items()))


def problems_of(operation: Json) -> list[str]:
    """The names of the problems that an operation lists."""
    contents = [response.get("content", {}).get(MEDIA_TYPE, {}) for response in operation["responses"].values()]
    return [slug for content in contents for slug in content.get("examples", {})]


def add_parameters(operation: Json, names: Iterable[str]) -> None:
    """Refers to parameters of the document's components."""
    references = [_reference("parameters", name) for name in names]
    operation["parameters"] = [*operation.get("parameters", []), *references]


def add_success_headers(operation: Json, names: Iterable[str]) -> None:
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            response.setdefault("headers", {}).update({name: _reference("headers", name) for name in names})


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Path, method in lower case, and operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def complete_components(document: Json, parameters: dict[str, Json], headers: dict[str, Json]) -> None:
    """The components that operations refer to, and no others; the schema of a problem; what generators stumble over."""
    components = document["components"]
    schemas: Json = components["schemas"]
    add_schema(schemas, Problem)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    referred = set(re.findall('"#/components/([a-z]+/[^"]+)"', json.dumps(document["paths"])))
    components["parameters"] = {name: part for name, part in parameters.items() if f"parameters/{name}" in referred}
    components["headers"] = {name: part for name, part in headers.items() if f"headers/{name}" in referred}
    components["examples"] = {
        slug: {"summary": kind.title, "value": _problem_example(slug)}
        for slug, kind in PROBLEM_TYPES.items()
        if f"examples/{slug}" in referred
    }
    for schema in schemas.values():
        _complete_pairs(schema)
        _complete_fields(schema)


def add_schema(schemas: Json, model: type[BaseModel]) -> None:
    """A model, and those inside it."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    for name, part in (schema.pop("$defs", {}) | {model.__name__: schema}).items():
        schemas.setdefault(name, part)


def _complete(document: Json) -> None:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for _, _, operation in operations(document):
        operation["description"] = operation.get("description") or operation["summary"]
        operation.setdefault("security", [])
        if "HTTPValidationError" in str(operation["responses"].get("422", "")):
            operation["responses"].pop("422")
        for response in operation["responses"].values():
            _move_event_schemas(response, schemas)
        _describe_success(operation)
        for parameter in operation.get("parameters", []):
            _complete_parameter(parameter)
        health = HEALTH_TAG in operation["tags"]
        add_parameters(operation, ["X-Request-ID"] if health else PARAMETERS)  # health checks are not traced
        add_problems(operation, _common_problems(operation))
    complete_components(document, PARAMETERS, HEADERS)


def _complete_parameter(parameter: Json) -> None:
    """A parameter that is left out is missing, not null: without the null, generators of clients name its type well."""
    schema: Json = parameter["schema"]
    schema.pop("title", None)
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) == 1:
        del schema["anyOf"]
        schema.update(kinds[0])


def _describe_success(operation: Json) -> None:
    for status, response in operation["responses"].items():
        if not status.startswith("2"):
            continue
        if response["description"] == "Successful Response":
            response["description"] = "Done"
        if response.get("content", {}).get("application/json", {}).get("schema") in ({}, {"type": "null"}):
            del response["content"]
    add_success_headers(
        operation, ["X-Request-ID", *(["Location"] if {"201", "202"} & operation["responses"].keys() else [])]
    )


def _common_problems(operation: Json) -> list[str]:
    """What the guard and FastAPI refuse before a route begins."""
    slugs: list[str] = [*_EVERY_ROUTE]
    if HEALTH_TAG not in operation["tags"]:
        slugs.append("busy")
        if "invalid-token-request" not in problems_of(operation):
            slugs.append("invalid-request")  # an unknown query parameter is invalid at least
    if "requestBody" in operation:
        slugs.append("unsupported-media")
    if any("oauth2" in scheme for scheme in operation["security"]):
        slugs += ["unauthenticated", "forbidden"]
    return slugs


def _move_event_schemas(response: Json, schemas: Json) -> None:
    """The documents that travel in events become components, as all others are."""
    content = response.get("content", {}).get("text/event-stream", {})
    for name in ("x-event-item", "x-event-end"):
        if "title" in content.get("schema", {}).get(name, {}):
            schema = content["schema"][name]
            schemas.setdefault(schema["title"], schema)
            content["schema"][name] = _reference("schemas", schema["title"])


def _reference(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def _problem_example(slug: str) -> Json:
    kind = PROBLEM_TYPES[slug]
    problem = Problem(
        type=PREFIX + slug,
        title=kind.title,
        status=kind.statuses[0],
        detail=kind.title,
        request_id=_EXAMPLE_ID,
    )
    return problem.model_dump(exclude_none=True)


def _complete_fields(schema: Json) -> None:
    """Without titles, which repeat the names and of which generators of clients make classes; constants are present."""
    fields: dict[str, Json] = schema.get("properties", {})
    for name, field in fields.items():
        field.pop("title", None)
        if "const" in field and name not in schema.setdefault("required", []):
            schema["required"].append(name)


def _complete_pairs(schema: Any) -> None:  # noqa: ANN401  JSON
    """Pairs have `prefixItems` only; generators of clients, and spectral, want `items` as well."""
    if isinstance(schema, dict):
        if "prefixItems" in schema:
            schema["items"] = schema["prefixItems"][0]
        for part in schema.values():
            _complete_pairs(part)
    elif isinstance(schema, list):
        for part in schema:
            _complete_pairs(part)
