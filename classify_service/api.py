"""Routes of classify_service."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from classify_service.ensemble import Ballot, Ensemble
from hepar.contracts.analyses import Classification, ModelVote
from hepar.contracts.problems import Problem
from hepar.imaging import CtImage
from hepar.service.images import image_facts
from hepar.service.model_app import DeadlineDep, UploadedImage
from hepar.service.requests import current_request_id
from hepar.service.uploads import IMAGE_OPENAPI

router = APIRouter(tags=["classification"], responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}})

UPLOAD_PATHS = frozenset({"/v1/classifications"})


def _ensemble(request: Request) -> Ensemble:
    ensemble: Ensemble = request.app.state.ensemble
    return ensemble


EnsembleDep = Annotated[Ensemble, Depends(_ensemble)]


@router.post("/v1/classifications", summary="Classify one CT image", openapi_extra=IMAGE_OPENAPI)
async def classify(ensemble: EnsembleDep, deadline: DeadlineDep, image: UploadedImage) -> Classification:
    """Cholangiocarcinoma, metastasis or no tumour, with each model's vote."""
    return _shaped(await ensemble.vote(image, deadline), image)


def _shaped(ballot: Ballot, image: CtImage) -> Classification:
    verdict = ballot.verdict
    return Classification(
        label=verdict.label,
        probability=verdict.probabilities[verdict.most_probable],
        probabilities=verdict.probabilities,
        agreement=f"{verdict.agreeing} of {len(ballot.votes)}",
        votes=[
            ModelVote(
                model=timed.vote.model,
                version=timed.version,
                label=timed.vote.label,
                probabilities=dict(zip(timed.vote.labels, timed.vote.probabilities.tolist(), strict=True)),
                duration_ms=round(timed.duration_ms, 1),
            )
            for timed in ballot.votes
        ],
        degraded=ballot.missing,
        image=image_facts(image),
        request_id=current_request_id(),
    )
