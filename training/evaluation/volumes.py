"""Evaluates the shipped ensembles on whole volumes that were not used for training, slice by slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.cards import Ensemble
from hepar.ensemble.voting import Thresholds
from hepar.imaging.ct_image import Window
from hepar.imaging.letterbox import LetterboxTransform, letterbox
from training.datasets.dicom import read_dicom_series
from training.datasets.nifti import read_nifti
from training.datasets.records import Fault, Read, ReadOptions, SourceSlice
from training.evaluation.ensemble_application import apply_fusion, apply_vote
from training.evaluation.ensembles import served_probabilities
from training.evaluation.shipped_models import ShippedModel, found_boxes, models_of_task, votes_in_liver
from training.metrics.classification import Floats, are_decided
from training.metrics.detection import Boxes, overlaps_any
from training.prepared.dataset import CLASS_LABELS
from training.sources import UnusableData


@dataclass(frozen=True)
class VolumeEvaluation:
    """Counts of slices and boxes; None if no lesions were outlined.

    boxed_lesion_slices: slices with a lesion that a fused box overlaps.
    most_probable: slices by most probable label; only lesion slices if lesions were outlined, else all slices.
    decided: the same for slices with a decision above the ensemble's threshold.
    boxes, boxes_per_slice: fused boxes on all slices.
    boxes_without_lesion: fused boxes on slices without an outlined lesion.
    """

    volume: str
    slices: int
    lesion_slices: int | None
    boxed_lesion_slices: int | None
    most_probable: dict[str, int]
    decided: dict[str, int]
    boxes: int
    boxes_per_slice: float
    boxes_without_lesion: int | None

    def plain(self) -> dict[str, object]:
        return asdict(self)

    def sentence(self) -> str:
        """One line for the command-line output."""
        most_probable = ", ".join(f"{label} {count}" for label, count in self.most_probable.items())
        decided = ", ".join(f"{label} {count}" for label, count in self.decided.items())
        lesions = ""
        if self.lesion_slices is not None:
            lesions = f"{self.boxed_lesion_slices} of {self.lesion_slices} lesion slices boxed; "
        return (
            f"{self.volume}: {self.slices} slices, {lesions}{self.boxes} boxes, {self.boxes_per_slice:g} per slice; "
            f"most probable: {most_probable}; decided: {decided}"
        )


def evaluate_volume(
    models: Sequence[ShippedModel], image: Path, labels: Path | None, segmenter: Path | None = None
) -> VolumeEvaluation:
    """Evaluates every slice that shows liver, or every slice if the liver is not known.

    image: a folder with one DICOM series, or a NIfTI file.  labels: NIfTI, 1 liver, 2 tumour, if known.
    segmenter: see `fit_ensembles`.
    Raises UnusableData if the volume cannot be read or the models have no fitted ensemble.
    """
    card = models[0].card
    window = Window(card.window.low_hu, card.window.high_hu)
    slices = _slices(_read(image, labels, ReadOptions(window, every_nth=1)))
    fitted = [letterbox(item.grey, card.input.width, card.input.height) for item in slices]
    probabilities, vote, found = _predictions(models, np.stack([grey for grey, _ in fitted]), segmenter)
    truth = [_in_network_input(item, placement) for item, (_, placement) in zip(slices, fitted, strict=True)]
    with_lesion = np.array([len(corners) > 0 for corners in truth])
    counted = with_lesion if labels else np.ones(len(slices), dtype=bool)
    decided = are_decided(probabilities, Thresholds.of(vote))
    boxed = [overlaps_any(boxes.corners, corners) for boxes, corners in zip(found, truth, strict=True) if len(corners)]
    counts = np.array([len(boxes.scores) for boxes in found])
    return VolumeEvaluation(
        volume=image.name,
        slices=len(slices),
        lesion_slices=int(with_lesion.sum()) if labels else None,
        boxed_lesion_slices=sum(boxed) if labels else None,
        most_probable=_label_counts(probabilities[counted]),
        decided=_label_counts(probabilities[counted & decided]),
        boxes=int(counts.sum()),
        boxes_per_slice=round(float(counts.mean()), 3),
        boxes_without_lesion=int(counts[~with_lesion].sum()) if labels else None,
    )


def _predictions(
    models: Sequence[ShippedModel], images: NDArray[np.uint8], segmenter: Path | None
) -> tuple[Floats, Ensemble, list[Boxes]]:
    """Voted probabilities (n, k), the vote, and the fused boxes above the threshold of each of images (n, h, w)."""
    classifiers, detectors = models_of_task(models, "classification"), models_of_task(models, "detection")
    vote, fusion = _default_ensemble(classifiers), _default_ensemble(detectors)
    if segmenter is not None and votes_in_liver(classifiers):
        vote = vote.of_liver_votes
    probabilities = apply_vote(vote, served_probabilities(classifiers, images, segmenter))
    fused = apply_fusion(fusion, found_boxes(detectors, images))
    return probabilities, vote, [_above(boxes, fusion.decision_threshold) for boxes in fused]


def _read(image: Path, labels: Path | None, options: ReadOptions) -> Read:
    if image.is_dir():
        return read_dicom_series(image, options)
    if labels is None:
        raise UnusableData(f"{image}: a NIfTI volume needs its labels, which show where the liver is")
    return read_nifti(image, labels, options, image.name.split(".")[0], image.name)


def _slices(read: Read) -> list[SourceSlice]:
    slices = []
    for item in read:
        if isinstance(item, Fault):
            raise UnusableData(f"{item.origin}: {item.reason}")
        slices.append(item)
    if not slices:
        raise UnusableData("the volume shows no liver")
    return slices


def _default_ensemble(models: Sequence[ShippedModel]) -> Ensemble:
    fitted = models[0].card.ensemble if models else None
    if fitted is None:
        raise UnusableData("the models have no fitted ensemble: run `python -m training ensemble` first")
    return fitted.methods[fitted.default]


def _above(boxes: Boxes, threshold: float) -> Boxes:
    selected = boxes.scores >= threshold
    return Boxes(boxes.corners[selected], boxes.labels[selected], boxes.scores[selected])


def _in_network_input(item: SourceSlice, placement: LetterboxTransform) -> NDArray[np.float64]:
    """(m, 4) boxes of the lesions, 0..1 of the network's input."""
    return placement.to_input(np.array([(box.x_min, box.y_min, box.x_max, box.y_max) for box in item.boxes]))


def _label_counts(probabilities: Floats) -> dict[str, int]:
    best = probabilities.argmax(axis=1)
    return {label: int((best == index).sum()) for index, label in enumerate(CLASS_LABELS[: probabilities.shape[1]])}
