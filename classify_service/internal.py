"""Internal routes of classify_service: slices of volumes, for the study worker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter, Response

from classify_service.api import Service
from classify_service.classifiers import ClassifierOutput, Classifiers
from hepar.contracts.slices import SLICES_PATH, SliceClassification, SliceClassifications
from hepar.serving.model_service import ImageAnswers
from hepar.serving.options import VotingOptions
from hepar.serving.routes import BatchDeadlineDep, ByModelDep, UploadedSlices, json_response
from hepar.serving.slice_answers import answered_versions, missing_models

router = APIRouter()

INTERNAL_PATHS = frozenset({SLICES_PATH})
Answers = ImageAnswers[VotingOptions, ClassifierOutput]


@router.post(SLICES_PATH)
async def classify_slices(
    service: Service, deadline: BatchDeadlineDep, slices: UploadedSlices, by_model: ByModelDep = False
) -> Response:
    """Each slice is classified as an image of its own is, with the default method and all models."""
    answers = await service.analyse_slices(slices, VotingOptions(), deadline)
    document = await asyncio.to_thread(_document, service, answers, by_model)
    return await json_response(document, headers=slices.answer_headers)


def _document(service: Classifiers, answers: Sequence[Answers], by_model: bool) -> SliceClassifications:
    items = []
    for answer in answers:
        result = service.combine(answer)
        service.record_metrics(result)
        items.append(
            SliceClassification(
                outcome=result.outcome,
                tumour_probability=result.tumour_probability,
                type_probabilities=result.type_probabilities,
                votes={vote.model: vote.probabilities for vote in result.votes} if by_model else {},
            )
        )
    return SliceClassifications(items=items, models=answered_versions(answers), missing_models=missing_models(answers))
