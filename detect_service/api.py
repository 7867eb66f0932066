"""Routes of detect_service."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sse_starlette import EventSourceResponse

from detect_service.detectors import Detectors, Findings, measured
from hepar.contracts.analyses import Box, Detection, DetectionBatch, DetectionItem, DetectorReport
from hepar.contracts.models import ModelList
from hepar.contracts.problems import Problem
from hepar.core.request_context import current_request_id
from hepar.ensemble.fusion import FusedBox
from hepar.imaging import CtImage
from hepar.imaging.annotation import annotated_png, base64_text
from hepar.serving.decode_workers import image_facts
from hepar.serving.model_service import BatchDeadlineDep, DeadlineDep, UploadedBatch, UploadedImage
from hepar.serving.options import FusionChoice, FusionOptions
from hepar.web.events import EventsAccepted, event_stream
from hepar.web.uploads import BATCH_OPENAPI, IMAGE_OPENAPI

router = APIRouter(tags=["detection"], responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}})

UPLOAD_PATHS = frozenset({"/v1/detections", "/v1/detections/batch"})


async def _detectors(request: Request) -> Detectors:
    detectors: Detectors = request.app.state.detectors
    return detectors


DetectorsDep = Annotated[Detectors, Depends(_detectors)]


@router.get("/v1/models", summary="Which models there are")
async def models(detectors: DetectorsDep) -> ModelList:
    """Their cards, with figures, and whether they answer now."""
    return ModelList(models=await detectors.served())


@router.post("/v1/detections", summary="Find lesions in one CT image", openapi_extra=IMAGE_OPENAPI)
async def detect(
    detectors: DetectorsDep, options: FusionChoice, deadline: DeadlineDep, image: UploadedImage
) -> Detection:
    """Boxes of lesions, fused over all detectors."""
    return await _shaped(await detectors.find(image, deadline, options), image, options)


@router.post(
    "/v1/detections/batch",
    response_model=DetectionBatch,
    summary="Find lesions in many CT images",
    openapi_extra=BATCH_OPENAPI,
)
async def detect_batch(
    detectors: DetectorsDep,
    options: FusionChoice,
    deadline: BatchDeadlineDep,
    batch: UploadedBatch,
    events: EventsAccepted,
) -> DetectionBatch | EventSourceResponse:
    """Every image is answered on its own, in order; one that fails says so in its place. Or as events, when ready."""

    async def one(image: CtImage) -> Detection:
        return await _shaped(await detectors.find(image, deadline, options), image, options)

    if events:
        ready = batch.answers_as_ready(one)
        return await event_stream(DetectionItem(index=index, item=item) async for index, item in ready)
    return DetectionBatch(items=await batch.answers(one), request_id=current_request_id())


async def _shaped(found: Findings, image: CtImage, options: FusionOptions) -> Detection:
    boxes = [_box(box, image.spacing_mm) for box in found.fused]
    picture = None
    if options.annotate:
        headline = f"{len(boxes)} {'box' if len(boxes) == 1 else 'boxes'}, {found.method.replace('_', ' ')}"
        if found.look.out_of_scope:
            headline = "out of scope"
        picture = base64_text(await asyncio.to_thread(annotated_png, image, boxes, headline))
    return Detection(
        boxes=boxes,
        scope=found.look.scope,
        method=found.method,
        annotated_png=picture,
        detectors=[
            DetectorReport(
                model=finding.model,
                version=finding.version,
                box_count=len(finding.boxes),
                duration_ms=round(finding.duration_ms, 1),
            )
            for finding in found.findings
        ],
        missing_models=found.missing,
        image=image_facts(image),
        request_id=current_request_id(),
    )


def _box(box: FusedBox, spacing_mm: tuple[float, float] | None) -> Box:
    size = measured(box.corners, spacing_mm)
    x_min, y_min, x_max, y_max = (round(corner, 1) for corner in box.corners)
    return Box(
        x_min=x_min,
        y_min=y_min,
        x_max=x_max,
        y_max=y_max,
        label=box.label,
        score=round(box.score, 4),
        detectors=list(box.detectors),
        size_px=size.size_px,
        size_mm=size.size_mm,
        longest_diameter_px=max(size.size_px),
        longest_diameter_mm=None if size.size_mm is None else max(size.size_mm),
    )
