"""Calibration and figures of a classifier. All arrays: n images, k labels, in the order of CLASS_LABELS."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special
from sklearn import metrics

from hepar.contracts.cards import Metric
from training.evaluation.bootstrap import Score, figures
from training.lesions import LABELS
from training.prepare import CLASS_LABELS, NO_TUMOUR

NO_TUMOUR_INDEX = CLASS_LABELS.index(NO_TUMOUR)
ACCEPTED_ERROR = 0.2
_THRESHOLDS = np.round(np.arange(0.4, 0.91, 0.01), 2)

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]


def fitted_temperature(logits: Floats, labels: Labels) -> float:
    """The temperature with the smallest negative log-likelihood (Guo et al. 2017, section 4.2), 0.05 to 20.

    logits: (n, k).  labels: (n,).
    """

    def negative_log_likelihood(log_temperature: float) -> float:
        scaled = special.log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(scaled[np.arange(len(labels)), labels].mean())

    found = optimize.minimize_scalar(negative_log_likelihood, bounds=(np.log(0.05), np.log(20)), method="bounded")
    return round(float(np.exp(found.x)), 4)


def decision_threshold(probabilities: Floats, labels: Labels) -> float:
    """The lowest of 0.40, 0.41 ... 0.90 from which at most a fifth of the decided images are wrong; else 0.90."""
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    for threshold in _THRESHOLDS:
        decided = confidence >= threshold
        if decided.any() and 1 - correct[decided].mean() <= ACCEPTED_ERROR:
            return float(threshold)
    return float(_THRESHOLDS[-1])


def expected_calibration_error(confidence: Floats, correct: NDArray[np.bool_], bins: int = 15) -> float:
    """Mean gap between confidence and accuracy, weighted by bin size (Guo et al. 2017, eq. 3).

    confidence: (n,) of the predicted class, 0..1.  correct: (n,).
    """
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        (which == one).mean() * abs(confidence[which == one].mean() - correct[which == one].mean())
        for one in np.unique(which)
    ]
    return float(np.sum(gaps))


def brier_score(probabilities: Floats, labels: Labels) -> float:
    """Mean squared distance of the probabilities from the truth, 0 to 2 (Brier, Mon. Weather Rev. 78, 1950)."""
    return float(((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(axis=1).mean())


def roc_auc(probabilities: Floats, labels: Labels) -> float:
    """Mean over the labels of the area under each one's ROC curve against the rest; NaN where one is missing."""
    present = [(labels == label) for label in range(probabilities.shape[1])]
    if any(own.all() or not own.any() for own in present):
        return float("nan")
    return float(np.mean([metrics.roc_auc_score(own, probabilities[:, label]) for label, own in enumerate(present)]))


def size_matched_weights(labels: Labels, sizes: Floats, bins: int = 5) -> Floats:
    """Weights (n,) under which both tumour types have the same sizes; 0 for images without a tumour.

    sizes: (n,) of the largest lesion, any unit; NaN where it is not known, which weighs 0.  In each fifth of
    the sizes, the more frequent type counts for as much as the less frequent one: what accuracy is left is not that
    of a ruler.
    """
    tumour = (labels != NO_TUMOUR_INDEX) & np.isfinite(sizes)
    weights = np.zeros(len(labels))
    if not tumour.any():
        return weights
    edges = np.quantile(sizes[tumour], np.linspace(0, 1, bins + 1)[1:-1])
    place = np.digitize(sizes, edges)
    for one in range(bins):
        groups = [np.flatnonzero(tumour & (place == one) & (labels == label)) for label in range(len(LABELS))]
        for group in groups:
            if len(group):
                weights[group] = min(map(len, groups)) / len(group)
    return weights


def macro_f1(predicted: Labels, labels: Labels, count: int = len(CLASS_LABELS)) -> float:
    """Mean over the labels of the harmonic mean of precision and recall; a label nobody has or says counts 0."""
    scores = []
    for label in range(count):
        hits = ((predicted == label) & (labels == label)).sum()
        claims = (predicted == label).sum() + (labels == label).sum()
        scores.append(2 * hits / claims if claims else 0.0)
    return float(np.mean(scores))


def classification_figures(
    probabilities: Floats, labels: Labels, patients: Sequence[str], threshold: float, sizes: Floats | None = None
) -> dict[str, Metric]:
    """The card's figures on held-out patients, each with an interval.

    probabilities: (n, k), calibrated.  labels: (n,).  patients: (n,).  sizes: (n,) of the largest lesion, where known.
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    correct = predicted == labels
    tumour = labels != NO_TUMOUR_INDEX

    def mean_where(values: NDArray[np.bool_], where: NDArray[np.bool_], chosen: NDArray[np.intp]) -> float:
        selected = values[chosen][where[chosen]]
        return float(selected.mean()) if len(selected) else float("nan")

    scores: dict[str, Score] = {
        "accuracy": lambda chosen: float(correct[chosen].mean()),
        "macro_f1": lambda chosen: macro_f1(predicted[chosen], labels[chosen], probabilities.shape[1]),
        "tumour_type_accuracy": lambda chosen: mean_where(correct, tumour, chosen),
        "tumour_sensitivity": lambda chosen: mean_where(predicted != NO_TUMOUR_INDEX, tumour, chosen),
        "tumour_specificity": lambda chosen: mean_where(predicted == NO_TUMOUR_INDEX, ~tumour, chosen),
        "calibration_error": lambda chosen: expected_calibration_error(confidence[chosen], correct[chosen]),
        "decided_share": lambda chosen: float((confidence[chosen] >= threshold).mean()),
        "decided_accuracy": lambda chosen: mean_where(correct, confidence >= threshold, chosen),
    }
    scores |= {
        "roc_auc": lambda chosen: roc_auc(probabilities[chosen], labels[chosen]),
        "brier_score": lambda chosen: brier_score(probabilities[chosen], labels[chosen]),
    }
    for label, name in enumerate(CLASS_LABELS[: probabilities.shape[1]]):
        scores |= _label_scores(name, predicted == label, labels == label)
    if sizes is not None:
        weights = size_matched_weights(labels, sizes)

        def size_matched(chosen: NDArray[np.intp]) -> float:
            own = weights[chosen]
            return float(np.average(correct[chosen], weights=own)) if own.sum() > 0 else float("nan")

        scores["size_matched_type_accuracy"] = size_matched
    return figures(patients, scores)


def _label_scores(name: str, claimed: NDArray[np.bool_], own: NDArray[np.bool_]) -> dict[str, Score]:
    """Precision, recall and F1 of one label against the rest."""

    def share(hits: NDArray[np.bool_], of: NDArray[np.bool_]) -> float:
        return float(hits.sum() / of.sum()) if of.any() else float("nan")

    def f1(chosen: NDArray[np.intp]) -> float:
        total = claimed[chosen].sum() + own[chosen].sum()
        return float(2 * (claimed & own)[chosen].sum() / total) if total else float("nan")

    return {
        f"precision_{name}": lambda chosen: share((claimed & own)[chosen], claimed[chosen]),
        f"recall_{name}": lambda chosen: share((claimed & own)[chosen], own[chosen]),
        f"f1_{name}": f1,
    }


def real_lesion_figures(probabilities: Floats, patients: Sequence[str]) -> dict[str, Metric]:
    """How many slices with a real lesion, of unknown type, the classifier calls a tumour of either type."""
    called = probabilities.argmax(axis=1) != NO_TUMOUR_INDEX
    return figures(patients, {"real_lesion_sensitivity": lambda chosen: float(called[chosen].mean())})
