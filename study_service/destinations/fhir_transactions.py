"""The transactions that store a FHIR bundle at a server: they leave one copy however often they are sent."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from study_service.outputs import codes
from study_service.outputs.fhir_values import URI_SYSTEM

Json = dict[str, Any]
ENTRIES_MAX = 8
"""Of one transaction: Medplum takes no more where requests are conditional."""
_TAG_SYSTEM = f"urn:oid:{codes.PRIVATE_SCHEME_UID}.3"
_CREATED_ONCE = ("Device", "ImagingStudy")
"""Never changed: the archive may have told the server about the same study, and results share a device."""
_ORDER = ("Device", "ImagingStudy", "Observation", "DiagnosticReport", "Provenance")
"""A resource refers to those before it only. Who reads a report finds everything that it refers to."""
_LOCATION = re.compile(r"(?:^|/)([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})(?:/_history/[^/]*)?$")


@dataclass(frozen=True)
class Entry:
    """A resource that the server has or gets. url: `urn:uuid:`, by which others refer to it until it has an id.

    condition: the search that finds it and nothing else.
    """

    url: str
    resource: Json
    condition: str

    @property
    def kind(self) -> str:
        return str(self.resource["resourceType"])

    @property
    def search(self) -> str:
        return f"{self.kind}?{self.condition}"

    def request(self) -> Json:
        if self.kind in _CREATED_ONCE:
            return {"method": "POST", "url": self.kind, "ifNoneExist": self.condition}
        return {"method": "PUT", "url": self.search}

    def located(self, location: object) -> str | None:
        """The reference `KIND/ID` from the location that a server answers; None where it states none of this kind."""
        found = _LOCATION.search(location) if isinstance(location, str) else None
        return found[1] if found is not None and found[1].startswith(f"{self.kind}/") else None


def parts_of(bundle: Json) -> list[Sequence[Entry]]:
    """To be sent in this order, with at most ENTRIES_MAX entries each. Resources refer to their own and earlier parts.

    bundle: of type `collection`, as outputs.fhir makes it. Without ids, which the server gives. The `urn:uuid:` are not
    the identifiers of the resources: some servers replace them in every text, and would lose the identifiers.
    """
    urls = {entry["fullUrl"]: uuid.uuid5(uuid.NAMESPACE_URL, entry["fullUrl"]).urn for entry in bundle["entry"]}
    entries = [_entry(entry, urls) for entry in bundle["entry"]]
    entries.sort(key=lambda entry: _ORDER.index(entry.kind))
    return [entries[start : start + ENTRIES_MAX] for start in range(0, len(entries), ENTRIES_MAX)]


def transaction_of(entries: Sequence[Entry], known: Mapping[str, str]) -> Json:
    """A Bundle of type `transaction`. known: references to what the server has from earlier parts, by url."""
    sent = [
        {"fullUrl": entry.url, "resource": _referring(entry.resource, known), "request": entry.request()}
        for entry in entries
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": sent}


def _entry(entry: Json, urls: Mapping[str, str]) -> Entry:
    resource = {k: _referring(v, urls) for k, v in entry["resource"].items() if k != "id"}
    url = urls[entry["fullUrl"]]
    if "identifier" not in resource:  # Provenance has none
        code = entry["fullUrl"].removeprefix("urn:uuid:")
        tagged = resource | {"meta": {"tag": [{"system": _TAG_SYSTEM, "code": code}]}}
        return Entry(url, tagged, f"_tag={_token(_TAG_SYSTEM, code)}")
    identifier = _identifier(resource)
    return Entry(url, resource, f"identifier={_token(identifier['system'], identifier['value'])}")


def _referring(value: Any, urls: Mapping[str, str]) -> Any:  # noqa: ANN401  JSON
    """The same JSON with other addresses in its references."""
    if isinstance(value, list):
        return [_referring(item, urls) for item in value]
    if not isinstance(value, dict):
        return value
    return {k: urls.get(str(v), v) if k == "reference" else _referring(v, urls) for k, v in value.items()}


def _identifier(resource: Json) -> Json:
    """Ours, or of an imaging study the UID, by which others know it too."""
    identifiers: list[Json] = resource["identifier"]
    return next((item for item in identifiers if item.get("system") == URI_SYSTEM), identifiers[0])


def _token(system: str, value: str) -> str:
    return quote(f"{system}|{value}", safe="")
