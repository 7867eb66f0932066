"""Routes of classify_service."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from classify_service.ensemble import Ballot, Ensemble
from classify_service.settings import ClassifySettings
from hepar.contracts.analyses import Classification, ModelVote
from hepar.contracts.problems import Problem
from hepar.imaging import CtImage
from hepar.service.deadlines import DEADLINE_HEADER, Deadline
from hepar.service.images import ImageDecoder, image_facts
from hepar.service.requests import current_request_id
from hepar.service.uploads import IMAGE_OPENAPI, read_image

router = APIRouter(tags=["classification"], responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}})

UPLOAD_PATHS = frozenset({"/v1/classifications"})


def _ensemble(request: Request) -> Ensemble:
    ensemble: Ensemble = request.app.state.ensemble
    return ensemble


def _decoder(request: Request) -> ImageDecoder:
    decoder: ImageDecoder = request.app.state.decoder
    return decoder


def _settings(request: Request) -> ClassifySettings:
    settings: ClassifySettings = request.app.state.settings
    return settings


EnsembleDep = Annotated[Ensemble, Depends(_ensemble)]
DecoderDep = Annotated[ImageDecoder, Depends(_decoder)]
SettingsDep = Annotated[ClassifySettings, Depends(_settings)]


@router.post("/v1/classifications", summary="Classify one CT image", openapi_extra=IMAGE_OPENAPI)
async def classify(
    request: Request, ensemble: EnsembleDep, decoder: DecoderDep, settings: SettingsDep
) -> Classification:
    """Cholangiocarcinoma, metastasis or no tumour, with each model's vote."""
    deadline = Deadline.from_header(request.headers.get(DEADLINE_HEADER), settings.deadline_s)
    image = await decoder.decode(await read_image(request, settings.upload_bytes_max))
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
