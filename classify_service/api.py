"""Routes of classify_service."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from classify_service.classifiers import Classifiers
from hepar.contracts.analyses import Classification, ClassificationBatch, ClassificationItem
from hepar.contracts.models import ModelList
from hepar.contracts.problems import Problem
from hepar.core.request_context import current_request_id
from hepar.serving.app import BatchDeadlineDep, DeadlineDep, UploadedImage, UploadedImages, json_response
from hepar.serving.batches import in_order
from hepar.serving.options import VotingChoice
from hepar.web.events import EventsAccepted, event_stream
from hepar.web.uploads import BATCH_OPENAPI, IMAGE_OPENAPI, Frame

router = APIRouter(tags=["classification"], responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}})

UPLOAD_PATHS = frozenset({"/v1/classifications", "/v1/classifications/batch"})


async def _service(request: Request) -> Classifiers:
    service: Classifiers = request.app.state.service
    return service


Service = Annotated[Classifiers, Depends(_service)]


@router.get("/v1/models", summary="List the classifiers")
async def models(service: Service) -> ModelList:
    """The classifiers and the input check: their cards with the figures, and whether they answer now."""
    return ModelList(models=await service.served_models())


@router.post(
    "/v1/classifications", response_model=Classification, summary="Classify one CT image", openapi_extra=IMAGE_OPENAPI
)
async def classify(
    service: Service, options: VotingChoice, deadline: DeadlineDep, image: UploadedImage, frame: Frame = None
) -> Response:
    """Cholangiocarcinoma, metastasis or no tumour, with each model's vote."""
    return await json_response(await service.analyse(image, options, deadline, frame))


@router.post(
    "/v1/classifications/batch",
    response_model=ClassificationBatch,
    summary="Classify many CT images",
    openapi_extra=BATCH_OPENAPI,
)
async def classify_batch(
    service: Service, options: VotingChoice, deadline: BatchDeadlineDep, images: UploadedImages, events: EventsAccepted
) -> Response:
    """A result or a problem for every image, in the order they were sent, or as events as they become ready."""
    results = service.analyse_batch(images, options, deadline)
    if events:
        return await event_stream(ClassificationItem(index=index, item=item) async for index, item in results)
    batch = ClassificationBatch(items=await in_order(results), request_id=current_request_id())
    return await json_response(batch)
