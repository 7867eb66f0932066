"""Slices of real patients, and what the models of a repository answer on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.cards import Ensemble, ModelCard
from hepar.ensemble.masks import share_inside
from hepar.imaging.ct_image import Window
from hepar.imaging.letterbox import letterbox
from training.datasets.dicom import read_dicom_series
from training.datasets.records import Fault, ReadOptions
from training.evaluation.ensemble_application import apply_fusion, apply_vote
from training.evaluation.gate_fitting import lesion_boxes, liver_masks
from training.evaluation.shipped_models import (
    SEGMENTER,
    ShippedModel,
    calibrated_probabilities,
    found_boxes,
    models_of_task,
    shipped_models,
    votes_in_liver,
)
from training.lesions.placement import midline_px
from training.metrics.classification import Floats
from training.metrics.detection import Boxes
from training.segmenter.background import Background, read_backgrounds, read_masks
from training.sources import UnusableData

SPACING_MM = 1.6

SEGMENTER_ONLY = "abdomen_pelvis"
"""The domain that trained the segmenter and none of the networks that are judged."""


@dataclass(frozen=True)
class TrueLesion:
    """corners: (4,), 0..1 of the image.  size_mm: longer side of the box.  sure: False for a `probable` one."""

    corners: NDArray[np.float64]
    size_mm: float
    left: bool
    sure: bool


@dataclass(frozen=True)
class RealSlice:
    """lesions: all that are known; of an `unclear` slice, nothing is.  liver: None where nobody outlined it."""

    item: Background
    grey: NDArray[np.uint8]
    liver: NDArray[np.bool_] | None
    lesions: tuple[TrueLesion, ...]

    @property
    def lesion_free(self) -> bool:
        return self.item.kind == "healthy" or (self.item.kind in ("outlined", "no_liver") and not self.lesions)


@dataclass(frozen=True)
class Answer:
    """What the models answer on one slice. m fused boxes of the default method, whatever their score.

    corners: (m, 4), 0..1.  scores: (m,).  inside: (m,) share in the predicted liver.
    probabilities: (k,) of the default vote, in the order of CLASS_LABELS.
    """

    corners: NDArray[np.float64]
    scores: NDArray[np.float64]
    inside: NDArray[np.float64]
    probabilities: Floats

    def boxes(self, threshold: float, minimum_share: float) -> NDArray[np.float64]:
        """(n, 4) those that pass the threshold and the gate."""
        return self.corners[(self.scores >= threshold) & (self.inside >= minimum_share)]


@dataclass(frozen=True)
class Judged:
    """A repository's answers, one for each slice. name: for the tables.

    members: by detector, the same with its boxes alone.
    """

    name: str
    fusion: Ensemble
    vote: Ensemble
    answers: tuple[Answer, ...]
    members: Mapping[str, tuple[Answer, ...]]


def real_slices(data: Path, series: Iterable[Path], window: Window) -> list[RealSlice]:
    """The real slices of validation and test patients in `data`, a folder of `prepare_segmentation`, then the series.

    Those of SEGMENTER_ONLY are added, as of a test patient.
    series: DICOM folders of patients that no training saw, without outlines; each becomes a domain of its own.
    Raises UnusableData for a file that cannot be read.
    """
    slices = []
    for part in ("validation", "test"):
        slices += [_known(data, item) for item in read_backgrounds(data, part) if item.kind != "synthesised"]
    others = [_known(data, item) for item in read_backgrounds(data, "train") if item.domain == SEGMENTER_ONLY]
    slices += [replace(other, item=replace(other.item, part="test")) for other in others]
    side = slices[0].grey.shape[0]
    return slices + [item for folder in series for item in _series(folder, window, side)]


def judge(name: str, repository: Path, segmenter: Path, slices: Sequence[RealSlice]) -> Judged:
    """The answers of a repository. segmenter: the ONNX file whose mask of the liver decides.

    Raises UnusableData where the repository has no fitted ensembles.
    """
    models = shipped_models(repository)
    classifiers, detectors = models_of_task(models, "classification"), models_of_task(models, "detection")
    vote, fusion = _default(repository, classifiers), _default(repository, detectors)
    images = np.stack([item.grey for item in slices])
    found, livers = found_boxes(detectors, images), liver_masks(segmenter, images)
    if votes_in_liver(classifiers):
        vote = vote.of_liver_votes
    probabilities = apply_vote(vote, calibrated_probabilities(classifiers, images, livers))
    answers = _answers(apply_fusion(fusion, found), livers, probabilities)
    members = {member: _answers(boxes, livers, probabilities) for member, boxes in found.items()}
    return Judged(name, fusion, vote, answers, members)


def _answers(found: Sequence[Boxes], livers: NDArray[np.bool_], probabilities: Floats) -> tuple[Answer, ...]:
    return tuple(
        Answer(boxes.corners, boxes.scores, np.array([share_inside(box, liver) for box in boxes.corners]), row)
        for boxes, liver, row in zip(found, livers, probabilities, strict=True)
    )


def window_of(repository: Path) -> Window:
    """The window of the repository's models."""
    card = ModelCard.model_validate_json((repository / SEGMENTER / "card.json").read_bytes())
    return Window(card.window.low_hu, card.window.high_hu)


def _default(repository: Path, models: Sequence[ShippedModel]) -> Ensemble:
    fitted = models[0].card.ensemble if models else None
    if fitted is None:
        raise UnusableData(f"{repository} has no fitted ensembles: run `python -m training ensemble` first")
    return fitted.methods[fitted.default]


def _known(data: Path, item: Background) -> RealSlice:
    masks = read_masks(data, item)
    side, middle = masks.grey.shape[0], midline_px(masks.grey.astype(np.float32))
    lesions = []
    for index, box in enumerate(lesion_boxes(item, masks) if item.kind in ("boxed", "outlined") else ()):
        size_mm = float(max(box[2] - box[0], box[3] - box[1])) * side * SPACING_MM
        sure = item.sure[index] if item.kind == "boxed" else True
        lesions.append(TrueLesion(box, size_mm, float(box[0] + box[2]) / 2 * side > middle, sure))
    return RealSlice(item, masks.grey, masks.liver, tuple(lesions))


def _series(folder: Path, window: Window, side: int) -> list[RealSlice]:
    slices = []
    for number, read in enumerate(read_dicom_series(folder, ReadOptions(window, every_nth=1))):
        if isinstance(read, Fault):
            raise UnusableData(f"{read.origin}: {read.reason}")
        item = Background("test", f"{folder.name}_{number:03d}", folder.name, folder.name, "unclear")
        slices.append(RealSlice(item, letterbox(read.grey, side, side)[0], None, ()))
    return slices
