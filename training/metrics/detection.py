"""Metrics of a detector: average precision by pycocotools, and the lesions it finds at its threshold."""

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

from hepar.contracts.figures import Metric
from training.lesions import LABELS
from training.metrics.bootstrap import Score, bootstrap_by_patient, metrics_with_intervals

_THRESHOLDS = np.round(np.arange(0.05, 0.91, 0.01), 2)
OVERLAP = 0.5
REAL_LESION_OVERLAP = 0.3
STRICT_OVERLAPS = np.round(np.arange(0.5, 0.96, 0.05), 2)


@dataclass(frozen=True)
class Boxes:
    """The boxes of one image.

    corners: (m, 4) x_min y_min x_max y_max, 0..1.  labels: (m,).  scores: (m,), 1 for ground truth.
    """

    corners: NDArray[np.float64]
    labels: NDArray[np.intp]
    scores: NDArray[np.float64]


@dataclass(frozen=True)
class _Tally:
    """Counts of one image at one threshold. hits: lesions found.  boxes: boxes at or above the threshold."""

    hits: int
    boxes: int
    lesions: int


def fitted_threshold(found: Sequence[Boxes], truth: Sequence[Boxes]) -> float:
    """The score threshold, in steps of 0.01, with the best F1 over all boxes at an overlap of 0.5."""

    def f1(threshold: float) -> float:
        tallies = [_tally(*pair, threshold, OVERLAP, by_label=True) for pair in zip(found, truth, strict=True)]
        total = sum(tally.boxes + tally.lesions for tally in tallies)
        return 2 * sum(tally.hits for tally in tallies) / total if total else 0.0

    return float(max(_THRESHOLDS, key=f1))


def average_precision(found: Sequence[Boxes], truth: Sequence[Boxes]) -> float:
    """Mean average precision over the labels at an overlap of 0.5, by pycocotools; 0 if there is no lesion."""
    score = _AveragePrecision(found, truth).mean(np.arange(len(truth)))
    return 0.0 if np.isnan(score) else score


def precision_score(found: Sequence[Boxes], truth: Sequence[Boxes]) -> Score:
    """As `average_precision`, for chosen images: boxes are matched once, whatever is drawn."""
    return _AveragePrecision(found, truth).mean


def detection_metrics(
    found: Sequence[Boxes], truth: Sequence[Boxes], patients: Sequence[str], threshold: float
) -> dict[str, Metric]:
    """The metrics of a model card on held-out patients, each with an interval.

    found, truth, patients: one entry per image.
    """
    tallies = [_tally(*pair, threshold, OVERLAP, by_label=False) for pair in zip(found, truth, strict=True)]
    precision = bootstrap_by_patient(patients, _AveragePrecision(found, truth).mean, resamples=100)
    others = metrics_with_intervals(
        patients,
        {
            "sensitivity": lambda chosen: _sensitivity(tallies, chosen),
            "false_positives_per_image": lambda chosen: _false_positives(tallies, chosen),
        },
    )
    strict_precision = _AveragePrecision(found, truth, STRICT_OVERLAPS.tolist())
    strict = bootstrap_by_patient(patients, strict_precision.mean, resamples=100)
    known = {name: metric for name, metric in (("map_50", precision), ("map_50_95", strict)) if metric is not None}
    return known | others


def real_lesion_metrics(
    found: Sequence[Boxes], truth: Sequence[Boxes], patients: Sequence[str], threshold: float, healthy: Sequence[Boxes]
) -> dict[str, Metric]:
    """Share of the real lesions, of unknown type, that a box of either label overlaps by 0.3 or more.

    Measured at `threshold`, and at the lowest threshold with at most one box per healthy slice on average.
    healthy: the boxes found on slices on which a reviewer saw no lesion.
    """
    lenient = one_false_box_threshold(healthy)

    def tallies(score_threshold: float) -> list[_Tally]:
        return [
            _tally(*pair, score_threshold, REAL_LESION_OVERLAP, by_label=False)
            for pair in zip(found, truth, strict=True)
        ]

    strict, loose = tallies(threshold), tallies(lenient)
    return metrics_with_intervals(
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
    """Free-response ROC (Bunch et al., 1978): false positives per image and sensitivity, by falling threshold."""
    images = np.arange(len(truth))
    points = []
    for threshold in _THRESHOLDS[::-1]:
        tallies = [_tally(*pair, threshold, OVERLAP, by_label=False) for pair in zip(found, truth, strict=True)]
        points.append((round(_false_positives(tallies, images), 4), round(_sensitivity(tallies, images), 4)))
    return points


def confusion(found: Sequence[Boxes], truth: Sequence[Boxes], threshold: float) -> list[list[int]]:
    """Rows: the true labels, then boxes without a lesion. Columns: the labels found, then missed lesions.

    Boxes are matched to lesions from the highest score down at an overlap of 0.5, regardless of the label.
    """
    table = np.zeros((len(LABELS) + 1, len(LABELS) + 1), dtype=int)
    for boxes, lesions in zip(found, truth, strict=True):
        free = np.ones(len(lesions.corners), dtype=bool)
        selected = np.flatnonzero(boxes.scores >= threshold)
        for index in selected[np.argsort(-boxes.scores[selected], kind="stable")]:
            overlaps = np.where(free, _overlaps(boxes.corners[index], lesions.corners), 0.0)
            best = int(overlaps.argmax()) if len(overlaps) else -1
            hit = best >= 0 and overlaps[best] >= OVERLAP
            row = int(lesions.labels[best]) if hit else len(LABELS)
            table[row, int(boxes.labels[index])] += 1
            if hit:
                free[best] = False
        for label in lesions.labels[free]:
            table[int(label), len(LABELS)] += 1
    return table.tolist()


def _sensitivity(tallies: Sequence[_Tally], chosen: NDArray[np.intp]) -> float:
    lesions = sum(tallies[index].lesions for index in chosen)
    return sum(tallies[index].hits for index in chosen) / lesions if lesions else float("nan")


def _false_positives(tallies: Sequence[_Tally], chosen: NDArray[np.intp]) -> float:
    return float(np.mean([tallies[index].boxes - tallies[index].hits for index in chosen]))


def _tally(found: Boxes, truth: Boxes, threshold: float, overlap: float, *, by_label: bool) -> _Tally:
    """Matches boxes to lesions greedily from the highest score down; every lesion is found at most once."""
    selected = np.flatnonzero(found.scores >= threshold)
    free = np.ones(len(truth.corners), dtype=bool)
    hits = 0
    for index in selected[np.argsort(-found.scores[selected], kind="stable")]:
        candidates = free & (truth.labels == found.labels[index]) if by_label else free.copy()
        overlaps = np.where(candidates, _overlaps(found.corners[index], truth.corners), 0.0)
        if len(overlaps) and overlaps.max() >= overlap:
            free[int(overlaps.argmax())] = False
            hits += 1
    return _Tally(hits, len(selected), len(truth.corners))


def overlaps_any(corners: NDArray[np.float64], lesions: NDArray[np.float64]) -> bool:
    """Whether any box (n, 4) overlaps any lesion (m, 4) by at least REAL_LESION_OVERLAP."""
    return any(bool((_overlaps(box, lesions) >= REAL_LESION_OVERLAP).any()) for box in corners)


def _overlaps(box: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of one box with each of the others: (m,)."""
    extent = np.clip(np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]), 0, None)
    shared = extent.prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    return shared / np.maximum(areas - shared, 1e-12)


class _AveragePrecision:
    """Average precision by pycocotools: boxes are matched once, then images are resampled as often as needed."""

    def __init__(self, found: Sequence[Boxes], truth: Sequence[Boxes], overlaps: Sequence[float] = (OVERLAP,)) -> None:
        images = [{"id": index} for index in range(len(truth))]
        categories = [{"id": index, "name": label} for index, label in enumerate(LABELS)]
        with contextlib.redirect_stdout(io.StringIO()):
            reference = COCO()
            reference.dataset = {"images": images, "categories": categories, "annotations": _rows(truth)}
            reference.createIndex()
            detections = COCO()
            detections.dataset = {"images": images, "categories": categories, "annotations": _rows(found)}
            detections.createIndex()
            self._evaluation = COCOeval(reference, detections, "bbox")
            parameters = self._evaluation.params
            parameters.iouThrs = np.array(overlaps)
            parameters.areaRng, parameters.areaRngLbl, parameters.maxDets = [[0, 1e10]], ["all"], [100]
            self._evaluation.evaluate()
        self._matches = list(self._evaluation.evalImgs)
        self._images = len(images)

    def mean(self, chosen: NDArray[np.intp]) -> float:
        """Mean average precision over the chosen images, repeats allowed; NaN if they have no lesion."""
        precision = self.curve(chosen)
        known = precision[precision > -1]
        return float(known.mean()) if known.size else float("nan")

    def curve(self, chosen: NDArray[np.intp]) -> NDArray[np.float64]:
        """Precision (overlaps, 101 recalls from 0 to 1, labels, 1, 1); -1 if it is not defined."""
        evaluation = self._evaluation
        rows = np.array(self._matches, dtype=object).reshape(len(LABELS), self._images)
        evaluation.evalImgs = rows[:, chosen].ravel().tolist()
        evaluation.params.imgIds = list(range(len(chosen)))
        evaluation._paramsEval = copy.copy(evaluation.params)  # noqa: SLF001  COCOeval has no public way to resample
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation.accumulate()
        return np.asarray(evaluation.eval["precision"])


def _rows(per_image: Sequence[Boxes]) -> list[dict[str, object]]:
    """COCO annotations, coordinates in thousandths of the image's side."""
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
