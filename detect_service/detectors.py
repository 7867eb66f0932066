"""Detection of lesions by all detectors of the model repository."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from detect_service.segmentation import Delineator, polygon
from hepar.contracts.analyses import Box, Detection, DetectorReport
from hepar.contracts.cards import Ensemble, FusionMethod, LiverGate, ModelCard
from hepar.core.errors import HeparError
from hepar.core.metrics import BOX_SCORE, BOXES
from hepar.core.request_context import current_request_id
from hepar.ensemble.fusion import FoundBox, FusedBox, FusionParameters, fuse
from hepar.ensemble.masks import OrganMasks
from hepar.imaging.annotation import annotated_png, base64_text
from hepar.imaging.letterbox import LetterboxTransform
from hepar.imaging.prepared import PreparedImage
from hepar.inference import ModelSet
from hepar.inference.outputs import ExpectedOutput
from hepar.inference.triton import InferenceResult
from hepar.serving.decode_workers import image_facts
from hepar.serving.model_service import BatchRequest, ImageAnswers, ImageRequest, ModelBackend, ModelService
from hepar.serving.options import FusionOptions
from hepar.serving.scope_check import ScopeResult

DEFAULT_METHOD: FusionMethod = "weighted_box_fusion"
_ROWS = 100
_DEFAULT_SIGMA = 0.5
_SCORE_MIN = 1e-6
_EXPECTED = {
    "boxes": ExpectedOutput((_ROWS, 4), "f", -1.0, 2.0),  # a box may reach over the edge; it is clipped
    "scores": ExpectedOutput((_ROWS,), "f", 0.0, 1.001),
}


@dataclass(frozen=True)
class DetectorOutput:
    """Output of one detector. transform: where the image lies in the network's input."""

    card: ModelCard
    result: InferenceResult
    transform: LetterboxTransform

    @property
    def version(self) -> str:
        return self.result.version


@dataclass(frozen=True)
class BoxSize:
    """Width and height, rounded to a tenth. size_mm: None where the pixel spacing is unknown."""

    size_px: tuple[float, float]
    size_mm: tuple[float, float] | None


@dataclass(frozen=True)
class GatedBox:
    """A fused box and where it lies. liver_share, inside_liver: None without a mask of the liver."""

    box: FusedBox
    liver_share: float | None = None
    inside_liver: bool | None = None


class Detectors(ModelService[FusionOptions, DetectorOutput, Detection]):
    """Finds lesions by the fused boxes of all detectors, inside the liver where the segmenter shows it."""

    task = "detection"
    models_parameter = "detectors"
    method_parameter = "fusion"

    def __init__(self, backend: ModelBackend, overlap: float) -> None:
        """overlap: intersection over union for detectors that were not fitted together."""
        super().__init__(backend)
        self._overlap = overlap
        self.delineator = Delineator(backend)

    def unfitted_ensemble(self, models: ModelSet, method: str | None) -> Ensemble:
        """Equal weights, and each detector's own decision threshold."""
        soft = method == "soft_non_maximum_suppression"
        return Ensemble(
            method=cast("FusionMethod", method or DEFAULT_METHOD),
            members=dict.fromkeys(models.cards, 1.0) or {"none": 1.0},
            decision_threshold=0.0,
            overlap=None if soft else self._overlap,
            sigma=_DEFAULT_SIGMA if soft else None,
            metrics={},
        )

    async def call_model(self, model: str, request: BatchRequest[FusionOptions]) -> list[DetectorOutput | HeparError]:
        version, card = request.models.routings[model].choose_version()
        view = card.input.view
        expected = _EXPECTED | {"labels": ExpectedOutput((_ROWS,), "i", 0, len(card.labels) - 1)}
        images, pixels = request.batch.images, request.batch.stacks[view]
        results = await self._backend.triton.infer_batch(model, pixels, expected, request.deadline, version)
        return [
            DetectorOutput(card, result, image.inputs[view].transform)
            if isinstance(result, InferenceResult)
            else result
            for image, result in zip(images, results, strict=True)
        ]

    def combine(self, answers: ImageAnswers[FusionOptions, DetectorOutput]) -> Detection:
        request, scope = answers.request, answers.scope
        masks = scope.segmented.masks if scope.segmented else None
        gated, reports = located_boxes(answers)
        kept = [_box(box, masks, request.image) for box in used_boxes(gated, request.options)]
        return Detection(
            boxes=kept,
            boxes_outside_liver=None if masks is None else sum(box.inside_liver is False for box in gated),
            scope=scope.scope,
            method=cast("FusionMethod", request.ensemble.method),
            annotated_png=_annotated_png(request, kept, scope) if request.options.annotate else None,
            detectors=reports,
            missing_models=answers.missing,
            image=image_facts(request.image),
            request_id=current_request_id(),
        )

    def record_metrics(self, result: Detection) -> None:
        if result.scope is None or result.scope.in_scope:
            record_boxes([box.score for box in result.boxes])

    def drift_signals(self, image: PreparedImage, result: Detection) -> dict[str, float]:
        """boxes: number.  best_score: 0 to 1, 0 without boxes."""
        del image
        return {"boxes": len(result.boxes), "best_score": max((box.score for box in result.boxes), default=0.0)}


def record_boxes(scores: Sequence[float]) -> None:
    """Called once for each image in scope. scores: of its boxes."""
    BOXES.observe(len(scores))
    for score in scores:
        BOX_SCORE.observe(score)


def located_boxes(
    answers: ImageAnswers[FusionOptions, DetectorOutput],
) -> tuple[list[GatedBox], list[DetectorReport]]:
    """The fused boxes of all detectors in the display, and what each detector found."""
    ensemble = answers.request.ensemble
    found: list[FoundBox] = []
    reports: list[DetectorReport] = []
    for output, boxes in _boxes_by_output(answers):
        found += boxes
        reports.append(_report(output, boxes))
    fused = fuse(found, [report.model for report in reports], FusionParameters.of(ensemble))
    segmented = answers.scope.segmented
    return gated_boxes(fused, ensemble, segmented.masks if segmented else None), reports


def single_boxes(answers: ImageAnswers[FusionOptions, DetectorOutput]) -> list[FoundBox]:
    """In the display: those of each detector that reach its own decision threshold, before they are fused."""
    return [
        box
        for output, boxes in _boxes_by_output(answers)
        for box in boxes
        if box.score >= output.card.decision_threshold
    ]


def _boxes_by_output(
    answers: ImageAnswers[FusionOptions, DetectorOutput],
) -> Iterator[tuple[DetectorOutput, list[FoundBox]]]:
    """The boxes of each detector that take part in the fusion."""
    ensemble, fitted = answers.request.ensemble, answers.request.models.ensemble is not None
    for output in answers.outputs:
        yield output, boxes_in_display(output, ensemble.member_threshold if fitted else output.card.decision_threshold)


def used_boxes(boxes: Sequence[GatedBox], options: FusionOptions) -> list[GatedBox]:
    """Without those outside the liver, unless they are asked for."""
    return [box for box in boxes if box.inside_liver is not False or options.outside_liver]


def measured(corners: Sequence[float], spacing_mm: tuple[float, float] | None) -> BoxSize:
    """corners: x_min, y_min, x_max, y_max in pixels.  spacing_mm: between rows and between columns."""
    width, height = corners[2] - corners[0], corners[3] - corners[1]
    size_px = (round(width, 1), round(height, 1))
    if spacing_mm is None:
        return BoxSize(size_px, None)
    return BoxSize(size_px, (round(width * spacing_mm[1], 1), round(height * spacing_mm[0], 1)))


def boxes_in_display(output: DetectorOutput, threshold: float) -> list[FoundBox]:
    """The boxes with a score of at least `threshold`, in pixels of the display; boxes without area are left out."""
    tensors, labels = output.result.outputs, output.card.labels
    used = tensors["scores"] >= max(threshold, _SCORE_MIN)
    corners = output.transform.to_display(tensors["boxes"][used]).tolist()
    boxes = []
    for row, score, label in zip(
        corners, tensors["scores"][used].tolist(), tensors["labels"][used].tolist(), strict=True
    ):
        x_min, y_min, x_max, y_max = row
        if x_max > x_min and y_max > y_min:
            box = (x_min, y_min, x_max, y_max)
            boxes.append(FoundBox(output.card.name, box, min(score, 1.0), labels[label]))
    return boxes


def gated_boxes(boxes: Sequence[FusedBox], ensemble: Ensemble, masks: OrganMasks | None) -> list[GatedBox]:
    """The boxes that reach their threshold: inside the liver that of the gate, elsewhere that of the ensemble.

    Without a fitted gate all boxes have the ensemble's threshold, and none counts as outside.
    """
    if masks is None:
        return [GatedBox(box) for box in boxes if box.score >= ensemble.decision_threshold]
    gate = ensemble.liver_gate or LiverGate(minimum_share=0.0, decision_threshold=ensemble.decision_threshold)
    located = [(box, masks.share_in_liver(box.corners)) for box in boxes]
    gated = [GatedBox(box, share, share >= gate.minimum_share) for box, share in located]
    thresholds = {True: gate.decision_threshold, False: ensemble.decision_threshold}
    return [box for box in gated if box.box.score >= thresholds[box.inside_liver is True]]


def _report(output: DetectorOutput, boxes: Sequence[FoundBox]) -> DetectorReport:
    return DetectorReport(
        model=output.card.name,
        version=output.result.version,
        box_count=sum(box.score >= output.card.decision_threshold for box in boxes),
        duration_ms=round(output.result.duration_ms, 1),
    )


def _annotated_png(request: ImageRequest[FusionOptions], boxes: Sequence[Box], scope: ScopeResult) -> str | None:
    """Base64 text."""
    if request.image.preview is None:
        return None
    count = f"{len(boxes)} {'box' if len(boxes) == 1 else 'boxes'}"
    headline = "out of scope" if scope.out_of_scope else f"{count}, {request.ensemble.method.replace('_', ' ')}"
    return base64_text(annotated_png(request.image.preview, boxes, headline))


def corners_as_sent(box: FoundBox | FusedBox, image: PreparedImage) -> list[float]:
    """x_min, y_min, x_max, y_max in pixels of the image as sent."""
    corners: list[float] = image.geometry.boxes_to_sent(np.array(box.corners))[0].tolist()
    return corners


def _box(gated: GatedBox, masks: OrganMasks | None, image: PreparedImage) -> Box:
    """In pixels of the image as sent; those of `gated` are the display's."""
    box = gated.box
    corners = corners_as_sent(box, image)
    size = measured(corners, image.spacing_mm)
    x_min, y_min, x_max, y_max = (round(corner, 1) for corner in corners)
    return Box(
        x_min=x_min,
        y_min=y_min,
        x_max=x_max,
        y_max=y_max,
        label=box.label,
        score=round(box.score, 4),
        detectors=list(box.detectors),
        size_px=size.size_px,
        size_mm=size.size_mm,
        longest_diameter_px=max(size.size_px),
        longest_diameter_mm=None if size.size_mm is None else max(size.size_mm),
        liver_share=None if gated.liver_share is None else round(gated.liver_share, 4),
        inside_liver=gated.inside_liver,
        outline=None if masks is None else [polygon(region) for region in masks.lesions_in(box.corners)],
    )
