"""Fitting how the models of one task decide together, on validation data; the deciding itself is hepar.ensemble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from hepar.contracts.cards import Ensemble
from hepar.ensemble.fusion import FoundBox, fuse
from hepar.ensemble.voting import Vote, majority_vote, soft_vote
from training.evaluation.classification import Floats, Labels, decision_threshold, fitted_temperature
from training.evaluation.detection import Boxes, average_precision, chosen_threshold
from training.lesions import LABELS

MEMBER_THRESHOLD = 0.01
FUSIONS: dict[str, tuple[float, ...]] = {
    "weighted_box_fusion": (0.4, 0.5, 0.6),
    "non_maximum_suppression": (0.4, 0.5, 0.6),
    "soft_non_maximum_suppression": (0.1, 0.3, 0.6),
}
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
        verdict = majority_vote(votes, 0) if method == "majority_vote" else soft_vote(votes, 0, weights, temperature)
        rows.append([verdict.probabilities[label] for label in labels])
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


def fitted_vote(probabilities: Mapping[str, Floats], labels: Labels, patients: Sequence[str]) -> Ensemble:
    """Weighted vote where its weights, fitted on one half of the patients, serve the other half better; else soft.

    Then the ensemble's temperature and its decision threshold, on all. A majority has no probabilities to calibrate: it
    is compared in the report and may be asked for, but is not chosen.
    """
    weights = _weights_that_generalise(probabilities, labels, patients)
    method = "weighted_vote" if weights else "soft_vote"
    members = weights or dict.fromkeys(probabilities, 1.0)
    plain = voted(method, probabilities, members)
    temperature = fitted_temperature(np.log(np.maximum(plain, _FLOOR)), labels)
    threshold = decision_threshold(voted(method, probabilities, members, temperature), labels)
    return Ensemble(method=method, members=members, temperature=temperature, decision_threshold=threshold, metrics={})


def fitted_fusion(found: Mapping[str, Sequence[Boxes]], truth: Sequence[Boxes]) -> Ensemble:
    """The method of FUSIONS and its parameter with the best mAP at an overlap of 0.5; then the score threshold."""
    choices = [(method, overlap) for method, overlaps in FUSIONS.items() for overlap in overlaps]
    scores = [average_precision(fused(method, found, overlap), truth) for method, overlap in choices]
    method, overlap = choices[int(np.argmax(scores))]
    return Ensemble(
        method=method,
        members=dict.fromkeys(found, 1.0),
        decision_threshold=chosen_threshold(fused(method, found, overlap), truth),
        overlap=overlap,
        member_threshold=MEMBER_THRESHOLD,
        metrics={},
    )


def fused(method: str, found: Mapping[str, Sequence[Boxes]], overlap: float) -> list[Boxes]:
    """One set of boxes an image, by the very function that is served. found: by detector, one entry an image."""
    images = len(next(iter(found.values())))
    return [
        _fused_image(method, {name: rows[index] for name, rows in found.items()}, overlap) for index in range(images)
    ]


def _fused_image(method: str, found: Mapping[str, Boxes], overlap: float) -> Boxes:
    joining = [
        FoundBox(name, tuple(corners.tolist()), float(score), LABELS[label])
        for name, boxes in found.items()
        for corners, score, label in zip(boxes.corners, boxes.scores, boxes.labels, strict=True)
        if score >= MEMBER_THRESHOLD
    ]
    whole = fuse(method, joining, len(found), overlap)
    return Boxes(
        np.array([box.corners for box in whole], dtype=np.float64).reshape(-1, 4),
        np.array([list[str](LABELS).index(box.label) for box in whole], dtype=np.intp),
        np.array([box.score for box in whole], dtype=np.float64),
    )


def _weights_that_generalise(
    probabilities: Mapping[str, Floats], labels: Labels, patients: Sequence[str]
) -> dict[str, float] | None:
    """Two-fold by patient: None where equal weights do as well on those that the weights were not fitted on."""
    names = np.array(patients)
    halves = np.isin(names, sorted(set(patients))[::2])
    if len(probabilities) < 2 or halves.all() or not halves.any():
        return None
    losses = {"weighted": 0.0, "equal": 0.0}
    for fold in (halves, ~halves):
        weights = fitted_weights({name: values[~fold] for name, values in probabilities.items()}, labels[~fold])
        held = {name: values[fold] for name, values in probabilities.items()}
        for kind, chosen in (("weighted", weights), ("equal", None)):
            losses[kind] += _loss(voted("soft_vote", held, chosen), labels[fold])
    return fitted_weights(probabilities, labels) if losses["weighted"] < losses["equal"] else None


def _loss(probabilities: Floats, labels: Labels) -> float:
    return -float(np.log(np.maximum(probabilities[np.arange(len(labels)), labels], _FLOOR)).sum())
