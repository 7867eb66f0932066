"""Figures of a detector: average precision by pycocotools, and what it finds at its threshold."""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from hepar.contracts.cards import Metric
from training.evaluation.bootstrap import bootstrap_by_patient, figures
from training.lesions import LABELS

_THRESHOLDS = np.round(np.arange(0.05, 0.91, 0.01), 2)
OVERLAP = 0.5
REAL_LESION_OVERLAP = 0.3
STRICT_OVERLAPS = np.round(np.arange(0.5, 0.96, 0.05), 2)


@dataclass(frozen=True)
class Boxes:
    """Of one image. corners: (m, 4) x_min y_min x_max y_max, 0..1.  labels: (m,).  scores: (m,), 1 for truth."""

    corners: NDArray[np.float64]
    labels: NDArray[np.intp]
    scores: NDArray[np.float64]


@dataclass(frozen=True)
class _Tally:
    """One image at one threshold."""

    hits: int
    claims: int
    lesions: int


def chosen_threshold(found: Sequence[Boxes], truth: Sequence[Boxes]) -> float:
    """The score threshold, in steps of 0.01, with the best F1 over all boxes at an overlap of 0.5."""

    def f1(threshold: float) -> float:
        tallies = [_tally(*pair, threshold, OVERLAP, by_label=True) for pair in zip(found, truth, strict=True)]
        total = sum(tally.claims + tally.lesions for tally in tallies)
        return 2 * sum(tally.hits for tally in tallies) / total if total else 0.0

    return float(max(_THRESHOLDS, key=f1))


def average_precision(found: Sequence[Boxes], truth: Sequence[Boxes]) -> float:
    """Mean average precision over the labels at an overlap of 0.5, by pycocotools; 0 where there is no lesion."""
    score = _AveragePrecision(found, truth).of(np.arange(len(truth)))
    return 0.0 if np.isnan(score) else score


def detection_figures(
    found: Sequence[Boxes], truth: Sequence[Boxes], patients: Sequence[str], threshold: float
) -> dict[str, Metric]:
    """The card's figures on held-out patients, each with an interval. One entry an image in every argument."""
    tallies = [_tally(*pair, threshold, OVERLAP, by_label=False) for pair in zip(found, truth, strict=True)]
    precision = bootstrap_by_patient(patients, _AveragePrecision(found, truth).of, resamples=100)
    others = figures(
        patients,
        {
            "sensitivity": lambda chosen: _sensitivity(tallies, chosen),
            "false_positives_per_image": lambda chosen: _false_positives(tallies, chosen),
        },
    )
    strict = bootstrap_by_patient(patients, _AveragePrecision(found, truth, STRICT_OVERLAPS.tolist()).of, resamples=100)
    known = {name: metric for name, metric in (("map_50", precision), ("map_50_95", strict)) if metric is not None}
    return known | others


def real_lesion_figures(
    found: Sequence[Boxes], truth: Sequence[Boxes], patients: Sequence[str], threshold: float, healthy: Sequence[Boxes]
) -> dict[str, Metric]:
    """How many real lesions, of unknown type, are found with a box of either label, at an overlap of 0.3.

    Once at `threshold`, and once at the lowest one at which `healthy`, what is found on slices where a reviewer saw
    nothing, has no more than one box a slice.
    """
    lenient = one_false_box_threshold(healthy)

    def tallies(at: float) -> list[_Tally]:
        return [_tally(*pair, at, REAL_LESION_OVERLAP, by_label=False) for pair in zip(found, truth, strict=True)]

    strict, loose = tallies(threshold), tallies(lenient)
    return figures(
        patients,
        {
            "real_lesion_sensitivity": lambda chosen: _sensitivity(strict, chosen),
            "real_lesion_sensitivity_at_one_false_box": lambda chosen: _sensitivity(loose, chosen),
        },
    )


def one_false_box_threshold(healthy: Sequence[Boxes]) -> float:
    """The lowest score threshold, in steps of 0.01, at which healthy slices have at most one box on average."""
    for threshold in _THRESHOLDS:
        if np.mean([(boxes.scores >= threshold).sum() for boxes in healthy] or [0]) <= 1:
            return float(threshold)
    return float(_THRESHOLDS[-1])


def precision_recall(found: Sequence[Boxes], truth: Sequence[Boxes]) -> list[float]:
    """Precision at 101 recalls from 0 to 1, overlap 0.5, mean over the labels that occur; empty without lesions."""
    curve = _AveragePrecision(found, truth).curve(np.arange(len(truth)))[0, :, :, 0, 0]
    known = curve[:, (curve > -1).all(axis=0)]
    return [round(float(value), 4) for value in known.mean(axis=1)] if known.size else []


def froc(found: Sequence[Boxes], truth: Sequence[Boxes]) -> list[tuple[float, float]]:
    """Free-response ROC (Bunch et al., 1978): false positives an image and sensitivity, by falling threshold."""
    images = np.arange(len(truth))
    points = []
    for threshold in _THRESHOLDS[::-1]:
        tallies = [_tally(*pair, threshold, OVERLAP, by_label=False) for pair in zip(found, truth, strict=True)]
        points.append((round(_false_positives(tallies, images), 4), round(_sensitivity(tallies, images), 4)))
    return points


def confusion(found: Sequence[Boxes], truth: Sequence[Boxes], threshold: float) -> list[list[int]]:
    """Rows: the true labels, then boxes where nothing is. Columns: the labels found, then lesions missed.

    Matched from the highest score down at an overlap of 0.5, whatever the label.
    """
    table = np.zeros((len(LABELS) + 1, len(LABELS) + 1), dtype=int)
    for boxes, lesions in zip(found, truth, strict=True):
        free = np.ones(len(lesions.corners), dtype=bool)
        claimed = np.flatnonzero(boxes.scores >= threshold)
        for index in claimed[np.argsort(-boxes.scores[claimed], kind="stable")]:
            overlaps = np.where(free, _overlaps(boxes.corners[index], lesions.corners), 0.0)
            place = int(overlaps.argmax()) if len(overlaps) else -1
            hit = place >= 0 and overlaps[place] >= OVERLAP
            row = int(lesions.labels[place]) if hit else len(LABELS)
            table[row, int(boxes.labels[index])] += 1
            if hit:
                free[place] = False
        for label in lesions.labels[free]:
            table[int(label), len(LABELS)] += 1
    return table.tolist()


def _sensitivity(tallies: Sequence[_Tally], chosen: NDArray[np.intp]) -> float:
    lesions = sum(tallies[index].lesions for index in chosen)
    return sum(tallies[index].hits for index in chosen) / lesions if lesions else float("nan")


def _false_positives(tallies: Sequence[_Tally], chosen: NDArray[np.intp]) -> float:
    return float(np.mean([tallies[index].claims - tallies[index].hits for index in chosen]))


def _tally(found: Boxes, truth: Boxes, threshold: float, overlap: float, *, by_label: bool) -> _Tally:
    """Matches greedily from the highest score down; every lesion is found at most once."""
    claimed = np.flatnonzero(found.scores >= threshold)
    free = np.ones(len(truth.corners), dtype=bool)
    hits = 0
    for index in claimed[np.argsort(-found.scores[claimed], kind="stable")]:
        candidates = free & (truth.labels == found.labels[index]) if by_label else free.copy()
        overlaps = np.where(candidates, _overlaps(found.corners[index], truth.corners), 0.0)
        if len(overlaps) and overlaps.max() >= overlap:
            free[int(overlaps.argmax())] = False
            hits += 1
    return _Tally(hits, len(claimed), len(truth.corners))


def overlaps_any(corners: NDArray[np.float64], lesions: NDArray[np.float64]) -> bool:
    """Whether some box (n, 4) overlaps some lesion (m, 4) as a real lesion must be overlapped to count as found."""
    return any(bool((_overlaps(box, lesions) >= REAL_LESION_OVERLAP).any()) for box in corners)


def _overlaps(box: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of one box with each of the others: (m,)."""
    extent = np.clip(np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]), 0, None)
    shared = extent.prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    return shared / np.maximum(areas - shared, 1e-12)


class _AveragePrecision:
    """Average precision by pycocotools; images are compared once and then drawn as often as needed."""

    def __init__(self, found: Sequence[Boxes], truth: Sequence[Boxes], overlaps: Sequence[float] = (OVERLAP,)) -> None:
        images = [{"id": index} for index in range(len(truth))]
        categories = [{"id": index, "name": label} for index, label in enumerate(LABELS)]
        with contextlib.redirect_stdout(io.StringIO()):
            reference = COCO()
            reference.dataset = {"images": images, "categories": categories, "annotations": _rows(truth)}
            reference.createIndex()
            answers = COCO()
            answers.dataset = {"images": images, "categories": categories, "annotations": _rows(found)}
            answers.createIndex()
            self._evaluation = COCOeval(reference, answers, "bbox")
            parameters = self._evaluation.params
            parameters.iouThrs = np.array(overlaps)
            parameters.areaRng, parameters.areaRngLbl, parameters.maxDets = [[0, 1e10]], ["all"], [100]
            self._evaluation.evaluate()
        self._compared = list(self._evaluation.evalImgs)
        self._images = len(images)

    def of(self, chosen: NDArray[np.intp]) -> float:
        """Mean average precision over the chosen images, repeats allowed; NaN where they hold no lesion."""
        precision = self.curve(chosen)
        known = precision[precision > -1]
        return float(known.mean()) if known.size else float("nan")

    def curve(self, chosen: NDArray[np.intp]) -> NDArray[np.float64]:
        """Precision (overlaps, 101 recalls from 0 to 1, labels, 1, 1); -1 where it is not defined."""
        evaluation = self._evaluation
        rows = np.array(self._compared, dtype=object).reshape(len(LABELS), self._images)
        evaluation.evalImgs = rows[:, chosen].ravel().tolist()
        evaluation.params.imgIds = list(range(len(chosen)))
        evaluation._paramsEval = copy.copy(evaluation.params)  # noqa: SLF001  COCOeval has no public way to resample
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation.accumulate()
        return np.asarray(evaluation.eval["precision"])


def _rows(per_image: Sequence[Boxes]) -> list[dict[str, object]]:
    """COCO annotations in thousandths of the image's side."""
    rows: list[dict[str, object]] = []
    for image, boxes in enumerate(per_image):
        for corners, label, score in zip(boxes.corners * 1000, boxes.labels, boxes.scores, strict=True):
            x_min, y_min, x_max, y_max = map(float, corners)
            size = [x_min, y_min, x_max - x_min, y_max - y_min]
            rows.append(
                {
                    "id": len(rows) + 1,
                    "image_id": image,
                    "category_id": int(label),
                    "bbox": size,
                    "area": size[2] * size[3],
                    "iscrowd": 0,
                    "score": float(score),
                }
            )
    return rows
