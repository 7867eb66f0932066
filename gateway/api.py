"""The public routes of images and models, all under /v1."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from sse_starlette import EventSourceResponse

from gateway.analysis import BATCH, CLASSIFICATIONS, DETECTIONS, UpstreamCall, analyse, analyse_batch
from gateway.analysis_events import analysis_events
from gateway.authentication import authenticated_principal
from gateway.settings import GatewaySettings
from hepar.contracts.analyses import (
    Analysis,
    AnalysisBatch,
    Classification,
    ClassificationBatch,
    ClassificationItem,
    Detection,
    DetectionBatch,
    DetectionItem,
)
from hepar.contracts.models import ModelList
from hepar.core.deadlines import DEADLINE_HEADER, Deadline
from hepar.core.errors import Forbidden, HeparError
from hepar.serving.options import FusionChoice, VotingChoice
from hepar.web.access_tokens import KeyCache, Principal, TokenRules
from hepar.web.bearer import bearer_token
from hepar.web.events import EventsAccepted, event_stream
from hepar.web.uploads import BATCH_OPENAPI, IMAGE_OPENAPI, MULTIPART_OVERHEAD_BYTES, Frame, check_announced, limited
from hepar.web.upstream import Upstream

router = APIRouter(prefix="/v1")

ANALYSES = "/v1/analyses"
SCOPE = "analyses"
UPLOAD_PATHS = frozenset(path + batch for path in (CLASSIFICATIONS, DETECTIONS, ANALYSES) for batch in ("", BATCH))


@dataclass(frozen=True)
class GatewayDependencies:
    """What the routes work with; made by the app's lifespan."""

    settings: GatewaySettings
    keys: KeyCache
    rules: TokenRules
    auth: Upstream
    classify: Upstream
    detect: Upstream


async def _dependencies(request: Request) -> GatewayDependencies:
    dependencies: GatewayDependencies = request.app.state.dependencies
    return dependencies


Dependencies = Annotated[GatewayDependencies, Depends(_dependencies)]
TokenDep = Annotated[str, Depends(bearer_token)]


async def _analyst(request: Request, token: TokenDep, dependencies: Dependencies) -> Principal:
    principal = authenticated_principal(request.scope) or await dependencies.keys.principal(token, dependencies.rules)
    if SCOPE not in principal.scopes:
        raise Forbidden(f"the token lacks the scope `{SCOPE}`")
    return principal


async def _deadline(request: Request, dependencies: Dependencies) -> Deadline:
    return Deadline.from_header(request.headers.get(DEADLINE_HEADER), dependencies.settings.deadline_s)


async def _batch_deadline(request: Request, dependencies: Dependencies) -> Deadline:
    return Deadline.from_header(request.headers.get(DEADLINE_HEADER), dependencies.settings.batch_deadline_s)


DeadlineDep = Annotated[Deadline, Depends(_deadline)]
BatchDeadlineDep = Annotated[Deadline, Depends(_batch_deadline)]


@dataclass(frozen=True)
class Upload:
    """A checked but unread body, and the headers that say how to read it."""

    body: AsyncIterator[bytes]
    headers: dict[str, str]
    frame: int | None

    def query(self, *options: list[tuple[str, str]]) -> str:
        """Of the next hop, with its `?`; empty where nothing was chosen."""
        chosen = [] if self.frame is None else [("frame", str(self.frame))]
        for more in options:
            chosen += more
        return "?" + urlencode(chosen) if chosen else ""


async def _upload(request: Request, dependencies: Dependencies, frame: Frame = None) -> Upload:
    check_announced(request, dependencies.settings.upload_bytes_max)
    headers = {name: request.headers[name] for name in ("content-type",) if name in request.headers}
    body = limited(request.stream(), dependencies.settings.upload_bytes_max + MULTIPART_OVERHEAD_BYTES)
    return Upload(body, headers, frame)


async def _batch_upload(request: Request, dependencies: Dependencies) -> Upload:
    return await _upload(request, dependencies)


UploadDep = Annotated[Upload, Depends(_upload)]
BatchUploadDep = Annotated[Upload, Depends(_batch_upload)]
Signed = [Depends(_analyst)]


@router.get("/models", summary="List the models", tags=["models"], dependencies=Signed)
async def models(dependencies: Dependencies, deadline: DeadlineDep) -> ModelList:
    """Every classifier, every detector and the input check: its card, with what it measured on held-out patients and
    its limits, and whether it answers now.

    A task whose service does not answer is named in `missing_tasks`.
    """

    async def ask(upstream: Upstream) -> ModelList | HeparError:
        try:
            return await upstream.call(ModelList, "GET", "/v1/models", deadline)
        except HeparError as error:
            return error

    answers = await asyncio.gather(ask(dependencies.classify), ask(dependencies.detect))
    lists = [answer for answer in answers if isinstance(answer, ModelList)]
    if not lists:
        raise next(answer for answer in answers if isinstance(answer, HeparError))
    found = {model.card.name: model for part in lists for model in part.models}
    tasks: tuple[Literal["classification"], Literal["detection"]] = ("classification", "detection")
    missing = [task for task, answer in zip(tasks, answers, strict=True) if isinstance(answer, HeparError)]
    return ModelList(models=[found[name] for name in sorted(found)], missing_tasks=missing)


@router.post(
    "/classifications",
    summary="Classify one CT image",
    tags=["analyses"],
    dependencies=Signed,
    openapi_extra=IMAGE_OPENAPI,
)
async def classify(
    dependencies: Dependencies, options: VotingChoice, deadline: DeadlineDep, upload: UploadDep
) -> Classification:
    """Cholangiocarcinoma, metastasis or no tumour, by a calibrated vote of five networks, with each network's own
    answer, how far they agree and how unsure they are.

    `outcome` is `decided` with a `label`; `indeterminate`, below the ensemble's decision threshold; or `out_of_scope`,
    with the reason and without votes, for an image unlike the abdominal CT that the networks were trained on.
    """
    path = CLASSIFICATIONS + upload.query(options.query())
    return await dependencies.classify.call(
        Classification, "POST", path, deadline, headers=upload.headers, content=upload.body
    )


@router.post(
    "/detections",
    summary="Find lesions in one CT image",
    tags=["analyses"],
    dependencies=Signed,
    openapi_extra=IMAGE_OPENAPI,
)
async def detect(
    dependencies: Dependencies, options: FusionChoice, deadline: DeadlineDep, upload: UploadDep
) -> Detection:
    """Boxes of lesions, fused over three detectors: each with its score, its type, which detectors found it, and its
    size in pixels, and in millimetres where the file says the pixel spacing.
    """
    path = DETECTIONS + upload.query(options.query())
    return await dependencies.detect.call(
        Detection, "POST", path, deadline, headers=upload.headers, content=upload.body
    )


@router.post(
    "/analyses",
    summary="Classify one CT image and find its lesions",
    tags=["analyses"],
    dependencies=Signed,
    openapi_extra=IMAGE_OPENAPI,
)
async def analysis(
    dependencies: Dependencies, voting: VotingChoice, fusion: FusionChoice, deadline: DeadlineDep, upload: UploadDep
) -> Analysis:
    """Both at once from one upload. A part that fails on its own is a problem in its place, and the other is there
    all the same; where both fail, so does the request.
    """
    return await analyse(
        UpstreamCall(dependencies.classify, CLASSIFICATIONS + upload.query(voting.query())),
        UpstreamCall(dependencies.detect, DETECTIONS + upload.query(fusion.query())),
        upload.body,
        upload.headers,
        deadline,
    )


@router.post(
    "/classifications/batch",
    summary="Classify many CT images",
    tags=["batches"],
    dependencies=Signed,
    openapi_extra=BATCH_OPENAPI,
    response_model=ClassificationBatch,
)
async def classify_batch(
    dependencies: Dependencies,
    options: VotingChoice,
    deadline: BatchDeadlineDep,
    upload: BatchUploadDep,
    events: EventsAccepted,
) -> ClassificationBatch | EventSourceResponse:
    """Every image is answered on its own, in the order sent; one that fails is a problem in its place.

    With `Accept: text/event-stream` each answer comes as an event `item` (a ClassificationItem) as soon as it is
    ready, and an event `end` after the last.
    """
    path = CLASSIFICATIONS + BATCH + upload.query(options.query())
    headers, body = upload.headers, upload.body
    if events:
        return await event_stream(
            dependencies.classify.events(ClassificationItem, path, deadline, headers=headers, content=body)
        )
    return await dependencies.classify.call(ClassificationBatch, "POST", path, deadline, headers=headers, content=body)


@router.post(
    "/detections/batch",
    summary="Find lesions in many CT images",
    tags=["batches"],
    dependencies=Signed,
    openapi_extra=BATCH_OPENAPI,
    response_model=DetectionBatch,
)
async def detect_batch(
    dependencies: Dependencies,
    options: FusionChoice,
    deadline: BatchDeadlineDep,
    upload: BatchUploadDep,
    events: EventsAccepted,
) -> DetectionBatch | EventSourceResponse:
    """Every image is answered on its own, in the order sent; one that fails is a problem in its place.

    With `Accept: text/event-stream` each answer comes as an event `item` (a DetectionItem) as soon as it is ready,
    and an event `end` after the last.
    """
    path = DETECTIONS + BATCH + upload.query(options.query())
    headers, body = upload.headers, upload.body
    if events:
        return await event_stream(
            dependencies.detect.events(DetectionItem, path, deadline, headers=headers, content=body)
        )
    return await dependencies.detect.call(DetectionBatch, "POST", path, deadline, headers=headers, content=body)


@router.post(
    "/analyses/batch",
    summary="Classify many CT images and find their lesions",
    tags=["batches"],
    dependencies=Signed,
    openapi_extra=BATCH_OPENAPI,
    response_model=AnalysisBatch,
)
async def analysis_batch(
    dependencies: Dependencies,
    voting: VotingChoice,
    fusion: FusionChoice,
    deadline: BatchDeadlineDep,
    upload: BatchUploadDep,
    events: EventsAccepted,
) -> AnalysisBatch | EventSourceResponse:
    """Both parts of every image, in the order sent; a part that fails is a problem in its place.

    With `Accept: text/event-stream` each image comes as an event `item` (an AnalysisItem) as soon as both its parts are
    ready, and an event `end` after the last.
    """
    both = (
        UpstreamCall(dependencies.classify, CLASSIFICATIONS + BATCH + upload.query(voting.query())),
        UpstreamCall(dependencies.detect, DETECTIONS + BATCH + upload.query(fusion.query())),
        upload.body,
        upload.headers,
        deadline,
    )
    if events:
        return await event_stream(analysis_events(*both))
    return await analyse_batch(*both)
