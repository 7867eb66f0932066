"""The public routes, all under /v1."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request

from gateway.analysis import BATCH, CLASSIFICATIONS, DETECTIONS, Asked, analyse, analyse_batch
from gateway.settings import GatewaySettings
from gateway.upstream import Upstream
from hepar.contracts.analyses import (
    Analysis,
    AnalysisBatch,
    Classification,
    ClassificationBatch,
    Detection,
    DetectionBatch,
)
from hepar.contracts.problems import Problem
from hepar.service.bearer import bearer_token
from hepar.service.deadlines import DEADLINE_HEADER, Deadline
from hepar.service.options import FusionChoice, VotingChoice
from hepar.service.problems import Forbidden
from hepar.service.tokens import KeyCache, Principal, TokenRules
from hepar.service.uploads import (
    BATCH_OPENAPI,
    IMAGE_OPENAPI,
    MULTIPART_OVERHEAD_BYTES,
    Frame,
    check_announced,
    limited,
)

router = APIRouter(prefix="/v1", responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}})

ANALYSES = "/v1/analyses"
UPLOAD_PATHS = frozenset(path + batch for path in (CLASSIFICATIONS, DETECTIONS, ANALYSES) for batch in ("", BATCH))


@dataclass(frozen=True)
class House:
    """What the routes work with; made by the app's lifespan."""

    settings: GatewaySettings
    keys: KeyCache
    rules: TokenRules
    auth: Upstream
    classify: Upstream
    detect: Upstream


async def _house(request: Request) -> House:
    house: House = request.app.state.house
    return house


HouseDep = Annotated[House, Depends(_house)]
TokenDep = Annotated[str, Depends(bearer_token)]


async def _analyst(token: TokenDep, house: HouseDep) -> Principal:
    principal = await house.keys.principal(token, house.rules)
    if "analyses" not in principal.scopes:
        raise Forbidden("the token lacks the scope `analyses`")
    return principal


async def _deadline(request: Request, house: HouseDep) -> Deadline:
    return Deadline.from_header(request.headers.get(DEADLINE_HEADER), house.settings.deadline_s)


async def _batch_deadline(request: Request, house: HouseDep) -> Deadline:
    return Deadline.from_header(request.headers.get(DEADLINE_HEADER), house.settings.batch_deadline_s)


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


async def _upload(request: Request, house: HouseDep, frame: Frame = None) -> Upload:
    check_announced(request, house.settings.upload_bytes_max)
    headers = {name: request.headers[name] for name in ("content-type",) if name in request.headers}
    body = limited(request.stream(), house.settings.upload_bytes_max + MULTIPART_OVERHEAD_BYTES)
    return Upload(body, headers, frame)


async def _batch_upload(request: Request, house: HouseDep) -> Upload:
    return await _upload(request, house)


UploadDep = Annotated[Upload, Depends(_upload)]
BatchUploadDep = Annotated[Upload, Depends(_batch_upload)]


@router.post(
    "/classifications",
    summary="Classify one CT image",
    tags=["analyses"],
    dependencies=[Depends(_analyst)],
    openapi_extra=IMAGE_OPENAPI,
)
async def classify(house: HouseDep, options: VotingChoice, deadline: DeadlineDep, upload: UploadDep) -> Classification:
    """Cholangiocarcinoma, metastasis or no tumour, with each model's vote."""
    path = CLASSIFICATIONS + upload.query(options.query())
    return await house.classify.call(
        Classification, "POST", path, deadline, headers=upload.headers, content=upload.body
    )


@router.post(
    "/detections",
    summary="Find lesions in one CT image",
    tags=["analyses"],
    dependencies=[Depends(_analyst)],
    openapi_extra=IMAGE_OPENAPI,
)
async def detect(house: HouseDep, options: FusionChoice, deadline: DeadlineDep, upload: UploadDep) -> Detection:
    """Boxes of lesions, fused over all detectors."""
    path = DETECTIONS + upload.query(options.query())
    return await house.detect.call(Detection, "POST", path, deadline, headers=upload.headers, content=upload.body)


@router.post(
    "/analyses",
    summary="Classify one CT image and find its lesions",
    tags=["analyses"],
    dependencies=[Depends(_analyst)],
    openapi_extra=IMAGE_OPENAPI,
)
async def analysis(
    house: HouseDep, voting: VotingChoice, fusion: FusionChoice, deadline: DeadlineDep, upload: UploadDep
) -> Analysis:
    """Both at once; a part that fails on its own says so in its place."""
    return await analyse(
        Asked(house.classify, CLASSIFICATIONS + upload.query(voting.query())),
        Asked(house.detect, DETECTIONS + upload.query(fusion.query())),
        upload.body,
        upload.headers,
        deadline,
    )


@router.post(
    "/classifications/batch",
    summary="Classify many CT images",
    tags=["analyses"],
    dependencies=[Depends(_analyst)],
    openapi_extra=BATCH_OPENAPI,
)
async def classify_batch(
    house: HouseDep, options: VotingChoice, deadline: BatchDeadlineDep, upload: BatchUploadDep
) -> ClassificationBatch:
    """Every image is answered on its own, in order; one that fails says so in its place."""
    path = CLASSIFICATIONS + BATCH + upload.query(options.query())
    return await house.classify.call(
        ClassificationBatch, "POST", path, deadline, headers=upload.headers, content=upload.body
    )


@router.post(
    "/detections/batch",
    summary="Find lesions in many CT images",
    tags=["analyses"],
    dependencies=[Depends(_analyst)],
    openapi_extra=BATCH_OPENAPI,
)
async def detect_batch(
    house: HouseDep, options: FusionChoice, deadline: BatchDeadlineDep, upload: BatchUploadDep
) -> DetectionBatch:
    """Every image is answered on its own, in order; one that fails says so in its place."""
    path = DETECTIONS + BATCH + upload.query(options.query())
    return await house.detect.call(DetectionBatch, "POST", path, deadline, headers=upload.headers, content=upload.body)


@router.post(
    "/analyses/batch",
    summary="Classify many CT images and find their lesions",
    tags=["analyses"],
    dependencies=[Depends(_analyst)],
    openapi_extra=BATCH_OPENAPI,
)
async def analysis_batch(
    house: HouseDep, voting: VotingChoice, fusion: FusionChoice, deadline: BatchDeadlineDep, upload: BatchUploadDep
) -> AnalysisBatch:
    """Both parts of every image, in order; a part that fails says so in its place."""
    return await analyse_batch(
        Asked(house.classify, CLASSIFICATIONS + BATCH + upload.query(voting.query())),
        Asked(house.detect, DETECTIONS + BATCH + upload.query(fusion.query())),
        upload.body,
        upload.headers,
        deadline,
    )
