"""The data behind the graphs: confusion matrix, ROC, reliability, FROC and precision-recall."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import roc_curve

from hepar.contracts.figures import ConfusionMatrix, Curve, Curves, ReliabilityBin
from training.lesions import LABELS
from training.metrics import detection
from training.metrics.classification import Floats, Labels
from training.metrics.detection import Boxes
from training.prepared.dataset import CLASS_LABELS

MAX_POINTS = 40


def classifier_curves(probabilities: Floats, labels: Labels, *, ranked: bool = True) -> Curves:
    """Confusion matrix, reliability and, if `ranked`, one ROC curve per label.

    probabilities: (n, k).  labels: (n,).  ranked: False for vote shares, which have no ROC curve.
    """
    names = CLASS_LABELS[: probabilities.shape[1]]
    curves = roc(probabilities, labels) if ranked else {}
    return Curves(
        confusion=ConfusionMatrix(rows=names, columns=names, counts=confusion(probabilities, labels)),
        roc={name: thinned(*rates) for name, rates in curves.items()},
        reliability=[
            ReliabilityBin(confidence=confidence, accuracy=accuracy, images=int(images))
            for confidence, accuracy, images in reliability(probabilities, labels)
        ],
    )


def detector_curves(found: Sequence[Boxes], truth: Sequence[Boxes], threshold: float) -> Curves:
    """Confusion matrix, FROC and precision-recall curve. found, truth: one entry per image."""
    precisions = detection.precision_recall(found, truth)
    recalls = np.round(np.linspace(0, 1, len(precisions)), 2).tolist()
    return Curves(
        confusion=ConfusionMatrix(
            rows=[*LABELS, "no lesion"],
            columns=[*LABELS, "missed"],
            counts=detection.confusion(found, truth, threshold),
        ),
        froc=thinned(*map(list, zip(*detection.froc(found, truth), strict=True))),
        precision_recall=thinned(recalls, precisions),
    )


def thinned(x: list[float], y: list[float]) -> Curve:
    """At most MAX_POINTS points, evenly spaced by index, including both ends."""
    indices = np.unique(np.linspace(0, len(x) - 1, MAX_POINTS).round().astype(int)) if x else np.empty(0, dtype=int)
    return Curve(x=[x[index] for index in indices], y=[y[index] for index in indices])


def confusion(probabilities: Floats, labels: Labels) -> list[list[int]]:
    """Rows: true labels. Columns: the most probable label."""
    count = probabilities.shape[1]
    table = np.zeros((count, count), dtype=int)
    np.add.at(table, (labels, probabilities.argmax(axis=1)), 1)
    return table.tolist()


def roc(probabilities: Floats, labels: Labels) -> dict[str, list[list[float]]]:
    """By label that occurs, and not alone: false and true positive rates of the label against the rest."""
    curves = {}
    for label in range(probabilities.shape[1]):
        if 0 < (labels == label).sum() < len(labels):
            false, true, _ = roc_curve(labels == label, probabilities[:, label])
            curves[CLASS_LABELS[label]] = [np.round(false, 4).tolist(), np.round(true, 4).tolist()]
    return curves


def reliability(probabilities: Floats, labels: Labels, bins: int = 10) -> list[list[float]]:
    """Rows of mean confidence, accuracy and number of images, one per non-empty confidence bin."""
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bin_index = np.minimum((confidence * bins).astype(int), bins - 1)
    rows = []
    for index in np.unique(bin_index):
        members = bin_index == index
        rows.append((confidence[members].mean(), correct[members].mean(), members.sum()))
    return sorted([round(float(value), 4) for value in row] for row in rows)
