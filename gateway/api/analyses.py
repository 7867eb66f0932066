"""Analyses: classification and detection of one upload."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from gateway.analysis import UpstreamCall, analyse, analyse_batch
from gateway.analysis_events import analysis_events
from gateway.api.dependencies import (
    IMAGE_SCOPE_REQUIRED,
    BatchDeadlineDep,
    DeadlineDep,
    Dependencies,
    UploadDep,
)
from gateway.complete_results import record_completeness, with_recorded_completeness
from hepar.contracts.analyses import Analysis
from hepar.contracts.batches import AnalysisBatch, AnalysisItem
from hepar.serving.options import FusionChoice, VotingChoice
from hepar.web.events import EventsAccepted, event_stream, event_stream_response
from hepar.web.openapi import problems
from hepar.web.uploads import BATCH_OPENAPI, BATCH_PROBLEMS, IMAGE_OPENAPI, IMAGE_PROBLEMS, Frame

router = APIRouter(prefix="/v1", dependencies=[IMAGE_SCOPE_REQUIRED])

PATHS = frozenset({"/v1/analyses", "/v1/analyses/batch"})


async def _valid_options(_voting: VotingChoice, _fusion: FusionChoice) -> None:
    """Refuses a wrong option for both services at once. Each then reads its own from the query."""


async def _valid_frame(frame: Frame = None) -> None:
    """Refuses a number that no frame has."""
    del frame


@router.post(
    "/analyses",
    summary="Classify one CT image and find its lesions",
    name="analysis",
    tags=["analyses"],
    dependencies=[Depends(_valid_options), Depends(_valid_frame)],
    response_model=Analysis,
    responses=problems(*IMAGE_PROBLEMS),
    openapi_extra=IMAGE_OPENAPI,
)
async def create_analysis(
    request: Request, dependencies: Dependencies, deadline: DeadlineDep, upload: UploadDep
) -> Response:
    """Classifies the image and finds its lesions from one upload. Where one part fails, it is a problem document next
    to the result of the other part; where both fail, the request fails.
    """
    result = await analyse(
        UpstreamCall(dependencies.classify, upload.target("/v1/classifications")),
        UpstreamCall(dependencies.detect, upload.target("/v1/detections")),
        upload.body,
        upload.headers,
        deadline,
    )
    return _json(request, result)


@router.post(
    "/analyses/batch",
    summary="Classify many CT images and find their lesions",
    name="analysis_batch",
    tags=["batches"],
    dependencies=[Depends(_valid_options)],
    response_model=AnalysisBatch,
    responses=problems(*BATCH_PROBLEMS) | event_stream_response(AnalysisItem),
    openapi_extra=BATCH_OPENAPI,
)
async def create_analysis_batch(
    request: Request,
    dependencies: Dependencies,
    deadline: BatchDeadlineDep,
    upload: UploadDep,
    events: EventsAccepted,
) -> Response:
    """Returns both parts of every image, in the order sent; a part that failed is a problem document.

    With `Accept: text/event-stream` each image comes as an event `item` (an AnalysisItem) as soon as both its parts are
    ready, and an event `end` after the last.
    """
    both = (
        UpstreamCall(dependencies.classify, upload.target("/v1/classifications/batch")),
        UpstreamCall(dependencies.detect, upload.target("/v1/detections/batch")),
        upload.body,
        upload.headers,
        deadline,
    )
    if events:
        return await event_stream(with_recorded_completeness(request, analysis_events(*both)))
    return _json(request, await analyse_batch(*both))


def _json(request: Request, document: Analysis | AnalysisBatch) -> Response:
    """The document is valid: FastAPI would validate it once more."""
    record_completeness(request, document)
    return Response(document.model_dump_json(), media_type="application/json")
