"""Fits the parameters of every voting and fusion method on validation predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from hepar.contracts.cards import Ensemble, FusionMethod, LiverVote, VotingMethod
from hepar.ensemble.fusion import FusionParameters
from training.evaluation.ensemble_application import MEMBER_THRESHOLD, fuse_all, vote_on_all
from training.metrics.classification import Floats, Labels, fitted_temperature, fitted_thresholds
from training.metrics.detection import Boxes, average_precision, fitted_threshold

DEFAULT_VOTE: VotingMethod = "soft_vote"
DEFAULT_FUSION: FusionMethod = "weighted_box_fusion"
# The weight of a detector that is used is its mAP to one of these powers; 0 gives equal weights.
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


@dataclass(frozen=True)
class CalibrationSet:
    """Known images: labels (n,), and sizes (n,) of the largest lesion, see `size_matched_weights`.

    originals: weights and temperatures are fitted on the first ones; thresholds on all.
    """

    labels: Labels
    sizes: Floats
    originals: int


def fitted_votes(
    probabilities: Mapping[str, Floats], known: CalibrationSet, in_liver: Mapping[str, Floats] | None = None
) -> dict[str, Ensemble]:
    """By method, the vote with its weights, temperature and thresholds.

    in_liver: the same images' probabilities from the evidence in the liver, which are served where the liver is known.
    """
    equal = dict.fromkeys(probabilities, 1.0)
    first = {name: values[: known.originals] for name, values in (in_liver or probabilities).items()}
    weighted = fitted_weights(first, known.labels[: known.originals])
    choices: tuple[tuple[VotingMethod, dict[str, float]], ...] = (
        ("soft_vote", equal),
        ("weighted_vote", weighted),
        ("majority_vote", equal),
    )
    votes: dict[str, Ensemble] = {}
    for method, members in choices:
        votes[method] = Ensemble(
            method=method,
            members=members,
            in_liver=None if in_liver is None else _fitted(method, members, in_liver, known),
            metrics={},
            **dict(_fitted(method, members, probabilities, known)),
        )
    return votes


def _fitted(
    method: VotingMethod, members: Mapping[str, float], probabilities: Mapping[str, Floats], known: CalibrationSet
) -> LiverVote:
    """Temperature and thresholds. A majority vote counts labels, so it has no temperature to fit."""
    voted, temperature = vote_on_all(method, probabilities, members), 1.0
    if method != "majority_vote":
        logits = np.log(np.maximum(voted, _MIN_PROBABILITY))
        temperature = fitted_temperature(logits[: known.originals], known.labels[: known.originals])
        voted = special.softmax(logits / temperature, axis=1)
    thresholds = fitted_thresholds(voted, known.labels, known.sizes)
    return LiverVote(temperature=temperature, decision_threshold=thresholds.tumour, type_threshold=thresholds.type)


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
    """With weights that leave out the detectors of the lowest precision: a member may only lower the ensemble."""
    equal = dict.fromkeys(precisions, 1.0)
    best_first = sorted(precisions, key=precisions.__getitem__, reverse=True)
    return {
        "weighted_box_fusion": [
            FusionParameters("weighted_box_fusion", _weights(precisions, power, best_first[:count]), overlap=overlap)
            for count in range(len(best_first), 0, -1)
            for power in (POWERS if count > 1 else POWERS[:1])
            for overlap in OVERLAPS
        ],
        "non_maximum_suppression": [
            FusionParameters("non_maximum_suppression", equal, overlap=overlap) for overlap in OVERLAPS
        ],
        "soft_non_maximum_suppression": [
            FusionParameters("soft_non_maximum_suppression", equal, sigma=sigma) for sigma in SIGMAS
        ],
    }


def _weights(precisions: Mapping[str, float], power: float, used: Sequence[str]) -> dict[str, float]:
    """The precisions of the used detectors to a power, scaled to a mean of 1 over all detectors; 0 for the others."""
    raised = {name: value**power if name in used else 0.0 for name, value in precisions.items()}
    mean = sum(raised.values()) / len(raised)
    return {name: round(value / mean, 4) for name, value in raised.items()}
