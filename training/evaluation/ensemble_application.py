"""Applies voting and box fusion, by the functions that the services use, to all images of a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hepar.contracts.cards import Ensemble
from hepar.ensemble.fusion import FoundBox, FusionParameters, fuse
from hepar.ensemble.voting import Thresholds, Vote, majority_vote, soft_vote
from training.lesions import LABELS
from training.metrics.classification import Floats
from training.metrics.detection import Boxes

MEMBER_THRESHOLD = 0.01
_NO_THRESHOLDS = Thresholds(0, 0)


def apply_vote(ensemble: Ensemble, probabilities: Mapping[str, Floats]) -> Floats:
    """The ensemble's probabilities (n, k). probabilities: calibrated, by model."""
    return vote_on_all(ensemble.method, probabilities, ensemble.members, ensemble.temperature)


def apply_fusion(ensemble: Ensemble, found: Mapping[str, Sequence[Boxes]]) -> list[Boxes]:
    """The fused boxes of each image. Raises ValueError for an ensemble that does not fuse boxes."""
    return fuse_all(FusionParameters.of(ensemble), found)


def vote_on_all(
    method: str,
    probabilities: Mapping[str, Floats],
    weights: Mapping[str, float] | None = None,
    temperature: float = 1.0,
) -> Floats:
    """The ensemble's probabilities (n, k). probabilities: calibrated, by model."""
    images, count = next(iter(probabilities.values())).shape
    labels = tuple(map(str, range(count)))
    rows = []
    for index in range(images):
        votes = [Vote(name, labels, values[index]) for name, values in probabilities.items()]
        decision = (
            majority_vote(votes, _NO_THRESHOLDS)
            if method == "majority_vote"
            else soft_vote(votes, _NO_THRESHOLDS, weights, temperature)
        )
        rows.append([decision.probabilities[label] for label in labels])
    return np.array(rows)


def fuse_all(parameters: FusionParameters, found: Mapping[str, Sequence[Boxes]]) -> list[Boxes]:
    """The fused boxes of each image. found: by detector, one entry per image."""
    images = len(next(iter(found.values())))
    return [_fuse_image(parameters, {name: boxes[index] for name, boxes in found.items()}) for index in range(images)]


def _fuse_image(parameters: FusionParameters, found: Mapping[str, Boxes]) -> Boxes:
    candidates = [
        FoundBox(name, tuple(corners.tolist()), float(score), LABELS[label])
        for name, boxes in found.items()
        for corners, score, label in zip(boxes.corners, boxes.scores, boxes.labels, strict=True)
        if score >= MEMBER_THRESHOLD
    ]
    fused = fuse(candidates, list(found), parameters)
    return Boxes(
        np.array([box.corners for box in fused], dtype=np.float64).reshape(-1, 4),
        np.array([list[str](LABELS).index(box.label) for box in fused], dtype=np.intp),
        np.array([box.score for box in fused], dtype=np.float64),
    )
