"""The FHIR interface: routes of study_service, whose CapabilityStatement describes them."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from gateway.api.dependencies import STUDY_SCOPE_REQUIRED, Dependencies, GatewayDependencies
from gateway.fhir_errors import FHIR_JSON, FHIR_PATH
from hepar.core.deadlines import Deadline
from hepar.core.errors import BadUpstream
from hepar.web.client_address import forwarded_address, forwarded_client

router = APIRouter(prefix=FHIR_PATH, include_in_schema=False)
_REQUEST_HEADERS = ("accept", "authorization", "content-type", "prefer")
_RESPONSE_HEADERS = ("content-type", "etag")


@router.get("/metadata")
async def fhir_metadata(request: Request, dependencies: Dependencies) -> Response:
    """For everybody: it says how to sign in."""
    return await _forwarded(request, dependencies)


@router.get("", dependencies=[STUDY_SCOPE_REQUIRED])
@router.get("/{path:path}", dependencies=[STUDY_SCOPE_REQUIRED])
@router.post("/{path:path}", dependencies=[STUDY_SCOPE_REQUIRED])
async def fhir(request: Request, dependencies: Dependencies) -> Response:
    return await _forwarded(request, dependencies)


async def _forwarded(request: Request, dependencies: GatewayDependencies) -> Response:
    query = f"?{request.url.query}" if request.url.query else ""
    headers = {name: request.headers[name] for name in _REQUEST_HEADERS if name in request.headers}
    answer = await dependencies.study.request(
        request.method,
        request.scope["raw_path"].decode() + query,
        Deadline.after(dependencies.settings.study_deadline_s),
        headers=headers | forwarded_client(request) | forwarded_address(request),
        content=await request.body(),
    )
    if answer.status != 200 or answer.headers.get("content-type") != FHIR_JSON:
        raise BadUpstream("studies gave a wrong answer")
    sent = {name: answer.headers[name] for name in _RESPONSE_HEADERS if name in answer.headers}
    return Response(answer.content, answer.status, sent)
