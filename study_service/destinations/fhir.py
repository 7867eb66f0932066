"""Sends a result to a FHIR R4 server, as one transaction that leaves one copy however often it is sent."""

from __future__ import annotations

import asyncio
import json
import ssl
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from study_service.destinations.configuration import FhirDestination
from study_service.destinations.sender import SendFailed
from study_service.dicom_network.association import client_tls
from study_service.outputs import codes
from study_service.outputs.fhir_values import URI_SYSTEM
from study_service.webhooks.targets import TargetRefused, TargetRules

Json = dict[str, Any]
BUNDLE_FILE = "report.fhir.json"
_MEDIA_TYPE = "application/fhir+json"
_TAG_SYSTEM = f"urn:oid:{codes.PRIVATE_SCHEME_UID}.3"
_CREATED_ONCE = ("Device", "ImagingStudy")
"""Never changed: the archive may have told the server about the same study, and results share a device."""
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
        bundle = transaction_of(json.loads(outputs[BUNDLE_FILE]))
        answer = await self._call("POST", "", json.dumps(bundle).encode(), {"prefer": "return=minimal"})
        entries = answer.get("entry", [])
        statuses = [str(entry.get("response", {}).get("status", "")) for entry in entries]
        if answer.get("type") != "transaction-response" or len(statuses) != len(bundle["entry"]):
            raise SendFailed("the server's answer is not that of a transaction")
        if refused := [status for status in statuses if not status.startswith("2")]:
            raise SendFailed(f"the server did not store everything: {refused[0][:3]}")

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


def transaction_of(bundle: Json) -> Json:
    """A Bundle of type `transaction` from one of type `collection`, as outputs.fhir makes it.

    Without ids, which the server gives: references are by `urn:uuid:`, which it replaces. These are not the identifiers
    of the resources: some servers replace them in every text, and would lose the identifiers.
    """
    urls = {entry["fullUrl"]: uuid.uuid5(uuid.NAMESPACE_URL, entry["fullUrl"]).urn for entry in bundle["entry"]}
    entries = [
        {"fullUrl": urls[entry["fullUrl"]]}
        | _requested({k: _referring(v, urls) for k, v in entry["resource"].items() if k != "id"}, entry)
        for entry in bundle["entry"]
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _referring(value: object, urls: Mapping[str, str]) -> object:
    """The same JSON with other addresses in its references."""
    if isinstance(value, list):
        return [_referring(item, urls) for item in value]
    if not isinstance(value, dict):
        return value
    return {k: urls.get(str(v), v) if k == "reference" else _referring(v, urls) for k, v in value.items()}


def _requested(resource: Json, entry: Json) -> Json:
    kind = resource["resourceType"]
    if "identifier" not in resource:  # Provenance has none
        code = entry["fullUrl"].removeprefix("urn:uuid:")
        resource["meta"] = {"tag": [{"system": _TAG_SYSTEM, "code": code}]}
        return _put(resource, kind, "_tag", _TAG_SYSTEM, code)
    identifier = _identifier(resource)
    if kind in _CREATED_ONCE:
        condition = f"identifier={_token(identifier['system'], identifier['value'])}"
        return {"resource": resource, "request": {"method": "POST", "url": kind, "ifNoneExist": condition}}
    return _put(resource, kind, "identifier", identifier["system"], identifier["value"])


def _put(resource: Json, kind: str, parameter: str, system: str, value: str) -> Json:
    url = f"{kind}?{parameter}={_token(system, value)}"
    return {"resource": resource, "request": {"method": "PUT", "url": url}}


def _identifier(resource: Json) -> Json:
    """Ours, or of an imaging study the UID, by which others know it too."""
    identifiers: list[Json] = resource["identifier"]
    return next((item for item in identifiers if item.get("system") == URI_SYSTEM), identifiers[0])


def _token(system: str, value: str) -> str:
    return quote(f"{system}|{value}", safe="")


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
