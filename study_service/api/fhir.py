"""The FHIR R4 interface: CapabilityStatement, reading and searching of results, AuditEvents for administrators.

Its description is the CapabilityStatement at /fhir/metadata, not the OpenAPI document. Errors are problems as
everywhere; the gateway writes them as OperationOutcome.
"""

from __future__ import annotations

import json
import re
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request, Response

from hepar.core.errors import UnsupportedMedia
from hepar.web.bearer import ALL_STUDIES_SCOPE, AUDIT_SCOPE
from hepar.web.client_address import public_address
from study_service.api.dependencies import CallerDep, Dependencies, PrincipalDep
from study_service.fhir.audit_search import AUDIT_PARAMETERS, AuditSearch
from study_service.fhir.bundles import searchset
from study_service.fhir.capability import FHIR_VERSION, capability_statement
from study_service.fhir.errors import InvalidSearch, NoSuchType, NotAcceptable
from study_service.fhir.parameters import search_request
from study_service.fhir.references import FHIR_PATH
from study_service.fhir.searching import PARAMETERS, ResultSearch
from study_service.outputs.fhir_resources import Resource

MEDIA_TYPE = "application/fhir+json"
_JSON = ("json", "application/json", "text/json", MEDIA_TYPE, "*/*", "application/*")
_FORM = "application/x-www-form-urlencoded"
_AUDIT_EVENT = "AuditEvent"
_VERSION = re.compile(r"(?:^|;)\s*fhirVersion\s*=\s*\"?([0-9.]+)\"?\s*(?:;|$)")


async def _require_json(request: Request) -> None:
    """`_format` replaces Accept. Raises NotAcceptable."""
    chosen = request.query_params.get("_format") or request.headers.get("accept") or "*/*"
    chosen = chosen.replace("application/fhir json", MEDIA_TYPE)  # an unescaped plus
    for part in chosen.split(","):
        media_type, _, parameters = part.partition(";")
        version = _VERSION.search(parameters)
        if media_type.strip().lower() in _JSON and (version is None or FHIR_VERSION.startswith(version[1])):
            return
    raise NotAcceptable(f"{MEDIA_TYPE} of FHIR {FHIR_VERSION} is available")


router = APIRouter(prefix=FHIR_PATH, include_in_schema=False, dependencies=[Depends(_require_json)])


async def _base(request: Request, dependencies: Dependencies) -> str:
    """The address of this server, as callers know it."""
    return public_address(request, dependencies.settings.proxy_networks)


Base = Annotated[str, Depends(_base)]


async def _results(dependencies: Dependencies, base: Base) -> ResultSearch:
    return ResultSearch(dependencies.fhir, base)


async def _audit(request: Request, dependencies: Dependencies, principal: PrincipalDep, base: Base) -> AuditSearch:
    """Raises Forbidden for anybody but administrators."""
    principal.require([ALL_STUDIES_SCOPE, AUDIT_SCOPE])
    token = {"authorization": request.headers["authorization"]}
    return AuditSearch(dependencies.fhir, dependencies.auth, base, token)


ResultsDep = Annotated[ResultSearch, Depends(_results)]
AuditDep = Annotated[AuditSearch, Depends(_audit)]


@router.get("/metadata")
async def get_capability_statement(base: Base) -> Response:
    return _answer(capability_statement(base))


@router.get(f"/{_AUDIT_EVENT}")
@router.post(f"/{_AUDIT_EVENT}/_search")
async def search_audit_events(request: Request, caller: CallerDep, audit: AuditDep) -> Response:
    search = search_request(await _pairs(request), AUDIT_PARAMETERS, prefer=request.headers.get("prefer"))
    events, after = await audit.page(caller, search)
    return _answer(searchset(audit.base, _AUDIT_EVENT, search, events, after))


@router.get(f"/{_AUDIT_EVENT}/{{resource_id}}")
async def get_audit_event(resource_id: str, caller: CallerDep, audit: AuditDep) -> Response:
    return _answer(await audit.read(caller, resource_id))


@router.get("/{resource_type}")
@router.post("/{resource_type}/_search")
async def search_resources(resource_type: str, request: Request, caller: CallerDep, results: ResultsDep) -> Response:
    known = _parameters(resource_type)
    search = search_request(await _pairs(request), known, prefer=request.headers.get("prefer"))
    page = await results.page(caller, resource_type, search)
    return _answer(searchset(results.base, resource_type, search, [item.resource for item in page.found], page.after))


@router.get("/{resource_type}/{resource_id}")
async def get_resource(resource_type: str, resource_id: str, caller: CallerDep, results: ResultsDep) -> Response:
    _parameters(resource_type)
    found = await results.read(caller, resource_type, resource_id)
    return _answer(found.resource, {"ETag": f'W/"{found.resource["meta"]["versionId"]}"'})


def _parameters(resource_type: str) -> dict[str, str]:
    if resource_type not in PARAMETERS:
        raise NoSuchType(f"this server has {', '.join(sorted([*PARAMETERS, _AUDIT_EVENT]))}")
    return dict(PARAMETERS[resource_type])


async def _pairs(request: Request) -> list[tuple[str, str]]:
    """Of the query and, for a POST, of the form. Raises InvalidSearch and UnsupportedMedia."""
    text = request.url.query
    if request.method == "POST":
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            raise UnsupportedMedia(f"a search is sent as {_FORM}")
        text = "&".join(part for part in (text, (await request.body()).decode("utf-8", "replace")) if part)
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=200)
    except ValueError as error:
        raise InvalidSearch("there are too many parameters") from error


def _answer(resource: Resource, headers: dict[str, str] | None = None) -> Response:
    content = json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(content, media_type=MEDIA_TYPE, headers=headers)
