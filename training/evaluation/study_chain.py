"""The shipped networks on whole volumes: from Hounsfield units to the evidence that the lesions are found in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.analyses import Outcome
from hepar.contracts.cards import Ensemble, ModelCard
from hepar.contracts.lesions import SliceBox
from hepar.contracts.study_results import SliceResult
from hepar.ensemble.fusion import FoundBox, FusionParameters, fuse
from hepar.ensemble.lesion_masks import OrganVolume
from hepar.ensemble.lesions import VolumeEvidence
from hepar.ensemble.liver_extent import liver_extent, liver_pixels
from hepar.ensemble.masks import LIVER, LIVER_SEEN_PX, LIVER_THRESHOLD, share_inside
from hepar.ensemble.voting import NO_TUMOUR, Thresholds, tumour_probability, type_probabilities
from hepar.imaging.ct_image import Window
from hepar.imaging.input_frame import bodies_of_volume, frame_of_slices
from hepar.imaging.letterbox import InputFrame, LetterboxTransform, letterbox
from hepar.imaging.volume import VolumeGeometry
from training.evaluation.ensemble_application import apply_vote
from training.evaluation.inference import run_model_on
from training.evaluation.shipped_models import (
    SEGMENTER,
    ShippedModel,
    calibrated_probabilities,
    found_boxes,
    models_of_task,
    shipped_models,
    votes_in_liver,
)
from training.lesions import LABELS
from training.metrics.detection import Boxes
from training.prepared.dataset import CLASS_LABELS
from training.sources import UnusableData

_FULL = 255


@dataclass(frozen=True)
class StudyNetworks:
    """The networks of a repository, as the services combine them."""

    classifiers: list[ShippedModel]
    detectors: list[ShippedModel]
    segmenter: Path
    segmenter_card: ModelCard
    vote: Ensemble
    fusion: Ensemble

    @classmethod
    def of(cls, repository: Path) -> StudyNetworks:
        """Raises UnusableData where the repository has no fitted ensembles."""
        models = shipped_models(repository)
        classifiers, detectors = models_of_task(models, "classification"), models_of_task(models, "detection")
        folder = repository / SEGMENTER
        card = ModelCard.model_validate_json((folder / "card.json").read_bytes())
        vote, fusion = _default(classifiers), _default(detectors)
        if votes_in_liver(classifiers):
            vote = vote.of_liver_votes
        return cls(classifiers, detectors, folder / "1" / "model.onnx", card, vote, fusion)

    def evidence(self, hu: NDArray[np.floating] | NDArray[np.int16], geometry: VolumeGeometry) -> VolumeEvidence:
        """What the networks answer about a volume. hu: (slices, rows, columns) with square pixels, from the feet.

        Only slices that show liver go to classifiers and detectors, as in study_service.
        """
        window = Window(self.segmenter_card.window.low_hu, self.segmenter_card.window.high_hu)
        size = self.segmenter_card.input
        frame = _frame(hu, geometry)
        fitted = [letterbox(window.to_grey(image), size.height, size.width, frame=frame) for image in hu]
        images, transform = np.stack([image for image, _ in fitted]), fitted[0][1]
        organ = OrganVolume(
            run_model_on(self.segmenter, images)["masks"], transform, self.segmenter_card.decision_threshold
        )
        shown = _slices_of_liver(organ, geometry)
        if not shown:
            return VolumeEvidence(geometry, [], [], organ)
        boxes = self._boxes(images, shown, organ, transform)
        return VolumeEvidence(geometry, boxes, self._slices(images, shown, organ), organ)

    def _slices(self, images: NDArray[np.uint8], shown: Sequence[int], organ: OrganVolume) -> list[SliceResult]:
        """Votes from the evidence in the liver where the classifiers' cards have it (docs/decisions/0054)."""
        livers = organ.shares[shown, LIVER] >= LIVER_THRESHOLD * _FULL
        rows = apply_vote(self.vote, calibrated_probabilities(self.classifiers, images[shown], livers))
        thresholds = Thresholds.of(self.vote)
        return [_slice_result(index, row.tolist(), thresholds) for index, row in zip(shown, rows, strict=True)]

    def _boxes(
        self, images: NDArray[np.uint8], shown: Sequence[int], organ: OrganVolume, transform: LetterboxTransform
    ) -> list[SliceBox]:
        found = found_boxes(self.detectors, images[shown])
        boxes = []
        for position, index in enumerate(shown):
            own = {name: answers[position] for name, answers in found.items()}
            boxes += self._fused(index, own, organ, transform)
        return boxes

    def _fused(
        self, index: int, found: dict[str, Boxes], organ: OrganVolume, transform: LetterboxTransform
    ) -> list[SliceBox]:
        """The fused boxes of one slice that pass the liver gate."""
        gate, liver = self.fusion.liver_gate, organ.liver(index)
        candidates = [
            FoundBox(name, tuple(corners.tolist()), float(score), LABELS[label])
            for name, boxes in found.items()
            for corners, score, label in zip(boxes.corners, boxes.scores, boxes.labels, strict=True)
            if score >= self.fusion.member_threshold
        ]
        threshold = self.fusion.decision_threshold if gate is None else gate.decision_threshold
        kept = []
        for box in fuse(candidates, list(found), FusionParameters.of(self.fusion)):
            inside = gate is None or liver is None or share_inside(np.array(box.corners), liver) >= gate.minimum_share
            if box.score < threshold or not inside:
                continue
            x_min, y_min, x_max, y_max = transform.to_display(np.array([box.corners]))[0].tolist()
            if x_max > x_min and y_max > y_min:
                kept.append(
                    SliceBox(
                        slice=index,
                        x_min=x_min,
                        y_min=y_min,
                        x_max=x_max,
                        y_max=y_max,
                        score=box.score,
                        label=box.label,
                        detectors=list(box.detectors),
                    )
                )
        return kept


def _slice_result(index: int, row: list[float], thresholds: Thresholds) -> SliceResult:
    probabilities = dict(zip(CLASS_LABELS, row, strict=True))
    tumour, types = tumour_probability(probabilities) or 0.0, type_probabilities(probabilities)
    outcome: Outcome = "decided"
    if max(tumour, probabilities[NO_TUMOUR]) < thresholds.tumour:
        outcome = "indeterminate"
    elif tumour >= probabilities[NO_TUMOUR] and max(types.values()) < thresholds.type:
        outcome = "type_undecided"
    return SliceResult(slice=index, outcome=outcome, tumour_probability=tumour, type_probabilities=types)


def _frame(hu: NDArray[np.floating] | NDArray[np.int16], geometry: VolumeGeometry) -> InputFrame | None:
    """As study_service searches a volume."""
    count, rows, columns = geometry.shape
    bodies = bodies_of_volume(hu, geometry.spacing_mm[0])
    return frame_of_slices(bodies, 0, count - 1, (columns, rows), geometry.spacing_mm[2])


def _slices_of_liver(organ: OrganVolume, geometry: VolumeGeometry) -> list[int]:
    """Slices inside the liver's extent that show it."""
    pixels = liver_pixels(organ.shares)
    extent = liver_extent(pixels, geometry.spacing_mm[0])
    if extent is None:
        return []
    return [index for index in range(extent[0], extent[1] + 1) if pixels[index] >= LIVER_SEEN_PX]


def _default(models: Sequence[ShippedModel]) -> Ensemble:
    fitted = models[0].card.ensemble if models else None
    if fitted is None:
        raise UnusableData("the repository has no fitted ensembles: run `python -m training ensemble` first")
    return fitted.methods[fitted.default]
