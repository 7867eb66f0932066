"""Routes of detect_service."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from detect_service.detectors import Detectors
from hepar.contracts.analyses import Detection
from hepar.contracts.batches import DetectionBatch, DetectionItem
from hepar.contracts.models import ModelList
from hepar.contracts.segmentations import Segmentation
from hepar.core.request_context import current_request_id
from hepar.serving.batches import in_order
from hepar.serving.options import FusionChoice
from hepar.serving.routes import BatchDeadlineDep, Caller, DeadlineDep, UploadedImage, UploadedImages, json_response
from hepar.web.events import EventsAccepted, event_stream, event_stream_response
from hepar.web.openapi import problems
from hepar.web.uploads import BATCH_OPENAPI, BATCH_PROBLEMS, IMAGE_OPENAPI, IMAGE_PROBLEMS, Frame

router = APIRouter()

UPLOAD_PATHS = frozenset({"/v1/detections", "/v1/detections/batch", "/v1/segmentations"})


async def _service(request: Request) -> Detectors:
    service: Detectors = request.app.state.service
    return service


Service = Annotated[Detectors, Depends(_service)]


@router.get("/v1/models", summary="List the detectors", tags=["models"])
async def models(service: Service) -> ModelList:
    """The detectors and the input check: their cards with the figures, and whether they answer now."""
    return ModelList(models=await service.served_models())


@router.post(
    "/v1/detections",
    response_model=Detection,
    summary="Find lesions in one CT image",
    tags=["analyses"],
    responses=problems(*IMAGE_PROBLEMS),
    openapi_extra=IMAGE_OPENAPI,
)
async def detect(
    service: Service,
    options: FusionChoice,
    deadline: DeadlineDep,
    caller: Caller,
    image: UploadedImage,
    frame: Frame = None,
) -> Response:
    """Boxes of lesions, fused from the detectors' boxes: each with its score, its label, the detectors that found it,
    its size in pixels, and in millimetres where the file gives the pixel spacing, and the outline of the lesion in it.
    Boxes outside the liver are left out.
    """
    result = await service.analyse(image, options, deadline, caller.subject, frame)
    return await json_response(result, large=options.renders)


@router.post(
    "/v1/segmentations",
    response_model=Segmentation,
    summary="Delineate the liver and its lesions in one CT image",
    tags=["analyses"],
    responses=problems(*IMAGE_PROBLEMS),
    openapi_extra=IMAGE_OPENAPI,
)
async def segment(
    service: Service, deadline: DeadlineDep, caller: Caller, image: UploadedImage, frame: Frame = None
) -> Response:
    """Masks of the liver and of lesions in it: as polygons, and as PNG in the size of the image."""
    return await json_response(await service.delineator.segment(image, deadline, caller.subject, frame))


@router.post(
    "/v1/detections/batch",
    response_model=DetectionBatch,
    summary="Find lesions in many CT images",
    tags=["batches"],
    responses=problems(*BATCH_PROBLEMS) | event_stream_response(DetectionItem),
    openapi_extra=BATCH_OPENAPI,
)
async def detect_batch(
    service: Service,
    options: FusionChoice,
    deadline: BatchDeadlineDep,
    caller: Caller,
    images: UploadedImages,
    events: EventsAccepted,
) -> Response:
    """Returns one item per image, in the order sent: its result, or a problem document where it failed.

    With `Accept: text/event-stream` each answer comes as an event `item` (a DetectionItem) as soon as it is ready,
    and an event `end` after the last.
    """
    results = service.analyse_batch(images, options, deadline, caller.subject)
    if events:
        return await event_stream(DetectionItem(index=index, item=item) async for index, item in results)
    batch = DetectionBatch(items=await in_order(results), request_id=current_request_id())
    return await json_response(batch)
