"""DICOMweb: requests for study_service, forwarded while the bytes arrive.

PS3.18 and the conformance statement describe these operations, not the OpenAPI document: docs/decisions/0060.
"""

from __future__ import annotations

from contextlib import AsyncExitStack

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from gateway.api.dependencies import STUDY_SCOPE_REQUIRED, Dependencies, TokenDep, authorization
from gateway.api.studies import SILENCE_S, answer_body, study_upload
from hepar.contracts.studies import DICOMWEB_PATH
from hepar.core.deadlines import Deadline
from hepar.web.client_address import forwarded_address, forwarded_client
from hepar.web.guard import is_head

router = APIRouter(prefix=DICOMWEB_PATH, dependencies=[STUDY_SCOPE_REQUIRED], include_in_schema=False)
_REQUEST_HEADERS = ("content-type", "accept")
_RESPONSE_HEADERS = ("content-type", "content-length", "warning", "cache-control")
_NOTHING_STORED = 409


@router.api_route("", methods=["GET", "POST"])
@router.api_route("/{rest:path}", methods=["GET", "POST"])
async def forward_dicomweb(request: Request, dependencies: Dependencies, token: TokenDep) -> Response:
    """study_service learns the address that the caller used, for the URLs of its answers."""
    settings, is_upload = dependencies.settings, request.method == "POST"
    headers = {name: request.headers[name] for name in _REQUEST_HEADERS if name in request.headers}
    query = f"?{request.url.query}" if request.url.query else ""
    async with AsyncExitStack() as stack:
        answer = await stack.enter_async_context(
            dependencies.study.stream(
                "HEAD" if is_head(request.scope) else request.method,
                request.scope["raw_path"].decode() + query,
                Deadline.after(settings.study_upload_s if is_upload else settings.study_deadline_s),
                silence_s=SILENCE_S,
                headers=headers | authorization(token) | forwarded_client(request) | forwarded_address(request),
                content=study_upload(request, dependencies) if is_upload else b"",
                answers=(_NOTHING_STORED,),
            )
        )
        sent = {name: answer.headers[name] for name in _RESPONSE_HEADERS if name in answer.headers}
        return StreamingResponse(answer_body(answer, stack.pop_all()), answer.status, sent)
