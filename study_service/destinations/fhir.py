"""Sends a result to a FHIR R4 server, in transactions that leave one copy however often it is sent."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import httpx

from study_service.destinations.client_tls import client_tls
from study_service.destinations.configuration import FhirDestination
from study_service.destinations.fhir_transactions import Entry, Json, parts_of, transaction_of
from study_service.destinations.sender import SendFailed
from study_service.webhooks.targets import TargetRefused, TargetRules

BUNDLE_FILE = "report.fhir.json"
_MEDIA_TYPE = "application/fhir+json"
_TRANSIENT = (401, 403, 408, 409, 425, 429)
"""Of the 4xx, those that pass or that an operator can cure without changing the result."""
_TIMEOUT_S = 30.0
_ANSWER_BYTES_MAX = 8 * 1024 * 1024
_VERSIONS = ("4.0", "4.3")


@dataclass(frozen=True)
class FhirSender:
    """url: base of the server.  rules: where it may be.  tls: certificates.  sign_in: headers of every request."""

    url: str
    rules: TargetRules
    tls: ssl.SSLContext
    sign_in: Mapping[str, str] = field(repr=False)

    async def send(self, outputs: Mapping[str, bytes]) -> None:
        if BUNDLE_FILE not in outputs:
            raise SendFailed(f"{BUNDLE_FILE} is not among the files of this destination", permanent=True)
        known: dict[str, str] = {}
        parts = parts_of(json.loads(outputs[BUNDLE_FILE]))
        for part in parts:
            locations = await self._store(part, known)
            if part is not parts[-1]:  # nothing refers to the last one
                for entry, location in zip(part, locations, strict=True):
                    known[entry.url] = entry.located(location) or await self._found(entry)

    async def _store(self, part: Sequence[Entry], known: Mapping[str, str]) -> list[object]:
        """Where the server states that each resource is. known: references to those of earlier parts, by url."""
        body = json.dumps(transaction_of(part, known)).encode()
        answer = await self._call("POST", "", body, {"prefer": "return=minimal"})
        responses = [entry.get("response", {}) for entry in answer.get("entry", [])]
        if answer.get("type") != "transaction-response" or len(responses) != len(part):
            raise SendFailed("the server's answer is not that of a transaction")
        statuses = [str(response.get("status", "")) for response in responses]
        if refused := [status for status in statuses if not status.startswith("2")]:
            raise SendFailed(f"the server did not store everything: {refused[0][:3]}")
        return [response.get("location") for response in responses]

    async def _found(self, entry: Entry) -> str:
        """The reference to a resource whose place the server did not state."""
        answer = await self._call("GET", f"/{entry.search}")
        found = [item.get("resource", {}) for item in answer.get("entry", [])]
        ids = [str(item.get("id")) for item in found if item.get("resourceType") == entry.kind]
        if len(ids) != 1:
            raise SendFailed(f"the server finds {len(ids)} resources where it stored one")
        return f"{entry.kind}/{ids[0]}"

    async def test(self) -> None:
        statement = await self._call("GET", "/metadata")
        version = str(statement.get("fhirVersion", ""))
        if statement.get("resourceType") != "CapabilityStatement" or not version.startswith(_VERSIONS):
            raise SendFailed("the server has no CapabilityStatement of FHIR R4", permanent=True)
        servers = [rest for rest in statement.get("rest", []) if rest.get("mode") == "server"]
        stated = [item.get("code") for rest in servers for item in rest.get("interaction", [])]
        if "transaction" not in stated:
            raise SendFailed("the server takes no transactions", permanent=True)
        await self._call("GET", "/DiagnosticReport?_summary=count")  # metadata are public: this needs the sign-in

    async def _call(
        self, method: str, path: str, body: bytes | None = None, more: Mapping[str, str] | None = None
    ) -> Json:
        """The resource of a successful answer. Raises SendFailed."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                status, content = await self._exchange(method, path, body, more or {})
        except TargetRefused as error:
            raise SendFailed(f"the address is not allowed: {error}", permanent=True) from error
        except (httpx.HTTPError, OSError, TimeoutError) as error:
            raise SendFailed("the server does not answer") from error
        resource = _resource(content)
        if not 200 <= status < 300:
            passing = status >= 500 or status in _TRANSIENT
            raise SendFailed(f"the server answers {status}{_issue_codes(resource)}", permanent=not passing)
        return resource

    async def _exchange(self, method: str, path: str, body: bytes | None, more: Mapping[str, str]) -> tuple[int, bytes]:
        target = await self.rules.target(self.url.rstrip("/") + path)
        headers = {"host": target.host_header, "accept": _MEDIA_TYPE, **self.sign_in, **more}
        if body is not None:
            headers["content-type"] = _MEDIA_TYPE
        content, name = bytearray(), {"sni_hostname": target.host}
        async with (
            httpx.AsyncClient(verify=self.tls, follow_redirects=False, trust_env=False, timeout=_TIMEOUT_S) as client,
            client.stream(method, target.url, content=body, headers=headers, extensions=name) as answer,
        ):
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > _ANSWER_BYTES_MAX:
                    raise httpx.DecodingError("the answer is too large")
            return answer.status_code, bytes(content)


def fhir_sender(destination: FhirDestination, rules: TargetRules) -> FhirSender:
    """rules: of webhooks, whose hosts are not meant here. Raises OSError for certificates that cannot be used."""
    own = replace(rules, hosts=frozenset({urlsplit(destination.url).netloc}))
    tls = client_tls(destination.ca_file, destination.certificate_file, destination.key_file)
    return FhirSender(destination.url, own, tls, destination.authorization())


def _resource(content: bytes) -> Json:
    """Empty where it is none."""
    try:
        parsed = json.loads(content)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _issue_codes(resource: Json) -> str:
    """Of an OperationOutcome, only codes: its texts may name the patient."""
    issues = resource.get("issue") if resource.get("resourceType") == "OperationOutcome" else None
    found = [item.get("code") for item in issues if isinstance(item, dict)] if isinstance(issues, list) else []
    known = [code for code in found if isinstance(code, str) and code.replace("-", "").isalpha() and len(code) < 20]
    return f" ({', '.join(known[:3])})" if known else ""
