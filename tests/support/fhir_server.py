"""A FHIR R4 server that takes transactions with conditional creates and updates (http.html#transaction).

It does not state where it stores what: that is found by search.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from fhir.resources.R4B.bundle import Bundle
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tests.support.serving import serving

Json = dict[str, Any]
_FHIR_JSON = "application/fhir+json"


class Refused(Exception):
    """status: of the answer."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


@dataclass
class FhirServer:
    """token: that callers need, but for the CapabilityStatement.  answers: of the next requests, instead of its own.

    stored: by type, then id.  bodies: of all requests that were a Bundle.
    """

    token: str | None = None
    answers: list[Response] = field(default_factory=list)
    statement: Json = field(default_factory=dict)
    stored: dict[str, dict[str, Json]] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            answer = await self._answer(request)
        except Refused as error:
            issue = {"severity": "error", "code": error.code, "diagnostics": "Curie^Marie"}
            answer = _json({"resourceType": "OperationOutcome", "issue": [issue]}, error.status)
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        body = await request.body()
        if self.answers:
            return self.answers.pop(0)
        if request.url.path == "/fhir/metadata":
            own = {"mode": "server", "interaction": [{"code": "transaction"}]}
            statement = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": [own]}
            return _json(statement | self.statement)
        if self.token is not None and request.headers.get("authorization") != f"Bearer {self.token}":
            raise Refused(401, "login")
        if request.method == "GET":
            found = self._search(request.url.path.rpartition("/")[2], request.url.query)
            return _json({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in found]})
        if request.url.path != "/fhir" or request.headers["content-type"] != _FHIR_JSON:
            raise Refused(404, "not-found")
        self.bodies.append(body)
        return _json(self._transaction(json.loads(body)))

    def _search(self, kind: str, condition: str) -> list[Json]:
        stored = self.stored.get(kind, {}).values()
        return [item for item in stored if condition == "_summary=count" or _matches(item, condition)]

    def _transaction(self, bundle: Json) -> Json:
        """All or nothing. Raises Refused."""
        Bundle.model_validate(bundle)
        if bundle["type"] != "transaction":
            raise Refused(400, "invalid")
        before = json.dumps(self.stored)
        try:
            places = [self._place(entry) for entry in bundle["entry"]]
        except Refused:
            self.stored = json.loads(before)
            raise
        links = {
            entry["fullUrl"]: f"{kind}/{found}" for entry, (kind, found, _) in zip(bundle["entry"], places, strict=True)
        }
        statuses = []
        for entry, (kind, found, is_new) in zip(bundle["entry"], places, strict=True):
            if is_new or entry["request"]["method"] == "PUT":
                text = json.dumps(entry["resource"] | {"id": found})
                for url, reference in links.items():
                    text = text.replace(f'"reference": "{url}"', f'"reference": "{reference}"')
                self.stored.setdefault(kind, {})[found] = json.loads(text)
            statuses.append({"response": {"status": "201 Created" if is_new else "200 OK"}})
        return {"resourceType": "Bundle", "type": "transaction-response", "entry": statuses}

    def _place(self, entry: Json) -> tuple[str, str, bool]:
        """Type and id of what the entry is about, and whether it is new."""
        request = entry["request"]
        if request["method"] == "PUT":
            kind, _, condition = request["url"].partition("?")
        else:
            kind, condition = request["url"], request["ifNoneExist"]
        assert "id" not in entry["resource"]
        matches = [key for key, item in self.stored.get(kind, {}).items() if _matches(item, condition)]
        if len(matches) > 1:
            raise Refused(412, "multiple-matches")
        return (kind, matches[0], False) if matches else (kind, uuid.uuid4().hex, True)


def _matches(resource: Json, condition: str) -> bool:
    ((name, value),) = parse_qsl(condition)
    system, _, code = value.partition("|")
    if name == "identifier":
        return {"system": system, "value": code} in resource["identifier"]
    assert name == "_tag"
    return {"system": system, "code": code} in resource["meta"]["tag"]


def _json(resource: Json, status: int = 200) -> Response:
    return Response(json.dumps(resource), status, media_type=_FHIR_JSON)


@contextmanager
def fhir_server() -> Iterator[FhirServer]:
    server = FhirServer()
    with serving(server) as url:
        server.url = f"{url}/fhir"
        yield server
