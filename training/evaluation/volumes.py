"""What the shipped ensembles say of whole volumes that nobody trained on, slice by slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.cards import Ensemble
from hepar.imaging.ct_image import Window
from hepar.imaging.letterbox import LetterboxTransform, letterbox
from training.datasets.dicom import read_dicom_series
from training.datasets.nifti import read_nifti
from training.datasets.records import Fault, Read, ReadOptions, SourceSlice
from training.evaluation.comparison import Shipped, boxes_found, of_task, probabilities_of
from training.evaluation.detection import Boxes, overlaps_any
from training.evaluation.ensemble import fused_by, voted_by
from training.prepare import CLASS_LABELS
from training.sources import UnusableData


@dataclass(frozen=True)
class VolumeFigures:
    """Counts of slices and boxes; None where nobody outlined lesions.

    boxed: slices with a lesion on which a fused box overlaps one.
    called: of those with a lesion (of all, where nobody outlined any), by the most probable label.
    decided: the same, counting only verdicts above the ensemble's threshold.
    boxes, boxes_a_slice: fused boxes on all slices; boxes_without_lesion: on those where nothing was outlined.
    """

    volume: str
    slices: int
    lesion_slices: int | None
    boxed: int | None
    called: dict[str, int]
    decided: dict[str, int]
    boxes: int
    boxes_a_slice: float
    boxes_without_lesion: int | None

    def plain(self) -> dict[str, object]:
        return asdict(self)

    def sentence(self) -> str:
        """For people."""
        called = ", ".join(f"{label} {count}" for label, count in self.called.items())
        decided = ", ".join(f"{label} {count}" for label, count in self.decided.items())
        lesions = (
            f"{self.boxed} of {self.lesion_slices} lesion slices boxed; " if self.lesion_slices is not None else ""
        )
        return (
            f"{self.volume}: {self.slices} slices, {lesions}{self.boxes} boxes, {self.boxes_a_slice:g} a slice; "
            f"most probable: {called}; decided: {decided}"
        )


def judge_volume(models: Sequence[Shipped], image: Path, labels: Path | None) -> VolumeFigures:
    """image: a folder with one DICOM series, or a NIfTI file.  labels: NIfTI, 1 liver, 2 tumour, where known.

    Every slice that shows liver, or every slice where the liver is not known.
    Raises UnusableData where the volume cannot be read, or the models have no fitted ensemble.
    """
    card = models[0].card
    window = Window(card.window.low_hu, card.window.high_hu)
    slices = _slices(_read(image, labels, ReadOptions(window, every_nth=1)))
    fitted = [letterbox(item.grey, card.input.width, card.input.height) for item in slices]
    images = np.stack([grey for grey, _ in fitted])
    classifiers, detectors = of_task(models, "classification"), of_task(models, "detection")
    vote, fusion = _ensemble(classifiers), _ensemble(detectors)
    probabilities = voted_by(vote, probabilities_of(classifiers, images))
    found = [_above(boxes, fusion.decision_threshold) for boxes in fused_by(fusion, boxes_found(detectors, images))]
    truth = [_in_input(item, place) for item, (_, place) in zip(slices, fitted, strict=True)]
    with_lesion = np.array([len(corners) > 0 for corners in truth])
    judged = with_lesion if labels else np.ones(len(slices), dtype=bool)
    sure = probabilities.max(axis=1) >= vote.decision_threshold
    boxed = [overlaps_any(boxes.corners, corners) for boxes, corners in zip(found, truth, strict=True) if len(corners)]
    counts = np.array([len(boxes.scores) for boxes in found])
    return VolumeFigures(
        volume=image.name,
        slices=len(slices),
        lesion_slices=int(with_lesion.sum()) if labels else None,
        boxed=sum(boxed) if labels else None,
        called=_counts(probabilities[judged]),
        decided=_counts(probabilities[judged & sure]),
        boxes=int(counts.sum()),
        boxes_a_slice=round(float(counts.mean()), 3),
        boxes_without_lesion=int(counts[~with_lesion].sum()) if labels else None,
    )


def _read(image: Path, labels: Path | None, options: ReadOptions) -> Read:
    if image.is_dir():
        return read_dicom_series(image, options)
    if labels is None:
        raise UnusableData(f"{image}: a NIfTI volume needs its labels, to know where the liver is")
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


def _ensemble(models: Sequence[Shipped]) -> Ensemble:
    fitted = models[0].card.ensemble if models else None
    if fitted is None:
        raise UnusableData("the models have no fitted ensemble: run `python -m training ensemble` first")
    return fitted.methods[fitted.default]


def _above(boxes: Boxes, threshold: float) -> Boxes:
    kept = boxes.scores >= threshold
    return Boxes(boxes.corners[kept], boxes.labels[kept], boxes.scores[kept])


def _in_input(item: SourceSlice, placement: LetterboxTransform) -> NDArray[np.float64]:
    """(m, 4), 0..1 of the networks' input."""
    return placement.to_input(np.array([(box.x_min, box.y_min, box.x_max, box.y_max) for box in item.boxes]))


def _counts(probabilities: np.ndarray) -> dict[str, int]:
    best = probabilities.argmax(axis=1)
    return {label: int((best == index).sum()) for index, label in enumerate(CLASS_LABELS[: probabilities.shape[1]])}
