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


def chosen_vote(probabilities: Mapping[str, Floats], labels: Labels, patients: Sequence[str]) -> str:
    """Weighted where weights fitted on one half of the patients serve the other half better than equal ones; else soft.

    A majority is compared in the report and may be asked for, but has no probabilities to tell how sure it is.
    """
    names = np.array(patients)
    halves = np.isin(names, sorted(set(patients))[::2])
    if len(probabilities) < 2 or halves.all() or not halves.any():
        return "soft_vote"
    losses = {"weighted_vote": 0.0, "soft_vote": 0.0}
    for fold in (halves, ~halves):
        weights = fitted_weights({name: values[~fold] for name, values in probabilities.items()}, labels[~fold])
        held = {name: values[fold] for name, values in probabilities.items()}
        for method, members in (("weighted_vote", weights), ("soft_vote", None)):
            losses[method] += _loss(voted(method, held, members), labels[fold])
    return "weighted_vote" if losses["weighted_vote"] < losses["soft_vote"] else "soft_vote"


def fitted_fusions(found: Mapping[str, Sequence[Boxes]], truth: Sequence[Boxes]) -> dict[str, Ensemble]:
    """Every method of FUSIONS with the parameter of the best mAP at an overlap of 0.5, and then its score threshold."""
    fusions = {}
    for method, overlaps in FUSIONS.items():
        best = max(overlaps, key=lambda overlap: average_precision(fused(method, found, overlap), truth))
        fusions[method] = Ensemble(
            method=method,
            members=dict.fromkeys(found, 1.0),
            decision_threshold=chosen_threshold(fused(method, found, best), truth),
            overlap=best,
            member_threshold=MEMBER_THRESHOLD,
            metrics={},
        )
    return fusions


def chosen_fusion(fusions: Mapping[str, Ensemble], found: Mapping[str, Sequence[Boxes]], truth: Sequence[Boxes]) -> str:
    """The method with the best mAP; of equals the first, weighted box fusion."""
    return max(fusions, key=lambda method: average_precision(fused_by(fusions[method], found), truth))


def voted_by(ensemble: Ensemble, probabilities: Mapping[str, Floats]) -> Floats:
    return voted(ensemble.method, probabilities, ensemble.members, ensemble.temperature)


def fused_by(ensemble: Ensemble, found: Mapping[str, Sequence[Boxes]]) -> list[Boxes]:
    """Raises ValueError for an ensemble that fuses no boxes."""
    if ensemble.overlap is None:
        raise ValueError(f"{ensemble.method} has no overlap to fuse by")
    return fused(ensemble.method, found, ensemble.overlap)


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


def _loss(probabilities: Floats, labels: Labels) -> float:
    return -float(np.log(np.maximum(probabilities[np.arange(len(labels)), labels], _FLOOR)).sum())
