"""Calibration and metrics of a classifier. All arrays: n images, k labels, in the order of CLASS_LABELS."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special
from sklearn import metrics

from hepar.contracts.figures import Metric
from hepar.ensemble.voting import Thresholds
from training.lesions import LABELS
from training.metrics.bootstrap import Score, metrics_with_intervals
from training.prepared.dataset import CLASS_LABELS, NO_TUMOUR_INDEX

MAX_ERROR_RATE = 0.2
MAX_TUMOUR_ERROR_RATE = 0.1
"""Of an ensemble's decisions between a tumour and none."""
MAX_TYPE_ERROR_RATE = 0.03
"""Of its decisions on the type, which do not carry over to other scanners: docs/decisions/0054."""
_THRESHOLDS = np.round(np.arange(0.4, 0.981, 0.01), 2)

CALIBRATION_ERRORS = ("calibration_error", "tumour_calibration_error", "type_calibration_error")
"""They do not tell chance from a systematic gap, and fewer different patients leave more to chance."""

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]


def fitted_temperature(logits: Floats, labels: Labels) -> float:
    """The temperature with the smallest negative log-likelihood (Guo et al. 2017, section 4.2), 0.05 to 20.

    logits: (n, k).  labels: (n,).
    """

    def negative_log_likelihood(log_temperature: float) -> float:
        scaled = special.log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(scaled[np.arange(len(labels)), labels].mean())

    result = optimize.minimize_scalar(negative_log_likelihood, bounds=(np.log(0.05), np.log(20)), method="bounded")
    return round(float(np.exp(result.x)), 4)


def fitted_decision_threshold(probabilities: Floats, labels: Labels) -> float:
    """Of both stages of a single classifier's decision: see `_lowest_threshold`, with MAX_ERROR_RATE."""

    def are_decided_at(threshold: float) -> NDArray[np.bool_]:
        return are_decided(probabilities, Thresholds(threshold, threshold))

    correct = probabilities.argmax(axis=1) == labels
    return _lowest_threshold(are_decided_at, correct, np.ones(len(labels)), MAX_ERROR_RATE)


def fitted_thresholds(probabilities: Floats, labels: Labels, sizes: Floats) -> Thresholds:
    """Of both stages of a decision; the second one on the images with a tumour, weighted to equal sizes of both types.

    Lesion size tells the type of synthesised lesions better than that of real ones: it must not make a type certain.
    sizes: see `size_matched_weights`.
    """
    seen = labels != NO_TUMOUR_INDEX
    types, weights = given_a_tumour(probabilities[seen]), size_matched_weights(labels, sizes)[seen]
    if not weights.any():  # without two types of a known size there is nothing to match
        weights = np.ones(len(types))
    of_type = _stage_threshold(types, labels[seen], weights, MAX_TYPE_ERROR_RATE)
    if not _knows_no_tumour(probabilities):
        return Thresholds(of_type, of_type)
    without = probabilities[:, NO_TUMOUR_INDEX]
    stages = np.stack([1 - without, without], axis=1)
    tumour_free = (labels == NO_TUMOUR_INDEX).astype(np.intp)
    return Thresholds(_stage_threshold(stages, tumour_free, np.ones(len(labels)), MAX_TUMOUR_ERROR_RATE), of_type)


def _stage_threshold(probabilities: Floats, labels: Labels, weights: Floats, max_error_rate: float) -> float:
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    return _lowest_threshold(lambda threshold: confidence >= threshold, correct, weights, max_error_rate)


def _lowest_threshold(
    decided_at: Callable[[float], NDArray[np.bool_]], correct: NDArray[np.bool_], weights: Floats, max_error_rate: float
) -> float:
    """The lowest of 0.40, 0.41 ... 0.98 at which at most max_error_rate of the decided images are wrong; else 0.98.

    weights: (n,) of the images.
    """
    for threshold in _THRESHOLDS.tolist():
        decided = decided_at(threshold)
        if weights[decided].sum() > 0 and 1 - np.average(correct[decided], weights=weights[decided]) <= max_error_rate:
            return float(threshold)
    return float(_THRESHOLDS[-1])


def _knows_no_tumour(probabilities: Floats) -> bool:
    """Whether the labels include `no_tumour`: networks for data without healthy slices know types only."""
    return probabilities.shape[1] > NO_TUMOUR_INDEX


def given_a_tumour(probabilities: Floats) -> Floats:
    """(n, types): probabilities of the types given a tumour; equal where a tumour has probability 0."""
    if not _knows_no_tumour(probabilities):
        return probabilities
    types = np.delete(probabilities, NO_TUMOUR_INDEX, axis=1)
    total = types.sum(axis=1, keepdims=True)
    equal = np.full_like(types, 1 / types.shape[1])
    return np.divide(types, total, out=equal, where=total > 0)


def are_decided(probabilities: Floats, thresholds: Thresholds) -> NDArray[np.bool_]:
    """(n,): whether `hepar.ensemble.voting` decides for a label."""
    if not _knows_no_tumour(probabilities):
        return np.asarray(probabilities.max(axis=1) >= thresholds.type)
    without = probabilities[:, NO_TUMOUR_INDEX]
    typed = (1 - without >= thresholds.tumour) & (given_a_tumour(probabilities).max(axis=1) >= thresholds.type)
    return np.asarray(np.where(1 - without >= without, typed, without >= thresholds.tumour))


def expected_calibration_error(confidence: Floats, correct: NDArray[np.bool_], bins: int = 15) -> float:
    """Mean gap between confidence and accuracy, weighted by bin size (Guo et al. 2017, eq. 3).

    confidence: (n,) of the predicted class, 0..1.  correct: (n,).
    """
    bin_index = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = []
    for index in np.unique(bin_index):
        members = bin_index == index
        gaps.append(members.mean() * abs(confidence[members].mean() - correct[members].mean()))
    return float(np.sum(gaps))


def brier_score(probabilities: Floats, labels: Labels) -> float:
    """Mean squared distance of the probabilities from the truth, 0 to 2 (Brier, Mon. Weather Rev. 78, 1950)."""
    return float(((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(axis=1).mean())


def roc_auc(probabilities: Floats, labels: Labels) -> float:
    """Mean over the labels of the area under the one-against-rest ROC curve; NaN if a label does not occur."""
    positives = [labels == label for label in range(probabilities.shape[1])]
    if any(own.all() or not own.any() for own in positives):
        return float("nan")
    areas = [metrics.roc_auc_score(own, probabilities[:, label]) for label, own in enumerate(positives)]
    return float(np.mean(areas))


def size_matched_weights(labels: Labels, sizes: Floats, bins: int = 5) -> Floats:
    """Weights (n,) under which both tumour types have the same size distribution; 0 for images without a tumour.

    sizes: (n,) of the largest lesion, any unit; NaN if unknown, which gets weight 0.  In each fifth of the sizes the
    more frequent type gets the same total weight as the less frequent one, so that accuracy under these weights
    cannot come from the size alone.
    """
    tumour = (labels != NO_TUMOUR_INDEX) & np.isfinite(sizes)
    weights = np.zeros(len(labels))
    if not tumour.any():
        return weights
    edges = np.quantile(sizes[tumour], np.linspace(0, 1, bins + 1)[1:-1])
    bin_index = np.digitize(sizes, edges)
    for index in range(bins):
        groups = [np.flatnonzero(tumour & (bin_index == index) & (labels == label)) for label in range(len(LABELS))]
        for group in groups:
            if len(group):
                weights[group] = min(map(len, groups)) / len(group)
    return weights


def macro_f1(predicted: Labels, labels: Labels, count: int = len(CLASS_LABELS)) -> float:
    """Mean over the labels of the harmonic mean of precision and recall; 0 for a label never true nor predicted."""
    scores = []
    for label in range(count):
        hits = ((predicted == label) & (labels == label)).sum()
        total = (predicted == label).sum() + (labels == label).sum()
        scores.append(2 * hits / total if total else 0.0)
    return float(np.mean(scores))


def classification_metrics(
    probabilities: Floats, labels: Labels, patients: Sequence[str], thresholds: Thresholds, sizes: Floats | None = None
) -> dict[str, Metric]:
    """The metrics of a model card on held-out patients, each with an interval.

    probabilities: (n, k), calibrated.  labels: (n,).  patients: (n,).  sizes: (n,) of the largest lesion, if known.
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    correct = predicted == labels
    tumour = labels != NO_TUMOUR_INDEX
    decided = are_decided(probabilities, thresholds)
    types = given_a_tumour(probabilities)
    right_about_type = types.argmax(axis=1) == labels  # NO_TUMOUR_INDEX is the last one
    scores: dict[str, Score] = {
        "accuracy": lambda chosen: float(correct[chosen].mean()),
        "macro_f1": lambda chosen: macro_f1(predicted[chosen], labels[chosen], probabilities.shape[1]),
        "tumour_type_accuracy": lambda chosen: _mean_where(correct, tumour, chosen),
        "tumour_sensitivity": lambda chosen: _mean_where(predicted != NO_TUMOUR_INDEX, tumour, chosen),
        "tumour_specificity": lambda chosen: _mean_where(predicted == NO_TUMOUR_INDEX, ~tumour, chosen),
        "calibration_error": lambda chosen: expected_calibration_error(confidence[chosen], correct[chosen]),
        "type_calibration_error": lambda chosen: _calibration_error_where(
            types.max(axis=1), right_about_type, tumour, chosen
        ),
        "decided_share": lambda chosen: float(decided[chosen].mean()),
        "decided_accuracy": lambda chosen: _mean_where(correct, decided, chosen),
        "roc_auc": lambda chosen: roc_auc(probabilities[chosen], labels[chosen]),
        "brier_score": lambda chosen: brier_score(probabilities[chosen], labels[chosen]),
    }
    if _knows_no_tumour(probabilities):
        without = probabilities[:, NO_TUMOUR_INDEX]
        confidence_of_stage, right = np.maximum(without, 1 - without), (without <= 0.5) == tumour
        scores["tumour_calibration_error"] = lambda chosen: expected_calibration_error(
            confidence_of_stage[chosen], right[chosen]
        )
    for label, name in enumerate(CLASS_LABELS[: probabilities.shape[1]]):
        scores |= _label_scores(name, predicted == label, labels == label)
    if sizes is not None:
        scores["size_matched_type_accuracy"] = _weighted_accuracy(correct, size_matched_weights(labels, sizes))
    return metrics_with_intervals(patients, scores, biased=CALIBRATION_ERRORS)


def _mean_where(values: NDArray[np.bool_], mask: NDArray[np.bool_], chosen: NDArray[np.intp]) -> float:
    selected = values[chosen][mask[chosen]]
    return float(selected.mean()) if len(selected) else float("nan")


def _calibration_error_where(
    confidence: Floats, correct: NDArray[np.bool_], mask: NDArray[np.bool_], chosen: NDArray[np.intp]
) -> float:
    selected = chosen[mask[chosen]]
    return expected_calibration_error(confidence[selected], correct[selected]) if len(selected) else float("nan")


def _weighted_accuracy(correct: NDArray[np.bool_], weights: Floats) -> Score:
    def score(chosen: NDArray[np.intp]) -> float:
        if weights[chosen].sum() <= 0:
            return float("nan")
        return float(np.average(correct[chosen], weights=weights[chosen]))

    return score


def _label_scores(name: str, predicted: NDArray[np.bool_], true: NDArray[np.bool_]) -> dict[str, Score]:
    """Precision, recall and F1 of one label against the rest."""

    def share(hits: NDArray[np.bool_], base: NDArray[np.bool_]) -> float:
        return float(hits.sum() / base.sum()) if base.any() else float("nan")

    def f1(chosen: NDArray[np.intp]) -> float:
        total = predicted[chosen].sum() + true[chosen].sum()
        return float(2 * (predicted & true)[chosen].sum() / total) if total else float("nan")

    return {
        f"precision_{name}": lambda chosen: share((predicted & true)[chosen], predicted[chosen]),
        f"recall_{name}": lambda chosen: share((predicted & true)[chosen], true[chosen]),
        f"f1_{name}": f1,
    }


def real_lesion_metrics(probabilities: Floats, patients: Sequence[str]) -> dict[str, Metric]:
    """Share of the slices with a real lesion, of unknown type, that the classifier calls a tumour of either type."""
    called = probabilities.argmax(axis=1) != NO_TUMOUR_INDEX
    return metrics_with_intervals(patients, {"real_lesion_sensitivity": lambda chosen: float(called[chosen].mean())})
