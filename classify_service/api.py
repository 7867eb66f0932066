"""Routes of classify_service."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sse_starlette import EventSourceResponse

from classify_service.ensemble import Classifiers, EnsembleResult, TimedVote, rows
from hepar.contracts.analyses import Classification, ClassificationBatch, ClassificationItem, Explanation, ModelVote
from hepar.contracts.models import ModelList
from hepar.contracts.problems import Problem
from hepar.core.request_context import current_request_id
from hepar.ensemble.activation_maps import Map
from hepar.imaging import CtImage
from hepar.imaging.annotation import base64_text, overlay_png
from hepar.serving.decode_workers import image_facts
from hepar.serving.model_service import BatchDeadlineDep, DeadlineDep, UploadedBatch, UploadedImage
from hepar.serving.options import VotingChoice, VotingOptions
from hepar.web.events import EventsAccepted, event_stream
from hepar.web.uploads import BATCH_OPENAPI, IMAGE_OPENAPI

router = APIRouter(tags=["classification"], responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}})

UPLOAD_PATHS = frozenset({"/v1/classifications", "/v1/classifications/batch"})


async def _classifiers(request: Request) -> Classifiers:
    classifiers: Classifiers = request.app.state.classifiers
    return classifiers


ClassifiersDep = Annotated[Classifiers, Depends(_classifiers)]


@router.get("/v1/models", summary="Which models there are")
async def models(classifiers: ClassifiersDep) -> ModelList:
    """Their cards, with figures, and whether they answer now."""
    return ModelList(models=await classifiers.served())


@router.post("/v1/classifications", summary="Classify one CT image", openapi_extra=IMAGE_OPENAPI)
async def classify(
    classifiers: ClassifiersDep, options: VotingChoice, deadline: DeadlineDep, image: UploadedImage
) -> Classification:
    """Cholangiocarcinoma, metastasis or no tumour, with each model's vote."""
    return await _shaped(await classifiers.vote(image, deadline, options), image, options)


@router.post(
    "/v1/classifications/batch",
    response_model=ClassificationBatch,
    summary="Classify many CT images",
    openapi_extra=BATCH_OPENAPI,
)
async def classify_batch(
    classifiers: ClassifiersDep,
    options: VotingChoice,
    deadline: BatchDeadlineDep,
    batch: UploadedBatch,
    events: EventsAccepted,
) -> ClassificationBatch | EventSourceResponse:
    """Every image is answered on its own, in order; one that fails says so in its place. Or as events, when ready."""

    async def one(image: CtImage) -> Classification:
        return await _shaped(await classifiers.vote(image, deadline, options), image, options)

    if events:
        ready = batch.answers_as_ready(one)
        return await event_stream(ClassificationItem(index=index, item=item) async for index, item in ready)
    return ClassificationBatch(items=await batch.answers(one), request_id=current_request_id())


async def _shaped(result: EnsembleResult, image: CtImage, options: VotingOptions) -> Classification:
    if result.look.out_of_scope:
        return _out_of_scope(result, image)
    decision = result.decision
    explained = options.explain and result.evidence is not None
    return Classification(
        outcome="decided" if decision.decided else "indeterminate",
        label=decision.most_probable_label if decision.decided else None,
        most_probable_label=decision.most_probable_label,
        probability=decision.probability,
        probabilities=decision.probabilities,
        scope=result.look.scope,
        method=result.method,
        agreeing_models=decision.agreeing_models,
        voting_models=len(result.votes),
        entropy=round(result.entropy, 4),
        mutual_information=round(result.mutual_information, 4),
        votes=[
            await _vote(timed, decision.most_probable_label, image, explained=options.explain_models)
            for timed in result.votes
        ],
        missing_models=result.missing,
        explanation=await _explanation(decision.most_probable_label, result.evidence, image, "ensemble")
        if explained
        else None,
        image=image_facts(image),
        request_id=current_request_id(),
    )


def _out_of_scope(result: EnsembleResult, image: CtImage) -> Classification:
    """What the networks say of an image that they do not know means nothing, so it is not told."""
    return Classification(
        outcome="out_of_scope",
        label=None,
        most_probable_label=None,
        probability=None,
        probabilities={},
        scope=result.look.scope,
        method=result.method,
        agreeing_models=0,
        voting_models=0,
        entropy=None,
        mutual_information=None,
        votes=[],
        missing_models=result.missing,
        image=image_facts(image),
        request_id=current_request_id(),
    )


async def _vote(timed: TimedVote, label: str, image: CtImage, *, explained: bool) -> ModelVote:
    vote = timed.vote
    return ModelVote(
        model=vote.model,
        version=timed.version,
        label=vote.label,
        probabilities=dict(zip(vote.labels, vote.probabilities.tolist(), strict=True)),
        duration_ms=round(timed.duration_ms, 1),
        explanation=await _explanation(label, timed.activation_map_for(label), image, vote.model)
        if explained
        else None,
    )


async def _explanation(label: str, values: Map | None, image: CtImage, source: str) -> Explanation | None:
    """Drawn in a thread: compressing a picture takes tens of milliseconds."""
    if values is None:
        return None
    picture = await asyncio.to_thread(overlay_png, image, values, f"{source}: evidence for {label}")
    return Explanation(label=label, activation_map=rows(values), overlay_png=base64_text(picture))
