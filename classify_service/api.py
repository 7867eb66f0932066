"""Routes of classify_service."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from classify_service.classifiers import Classifiers
from hepar.contracts.analyses import Classification
from hepar.contracts.batches import ClassificationBatch, ClassificationItem
from hepar.contracts.models import ModelList
from hepar.core.request_context import current_request_id
from hepar.serving.batches import in_order
from hepar.serving.options import VotingChoice
from hepar.serving.routes import BatchDeadlineDep, Caller, DeadlineDep, UploadedImage, UploadedImages, json_response
from hepar.web.events import EventsAccepted, event_stream, event_stream_response
from hepar.web.openapi import problems
from hepar.web.uploads import BATCH_OPENAPI, BATCH_PROBLEMS, IMAGE_OPENAPI, IMAGE_PROBLEMS, Frame

router = APIRouter()

UPLOAD_PATHS = frozenset({"/v1/classifications", "/v1/classifications/batch"})


async def _service(request: Request) -> Classifiers:
    service: Classifiers = request.app.state.service
    return service


Service = Annotated[Classifiers, Depends(_service)]


@router.get("/v1/models", summary="List the classifiers", tags=["models"])
async def models(service: Service) -> ModelList:
    """The classifiers and the input check: their cards with the figures, and whether they answer now."""
    return ModelList(models=await service.served_models())


@router.post(
    "/v1/classifications",
    response_model=Classification,
    summary="Classify one CT image",
    tags=["analyses"],
    responses=problems(*IMAGE_PROBLEMS),
    openapi_extra=IMAGE_OPENAPI,
)
async def classify(
    service: Service,
    options: VotingChoice,
    deadline: DeadlineDep,
    caller: Caller,
    image: UploadedImage,
    frame: Frame = None,
) -> Response:
    """Cholangiocarcinoma, metastasis or no tumour: the calibrated decision of the ensemble, with the vote of each
    network, their agreement and their uncertainty.

    `outcome` is `decided` with a `label`; `indeterminate`, below the ensemble's decision threshold; or `out_of_scope`,
    with the reason and without votes, for an image unlike the abdominal CT that the networks were trained on.
    """
    result = await service.analyse(image, options, deadline, caller.subject, frame)
    return await json_response(result, large=options.renders)


@router.post(
    "/v1/classifications/batch",
    response_model=ClassificationBatch,
    summary="Classify many CT images",
    tags=["batches"],
    responses=problems(*BATCH_PROBLEMS) | event_stream_response(ClassificationItem),
    openapi_extra=BATCH_OPENAPI,
)
async def classify_batch(
    service: Service,
    options: VotingChoice,
    deadline: BatchDeadlineDep,
    caller: Caller,
    images: UploadedImages,
    events: EventsAccepted,
) -> Response:
    """Returns one item per image, in the order sent: its result, or a problem document where it failed.

    With `Accept: text/event-stream` each answer comes as an event `item` (a ClassificationItem) as soon as it is ready,
    and an event `end` after the last.
    """
    results = service.analyse_batch(images, options, deadline, caller.subject)
    if events:
        return await event_stream(ClassificationItem(index=index, item=item) async for index, item in results)
    batch = ClassificationBatch(items=await in_order(results), request_id=current_request_id())
    return await json_response(batch)
