"""The Bundle that answers a search."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from urllib.parse import urlencode

from study_service.fhir.parameters import SearchRequest
from study_service.fhir.references import FHIR_PATH
from study_service.outputs.fhir_resources import Resource


def searchset(
    base: str, resource_type: str, search: SearchRequest, resources: Sequence[Resource], after: str | None
) -> Resource:
    """base: address of this server.  after: `_after` of the following page.

    What was ignored is said in an OperationOutcome of the Bundle and is missing in its link `self`.
    """
    address = f"{base}{FHIR_PATH}/{resource_type}"
    bundle: Resource = {"resourceType": "Bundle", "id": str(uuid.uuid4()), "type": "searchset"}
    if after is None and search.one("_after") is None:
        bundle["total"] = len(resources)
    bundle["link"] = [{"relation": "self", "url": _with_query(address, list(search.used))}]
    if after is not None:
        others = [(name, value) for name, value in search.used if name != "_after"]
        bundle["link"].append({"relation": "next", "url": _with_query(address, [*others, ("_after", after)])})
    entries = [
        {"fullUrl": f"{address}/{resource['id']}", "resource": resource, "search": {"mode": "match"}}
        for resource in resources
    ]
    if search.ignored:
        entries.append({"resource": _ignored(search.ignored), "search": {"mode": "outcome"}})
    return bundle | ({"entry": entries} if entries else {})


def _with_query(address: str, pairs: list[tuple[str, str]]) -> str:
    return f"{address}?{urlencode(pairs)}" if pairs else address


def _ignored(names: Sequence[str]) -> Resource:
    return {
        "resourceType": "OperationOutcome",
        "issue": [
            {"severity": "warning", "code": "not-supported", "diagnostics": f"{name}: this parameter was ignored"}
            for name in names
        ],
    }
