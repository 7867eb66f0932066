"""What graphs are drawn from: confusion matrix, ROC, reliability, FROC and precision against recall."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import roc_curve

from hepar.contracts.cards import ConfusionMatrix, Curve, Curves, ReliabilityBin
from training.evaluation import detection
from training.evaluation.classification import Floats, Labels
from training.evaluation.detection import Boxes
from training.lesions import LABELS
from training.prepare import CLASS_LABELS

POINTS = 40


def classifier_curves(probabilities: Floats, labels: Labels, *, ranked: bool = True) -> Curves:
    """probabilities: (n, k).  labels: (n,).  ranked: False where they are shares of votes, which have no ROC curve."""
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
    """By image, what was found and what is there."""
    precisions = detection.precision_recall(found, truth)
    recalls = np.round(np.linspace(0, 1, len(precisions)), 2).tolist()
    return Curves(
        confusion=ConfusionMatrix(
            rows=[*LABELS, "nothing there"],
            columns=[*LABELS, "missed"],
            counts=detection.confusion(found, truth, threshold),
        ),
        froc=thinned(*map(list, zip(*detection.froc(found, truth), strict=True))),
        precision_recall=thinned(recalls, precisions),
    )


def thinned(x: list[float], y: list[float]) -> Curve:
    """At most POINTS of the points, evenly, both ends among them."""
    places = np.unique(np.linspace(0, len(x) - 1, POINTS).round().astype(int)) if x else np.empty(0, dtype=int)
    return Curve(x=[x[place] for place in places], y=[y[place] for place in places])


def confusion(probabilities: Floats, labels: Labels) -> list[list[int]]:
    """Rows: true labels. Columns: the most probable label."""
    count = probabilities.shape[1]
    table = np.zeros((count, count), dtype=int)
    np.add.at(table, (labels, probabilities.argmax(axis=1)), 1)
    return table.tolist()


def roc(probabilities: Floats, labels: Labels) -> dict[str, list[list[float]]]:
    curves = {}
    for label in range(probabilities.shape[1]):
        if 0 < (labels == label).sum() < len(labels):
            false, true, _ = roc_curve(labels == label, probabilities[:, label])
            curves[CLASS_LABELS[label]] = [np.round(false, 4).tolist(), np.round(true, 4).tolist()]
    return curves


def reliability(probabilities: Floats, labels: Labels, bins: int = 10) -> list[list[float]]:
    """Mean confidence, accuracy and images of each tenth of the confidences that has any."""
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    rows = [(confidence[place == one].mean(), correct[place == one].mean(), (place == one).sum()) for one in set(place)]
    return sorted([round(float(value), 4) for value in row] for row in rows)
