"""Fitting how the models of one task decide together, on validation data; the deciding itself is hepar.ensemble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from hepar.contracts.cards import Ensemble, FusionMethod, VotingMethod
from hepar.ensemble.fusion import FoundBox, FusionParameters, fuse
from hepar.ensemble.voting import Vote, majority_vote, soft_vote
from training.evaluation.classification import Floats, Labels, decision_threshold, fitted_temperature
from training.evaluation.detection import Boxes, average_precision, chosen_threshold
from training.lesions import LABELS

DEFAULT_VOTE: VotingMethod = "soft_vote"
DEFAULT_FUSION: FusionMethod = "weighted_box_fusion"
MEMBER_THRESHOLD = 0.01
# Weights of detectors: their mAP to one of these powers; 0 is equal weights.
POWERS = (0.0, 1.0, 2.0, 4.0)
OVERLAPS = (0.4, 0.5, 0.6)
SIGMAS = (0.1, 0.3, 0.6)
_FLOOR = 1e-12


def voted(
    method: str,
    probabilities: Mapping[str, Floats],
    weights: Mapping[str, float] | None = None,
    temperature: float = 1.0,
) -> Floats:
    """The ensemble's probabilities (n, k) by the very function that is served. probabilities: calibrated, by model."""
    rows = []
    for index in range(len(next(iter(probabilities.values())))):
        labels = tuple(map(str, range(next(iter(probabilities.values())).shape[1])))
        votes = [Vote(name, labels, values[index]) for name, values in probabilities.items()]
        decision = majority_vote(votes, 0) if method == "majority_vote" else soft_vote(votes, 0, weights, temperature)
        rows.append([decision.probabilities[label] for label in labels])
    return np.array(rows)


def fitted_weights(probabilities: Mapping[str, Floats], labels: Labels) -> dict[str, float]:
    """Weights of the models, summing to 1, with the smallest negative log-likelihood of the weighted vote."""
    stacked = np.stack([values[np.arange(len(labels)), labels] for values in probabilities.values()])

    def negative_log_likelihood(logits: NDArray[np.float64]) -> float:
        return -float(np.log(np.maximum(special.softmax(logits) @ stacked, _FLOOR)).mean())

    found = optimize.minimize(
        negative_log_likelihood, np.zeros(len(stacked)), method="L-BFGS-B", bounds=[(-6, 6)] * len(stacked)
    )
    weights = np.round(special.softmax(found.x), 4)
    return dict(zip(probabilities, (weights / weights.sum()).tolist(), strict=True))


def fitted_votes(probabilities: Mapping[str, Floats], labels: Labels) -> dict[str, Ensemble]:
    """Every method, with its weights, temperature and decision threshold. A majority has nothing to calibrate."""
    equal = dict.fromkeys(probabilities, 1.0)
    votes = {}
    for method, members in (
        ("soft_vote", equal),
        ("weighted_vote", fitted_weights(probabilities, labels)),
        ("majority_vote", equal),
    ):
        plain = voted(method, probabilities, members)
        calibrated = method != "majority_vote"
        temperature = fitted_temperature(np.log(np.maximum(plain, _FLOOR)), labels) if calibrated else 1.0
        threshold = decision_threshold(voted(method, probabilities, members, temperature), labels)
        votes[method] = Ensemble(
            method=method, members=members, temperature=temperature, decision_threshold=threshold, metrics={}
        )
    return votes


def fitted_fusions(found: Mapping[str, Sequence[Boxes]], truth: Sequence[Boxes]) -> dict[str, Ensemble]:
    """Every fusion method with the parameters of the best mAP at an overlap of 0.5, and then its score threshold.

    Suppression keeps the scores that the detectors give; weighted box fusion has weights by how well each one detects.
    """
    strength = {name: max(average_precision(boxes, truth), 0.01) for name, boxes in found.items()}
    equal = dict.fromkeys(strength, 1.0)
    candidates: dict[FusionMethod, list[FusionParameters]] = {
        "weighted_box_fusion": [
            FusionParameters("weighted_box_fusion", _weights(strength, power), overlap=overlap)
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
    fusions: dict[str, Ensemble] = {}
    for method, choices in candidates.items():
        best = max(choices, key=lambda parameters: average_precision(fused(parameters, found), truth))
        fusions[method] = Ensemble(
            method=method,
            members=dict(best.weights),
            decision_threshold=chosen_threshold(fused(best, found), truth),
            overlap=best.overlap,
            sigma=best.sigma,
            member_threshold=MEMBER_THRESHOLD,
            metrics={},
        )
    return fusions


def voted_by(ensemble: Ensemble, probabilities: Mapping[str, Floats]) -> Floats:
    return voted(ensemble.method, probabilities, ensemble.members, ensemble.temperature)


def fused_by(ensemble: Ensemble, found: Mapping[str, Sequence[Boxes]]) -> list[Boxes]:
    """Raises ValueError for an ensemble that does not fuse boxes."""
    return fused(FusionParameters.of(ensemble), found)


def fused(parameters: FusionParameters, found: Mapping[str, Sequence[Boxes]]) -> list[Boxes]:
    """One set of boxes per image, by the function that is served. found: by detector, one entry per image."""
    images = len(next(iter(found.values())))
    return [_fused_image(parameters, {name: rows[index] for name, rows in found.items()}) for index in range(images)]


def _weights(strength: Mapping[str, float], power: float) -> dict[str, float]:
    """Their mean is 1."""
    raised = {name: value**power for name, value in strength.items()}
    mean = sum(raised.values()) / len(raised)
    return {name: round(value / mean, 4) for name, value in raised.items()}


def _fused_image(parameters: FusionParameters, found: Mapping[str, Boxes]) -> Boxes:
    joining = [
        FoundBox(name, tuple(corners.tolist()), float(score), LABELS[label])
        for name, boxes in found.items()
        for corners, score, label in zip(boxes.corners, boxes.scores, boxes.labels, strict=True)
        if score >= MEMBER_THRESHOLD
    ]
    whole = fuse(joining, list(found), parameters)
    return Boxes(
        np.array([box.corners for box in whole], dtype=np.float64).reshape(-1, 4),
        np.array([list[str](LABELS).index(box.label) for box in whole], dtype=np.intp),
        np.array([box.score for box in whole], dtype=np.float64),
    )
