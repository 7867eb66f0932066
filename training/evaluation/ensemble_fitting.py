"""Fits the parameters of every voting and fusion method on validation predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from hepar.contracts.cards import Ensemble, FusionMethod, VotingMethod
from hepar.ensemble.fusion import FusionParameters
from training.evaluation.ensemble_application import MEMBER_THRESHOLD, fuse_all, vote_on_all
from training.metrics.classification import Floats, Labels, fitted_temperature, fitted_thresholds
from training.metrics.detection import Boxes, average_precision, fitted_threshold

DEFAULT_VOTE: VotingMethod = "soft_vote"
DEFAULT_FUSION: FusionMethod = "weighted_box_fusion"
# A detector's weight is its mAP to one of these powers; 0 gives equal weights.
POWERS = (0.0, 1.0, 2.0, 4.0)
OVERLAPS = (0.4, 0.5, 0.6)
SIGMAS = (0.1, 0.3, 0.6)
_MIN_PROBABILITY = 1e-12
_MIN_AVERAGE_PRECISION = 0.01


def fitted_weights(probabilities: Mapping[str, Floats], labels: Labels) -> dict[str, float]:
    """Weights of the models, summing to 1, with the smallest negative log-likelihood of the weighted vote."""
    of_true_label = np.stack([values[np.arange(len(labels)), labels] for values in probabilities.values()])

    def negative_log_likelihood(logits: NDArray[np.float64]) -> float:
        return -float(np.log(np.maximum(special.softmax(logits) @ of_true_label, _MIN_PROBABILITY)).mean())

    count = len(of_true_label)
    result = optimize.minimize(negative_log_likelihood, np.zeros(count), method="L-BFGS-B", bounds=[(-6, 6)] * count)
    weights = np.round(special.softmax(result.x), 4)
    return dict(zip(probabilities, (weights / weights.sum()).tolist(), strict=True))


def fitted_votes(probabilities: Mapping[str, Floats], labels: Labels, sizes: Floats) -> dict[str, Ensemble]:
    """By method, the vote with its weights, temperature and thresholds. sizes: (n,) of the largest lesion.

    A majority vote counts labels, so it has no temperature to fit.
    """
    equal = dict.fromkeys(probabilities, 1.0)
    votes = {}
    for method, members in (
        ("soft_vote", equal),
        ("weighted_vote", fitted_weights(probabilities, labels)),
        ("majority_vote", equal),
    ):
        temperature = 1.0
        if method != "majority_vote":
            uncalibrated = vote_on_all(method, probabilities, members)
            temperature = fitted_temperature(np.log(np.maximum(uncalibrated, _MIN_PROBABILITY)), labels)
        calibrated = vote_on_all(method, probabilities, members, temperature)
        thresholds = fitted_thresholds(calibrated, labels, sizes)
        votes[method] = Ensemble(
            method=method,
            members=members,
            temperature=temperature,
            decision_threshold=thresholds.tumour,
            type_threshold=thresholds.type,
            metrics={},
        )
    return votes


def fitted_fusions(found: Mapping[str, Sequence[Boxes]], truth: Sequence[Boxes]) -> dict[str, Ensemble]:
    """By method, the fusion with the parameters of the best mAP at an overlap of 0.5, and its score threshold.

    Suppression keeps the detectors' scores; only weighted box fusion weights the detectors by their mAP.
    """
    precisions = {name: max(average_precision(boxes, truth), _MIN_AVERAGE_PRECISION) for name, boxes in found.items()}
    fusions: dict[str, Ensemble] = {}
    for method, candidates in _fusion_candidates(precisions).items():
        best = max(candidates, key=lambda parameters: average_precision(fuse_all(parameters, found), truth))
        fusions[method] = Ensemble(
            method=method,
            members=dict(best.weights),
            decision_threshold=fitted_threshold(fuse_all(best, found), truth),
            overlap=best.overlap,
            sigma=best.sigma,
            member_threshold=MEMBER_THRESHOLD,
            metrics={},
        )
    return fusions


def _fusion_candidates(precisions: Mapping[str, float]) -> dict[FusionMethod, list[FusionParameters]]:
    equal = dict.fromkeys(precisions, 1.0)
    return {
        "weighted_box_fusion": [
            FusionParameters("weighted_box_fusion", _weights(precisions, power), overlap=overlap)
            for power in POWERS
            for overlap in OVERLAPS
        ],
        "non_maximum_suppression": [
            FusionParameters("non_maximum_suppression", equal, overlap=overlap) for overlap in OVERLAPS
        ],
        "soft_non_maximum_suppression": [
            FusionParameters("soft_non_maximum_suppression", equal, sigma=sigma) for sigma in SIGMAS
        ],
    }


def _weights(precisions: Mapping[str, float], power: float) -> dict[str, float]:
    """The precisions to a power, scaled to a mean of 1."""
    raised = {name: value**power for name, value in precisions.items()}
    mean = sum(raised.values()) / len(raised)
    return {name: round(value / mean, 4) for name, value in raised.items()}
