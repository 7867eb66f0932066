"""What the routes of the model services have in common: the caller, deadlines, uploads and answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Header, Request, Response, Security
from fastapi.security import SecurityScopes

from hepar.contracts.base import Document
from hepar.contracts.slices import (
    BY_MODEL_HEADER,
    FRAME_HEADER,
    PIXEL_MM_HEADER,
    SEGMENTER_HEADER,
    SegmenterName,
    SliceFrame,
)
from hepar.contracts.study_results import ModelVersion
from hepar.core.deadlines import Deadline
from hepar.core.errors import HeparError
from hepar.core.request_context import set_account
from hepar.imaging.letterbox import InputFrame
from hepar.serving.settings import ModelServiceSettings
from hepar.serving.slices import Slices, read_slices
from hepar.serving.upload_memory import UploadMemory
from hepar.web.access_tokens import Principal
from hepar.web.bearer import IMAGE_SCOPE, SLICES_SCOPE, bearer_token
from hepar.web.timeouts import TimeoutMs
from hepar.web.token_verifier import TokenVerifier
from hepar.web.uploads import ImageBytes, read_binary, read_image, read_images


async def _require_scope(
    required: SecurityScopes, request: Request, token: Annotated[str, Depends(bearer_token)]
) -> None:
    """Raises Unauthenticated, Unavailable, and Forbidden for a token without the scope that the route declares."""
    verifier: TokenVerifier = request.app.state.token_verifier
    principal = await verifier.principal(token)
    set_account(principal.subject)
    principal.require(required.scopes)
    request.state.principal = principal


IMAGE_SCOPE_REQUIRED = Security(_require_scope, scopes=[IMAGE_SCOPE])
"""For routers: it is resolved before a route's own parameters, so nothing of a body is read without a valid token."""
SLICES_SCOPE_REQUIRED = Security(_require_scope, scopes=[SLICES_SCOPE])
"""For internal routers, as IMAGE_SCOPE_REQUIRED is for public ones."""


def _principal(request: Request) -> Principal:
    """Whose token has the scope that the router requires."""
    principal: Principal = request.state.principal
    return principal


async def _caller(request: Request) -> Principal:
    """Depends on nothing: FastAPI resolves what a dependency depends on each time, also where it knows the result."""
    return _principal(request)


Caller = Annotated[Principal, Depends(_caller)]


async def json_response(
    document: Document, *, large: bool = True, headers: Mapping[str, str] | None = None
) -> Response:
    """large: serialised in a thread, because with rendered images or many results it has megabytes."""
    content = await asyncio.to_thread(document.model_dump_json) if large else document.model_dump_json()
    return Response(content, media_type="application/json", headers=headers)


async def _deadline(request: Request, timeout_ms: TimeoutMs = None) -> Deadline:
    settings: ModelServiceSettings = request.app.state.settings
    return Deadline.within(timeout_ms, settings.deadline_s)


async def _batch_deadline(request: Request, timeout_ms: TimeoutMs = None) -> Deadline:
    settings: ModelServiceSettings = request.app.state.settings
    return Deadline.within(timeout_ms, settings.batch_deadline_s)


async def _uploaded_image(request: Request) -> AsyncIterator[ImageBytes]:
    settings: ModelServiceSettings = request.app.state.settings
    with _counted(request) as counted:
        yield await read_image(counted, settings.upload_bytes_max)


async def _uploaded_images(request: Request) -> AsyncIterator[list[ImageBytes | HeparError]]:
    settings: ModelServiceSettings = request.app.state.settings
    with _counted(request) as counted:
        yield await read_images(counted, settings.upload_bytes_max, settings.batch_images_max, settings.batch_bytes_max)


async def _uploaded_slices(
    request: Request,
    segmenter: _Segmenter = None,
    frame: _Frame = None,
    pixel_mm: _PixelMm = None,
) -> AsyncIterator[Slices]:
    settings: ModelServiceSettings = request.app.state.settings
    with _counted(request) as counted:
        content = await read_binary(counted, settings.batch_bytes_max)
        limit, shown = settings.batch_images_max, None if frame is None else InputFrame.parse(frame)
        slices = await asyncio.to_thread(read_slices, content, _model_version(segmenter), limit)
        yield replace(slices, frame=shown, pixel_mm=pixel_mm)


def _model_version(segmenter: str | None) -> ModelVersion | None:
    if segmenter is None:
        return None
    model, version = segmenter.split("/")
    return ModelVersion(model=model, version=version)


def _counted(request: Request) -> AbstractContextManager[Request]:
    memory: UploadMemory = request.app.state.upload_memory
    return memory.reading(request, _principal(request).subject)


_Segmenter = Annotated[SegmenterName | None, Header(alias=SEGMENTER_HEADER)]
_PixelMm = Annotated[float | None, Header(alias=PIXEL_MM_HEADER, gt=0, allow_inf_nan=False)]
_Frame = Annotated[SliceFrame | None, Header(alias=FRAME_HEADER)]
ByModelDep = Annotated[bool, Header(alias=BY_MODEL_HEADER)]
DeadlineDep = Annotated[Deadline, Depends(_deadline)]
BatchDeadlineDep = Annotated[Deadline, Depends(_batch_deadline)]
UploadedImage = Annotated[ImageBytes, Depends(_uploaded_image)]
UploadedSlices = Annotated[Slices, Depends(_uploaded_slices)]
UploadedImages = Annotated[list[ImageBytes | HeparError], Depends(_uploaded_images)]
