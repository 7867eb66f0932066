"""Internal routes of detect_service: slices of volumes, for the study worker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter, Response

from detect_service.api import Service
from detect_service.detectors import (
    DetectorOutput,
    corners_as_sent,
    located_boxes,
    record_boxes,
    single_boxes,
    used_boxes,
)
from hepar.contracts.slices import (
    LESION_THRESHOLD_HEADER,
    LIVER_PATH,
    SEGMENTER_HEADER,
    SLICES_PATH,
    DetectedBox,
    SliceDetections,
)
from hepar.ensemble.fusion import FoundBox, FusedBox
from hepar.imaging.prepared import PreparedImage
from hepar.serving.model_service import ImageAnswers
from hepar.serving.options import FusionOptions
from hepar.serving.routes import BatchDeadlineDep, ByModelDep, UploadedSlices, json_response
from hepar.serving.slice_answers import answered_versions, missing_models
from hepar.serving.slices import masks_of
from hepar.web.uploads import BINARY

router = APIRouter()

INTERNAL_PATHS = frozenset({SLICES_PATH, LIVER_PATH})
Answers = ImageAnswers[FusionOptions, DetectorOutput]


@router.post(SLICES_PATH)
async def detect_slices(
    service: Service, deadline: BatchDeadlineDep, slices: UploadedSlices, by_model: ByModelDep = False
) -> Response:
    """The boxes of each slice as of an image of its own, with the default method and all models; without outlines."""
    answers = await service.analyse_slices(slices, FusionOptions(), deadline)
    document = await asyncio.to_thread(_document, answers, by_model)
    return await json_response(document, headers=slices.answer_headers)


@router.post(LIVER_PATH)
async def segment_slices(service: Service, deadline: BatchDeadlineDep, slices: UploadedSlices) -> Response:
    """(slices, 2, height, width): the probabilities of liver and lesion, in 255ths, in the segmenter's input.

    The caller finds a slice in that input by `hepar.imaging.letterbox` and the frame that it sent. Headers name the
    segmenter and its threshold.
    """
    outputs = await service.delineator.segment_slices(slices, deadline)
    first = outputs[0]
    headers = slices.answer_headers | {
        SEGMENTER_HEADER: f"{first.model}/{first.version}",
        LESION_THRESHOLD_HEADER: str(first.masks.lesion_threshold),
    }
    return Response(await asyncio.to_thread(masks_of, outputs), media_type=BINARY, headers=headers)


def _document(answers: Sequence[Answers], by_model: bool) -> SliceDetections:
    return SliceDetections(
        items=[_boxes(answer) for answer in answers],
        single=[_single(answer) for answer in answers] if by_model else [],
        models=answered_versions(answers),
        missing_models=missing_models(answers),
    )


def _boxes(answer: Answers) -> list[DetectedBox]:
    boxes, _ = located_boxes(answer)
    used = used_boxes(boxes, answer.request.options)
    if not answer.scope.out_of_scope:
        record_boxes([gated.box.score for gated in used])
    return [_box(gated.box, gated.box.detectors, answer.request.image) for gated in used]


def _single(answer: Answers) -> list[DetectedBox]:
    return [_box(box, (box.detector,), answer.request.image) for box in single_boxes(answer)]


def _box(box: FoundBox | FusedBox, detectors: Sequence[str], image: PreparedImage) -> DetectedBox:
    """Rounded as in a detection of one image."""
    x_min, y_min, x_max, y_max = (round(corner, 1) for corner in corners_as_sent(box, image))
    return DetectedBox(
        x_min=x_min,
        y_min=y_min,
        x_max=x_max,
        y_max=y_max,
        label=box.label,
        score=round(box.score, 4),
        detectors=list(detectors),
    )
