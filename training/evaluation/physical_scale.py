"""What the services answer on files with other fields of view, by the way in which the networks' input is chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hepar.contracts.cards import Ensemble, LiverGate
from hepar.contracts.views import FIELD_MM
from hepar.ensemble.masks import share_inside
from hepar.imaging.body import organs_box
from hepar.imaging.ct_image import CtImage
from hepar.imaging.input_frame import choose_frame
from hepar.imaging.letterbox import InputFrame, LetterboxTransform, letterbox
from training.evaluation.ensemble_application import apply_fusion, apply_vote
from training.evaluation.gate_fitting import liver_masks
from training.evaluation.inference import run_model_on
from training.evaluation.shipped_models import (
    ShippedModel,
    calibrated_probabilities,
    found_boxes,
    models_of_task,
    segmenter_of,
    shipped_models,
    votes_in_liver,
)
from training.metrics.classification import roc_auc
from training.metrics.detection import Boxes, overlaps_any
from training.prepared.dataset import (
    NO_TUMOUR_INDEX,
    Example,
    image_paths,
    label_indices,
    located_examples,
    read_images,
    read_manifest,
)
from training.sources import UnusableData

FILE_SIDE_PX = 512
FIELDS_MM = (340, 410, 461, 512, 600)
HEADER = (
    "| field of view | networks see | accuracy | log loss | tumour AUC | accepted | recall | false boxes an image |\n"
    "|---|---|---|---|---|---|---|---|"
)
_SEEN_SHARE = 0.5
"""Of a lesion's box: with less of it in the input, it is not counted."""
_PROBABILITY_MIN = 1e-6
GreyImages = NDArray[np.uint8]


@dataclass(frozen=True)
class ScaleRow:
    """One field of view and one way. accuracy: three labels.  auc: tumour against none.  accepted: by the input check.

    recall: of lesions, with the gate.  false_boxes: per image.
    """

    field_mm: int
    way: str
    accuracy: float
    log_loss: float
    auc: float
    accepted: float
    recall: float
    false_boxes: float

    def line(self) -> str:
        """Of the table that HEADER begins."""
        figures = (self.accuracy, self.log_loss, self.auc, self.accepted, self.recall, self.false_boxes)
        return f"| {self.field_mm} mm | {self.way} | " + " | ".join(f"{value:.3f}" for value in figures) + " |"


@dataclass(frozen=True)
class Repository:
    """The models that the rows need."""

    classifiers: Sequence[ShippedModel]
    detectors: Sequence[ShippedModel]
    segmenter: Path
    input_check: ShippedModel

    @classmethod
    def read(cls, folder: Path) -> Repository:
        """Raises UnusableData where the repository lacks one of them."""
        models, segmenter = shipped_models(folder), segmenter_of(folder)
        checks = models_of_task(models, "input_check")
        if segmenter is None or not checks:
            raise UnusableData(f"{folder} has no segmenter or no input check")
        return cls(models_of_task(models, "classification"), models_of_task(models, "detection"), segmenter, checks[0])


def organ_widths_mm(data: Path) -> NDArray[np.float64]:
    """Of the training images without a tumour, one for each slice: the source of ORGANS_WIDTH_MM."""
    examples = [example for example in read_manifest(data, "train") if example.label == NO_TUMOUR_INDEX]
    images = read_images(image_paths(data, examples))
    boxes = [organs_box(image) for image in images]
    return np.array([(box.x_max - box.x_min) * FIELD_MM for box in boxes if box])


def scale_rows(repository: Repository, data: Path, every_nth: int) -> Iterator[ScaleRow]:
    """Validation images of `data`, as a file of each field of view would show them."""
    examples = located_examples(read_manifest(data, "validation"))[::every_nth]
    images = read_images(image_paths(data, examples))
    side = images.shape[1]
    for field_mm in FIELDS_MM:
        files = [with_field(image, field_mm) for image in images]
        for way, choose in WAYS.items():
            frames = [choose(file, field_mm / FILE_SIDE_PX) for file in files]
            fitted = [letterbox(file, side, side, frame=frame) for file, frame in zip(files, frames, strict=True)]
            inputs = np.stack([pixels for pixels, _ in fitted])
            truth = [
                lesions_in_input(example, field_mm, placed)
                for example, (_, placed) in zip(examples, fitted, strict=True)
            ]
            yield _row(repository, (field_mm, way), inputs, examples, truth)


def with_field(image: GreyImages, field_mm: float) -> GreyImages:
    """The middle of a prepared image as a file of FILE_SIDE_PX would show it; black around it where it ends."""
    canvas_px = round(FILE_SIDE_PX * FIELD_MM / field_mm)
    picture = Image.fromarray(image).resize((canvas_px, canvas_px), Image.Resampling.BICUBIC)
    start = (canvas_px - FILE_SIDE_PX) // 2
    return np.asarray(picture.crop((start, start, start + FILE_SIDE_PX, start + FILE_SIDE_PX)))


def _whole(file: GreyImages, pixel_mm: float) -> InputFrame | None:
    del file, pixel_mm
    return None


def _stated(file: GreyImages, pixel_mm: float) -> InputFrame | None:
    return choose_frame(CtImage(file, "DICOM", (pixel_mm, pixel_mm))).frame


def _estimated(file: GreyImages, pixel_mm: float) -> InputFrame | None:
    del pixel_mm
    return choose_frame(CtImage(file, "PNG")).frame


WAYS = {"whole image": _whole, "stated spacing": _stated, "estimated spacing": _estimated}


def lesions_in_input(example: Example, field_mm: float, placed: LetterboxTransform) -> NDArray[np.float64]:
    """(n, 4) the example's boxes, 0..1 of the input; without those of which too little is shown."""
    given = np.array([box[1:] for box in example.boxes], dtype=np.float64).reshape(-1, 4)
    in_file = ((given - 0.5) * (FIELD_MM / field_mm) + 0.5) * FILE_SIDE_PX
    boxes = placed.to_input(in_file)
    shown = np.clip(boxes, 0, 1)
    return shown[_areas(shown) >= _SEEN_SHARE * _areas(boxes)]


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


def _row(
    repository: Repository,
    name: tuple[int, str],
    inputs: GreyImages,
    examples: Sequence[Example],
    truth: Sequence[NDArray[np.float64]],
) -> ScaleRow:
    livers = liver_masks(repository.segmenter, inputs)
    vote, labels = _default(repository.classifiers), label_indices(examples)
    if votes_in_liver(repository.classifiers):
        vote = vote.of_liver_votes
    voted = apply_vote(vote, calibrated_probabilities(repository.classifiers, inputs, livers))
    typicality = run_model_on(repository.input_check.model, inputs)["typicality"].ravel()
    recall, false_boxes = _found(repository.detectors, inputs, livers, truth)
    return ScaleRow(
        *name,
        accuracy=float((voted.argmax(axis=1) == labels).mean()),
        log_loss=float(-np.log(np.maximum(voted[np.arange(len(labels)), labels], _PROBABILITY_MIN)).mean()),
        auc=_tumour_auc(voted[:, NO_TUMOUR_INDEX], labels == NO_TUMOUR_INDEX),
        accepted=float((typicality >= repository.input_check.card.decision_threshold).mean()),
        recall=recall,
        false_boxes=false_boxes,
    )


def _tumour_auc(none: NDArray[np.float64], no_tumour: NDArray[np.bool_]) -> float:
    """none: (n,) probability of no tumour."""
    return roc_auc(np.stack([1 - none, none], axis=1), no_tumour.astype(np.intp))


def _found(
    detectors: Sequence[ShippedModel],
    inputs: GreyImages,
    livers: NDArray[np.bool_],
    truth: Sequence[NDArray[np.float64]],
) -> tuple[float, float]:
    """The share of lesions that a box overlaps, and boxes per image that overlap none: as served, with the gate."""
    fusion = _default(detectors)
    gate = fusion.liver_gate or LiverGate(minimum_share=0.0, decision_threshold=fusion.decision_threshold)
    found = apply_fusion(fusion, found_boxes(detectors, inputs))
    kept = [_kept(boxes, liver, gate) for boxes, liver in zip(found, livers, strict=True)]
    pairs = list(zip(kept, truth, strict=True))
    hits = [overlaps_any(lesion[None], boxes) for boxes, lesions in pairs for lesion in lesions]
    wrong = [not overlaps_any(box[None], lesions) for boxes, lesions in pairs for box in boxes]
    return float(np.mean(hits)), sum(wrong) / len(inputs)


def _kept(boxes: Boxes, liver: NDArray[np.bool_], gate: LiverGate) -> NDArray[np.float64]:
    inside = np.array([share_inside(corners, liver) for corners in boxes.corners], dtype=np.float64)
    return boxes.corners[(boxes.scores >= gate.decision_threshold) & (inside >= gate.minimum_share)]


def _default(models: Sequence[ShippedModel]) -> Ensemble:
    fitted = models[0].card.ensemble if models else None
    if fitted is None:
        raise UnusableData("the repository has no fitted ensembles: run `python -m training ensemble` first")
    return fitted.methods[fitted.default]
