"""Distributions of images and answers on held-out patients: the reference for input drift in the services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.cards import Distribution, Ensemble
from hepar.ensemble.voting import Vote, disagreement
from training.evaluation.ensemble_application import apply_fusion, apply_vote
from training.metrics.classification import Floats
from training.metrics.detection import Boxes

BINS = 10


def vote_reference(
    ensemble: Ensemble, probabilities: Mapping[str, Floats], images: NDArray[np.uint8]
) -> dict[str, Distribution]:
    """Grey mean of the images, confidence and disagreement of the vote.

    probabilities: calibrated, (n, k) by model.  images: (n, h, w).
    """
    labels = tuple(map(str, range(next(iter(probabilities.values())).shape[1])))
    disagreements = [
        disagreement([Vote(name, labels, values[index]) for name, values in probabilities.items()], ensemble.members)[1]
        for index in range(len(images))
    ]
    return {
        "grey_mean": distribution(images.mean(axis=(1, 2))),
        "confidence": distribution(apply_vote(ensemble, probabilities).max(axis=1)),
        "disagreement": distribution(np.array(disagreements)),
    }


def fusion_reference(ensemble: Ensemble, found: Mapping[str, Sequence[Boxes]]) -> dict[str, Distribution]:
    """Number of fused boxes and best score per image. found: by detector, one entry per image."""
    scores_by_image = [
        boxes.scores[boxes.scores >= ensemble.decision_threshold] for boxes in apply_fusion(ensemble, found)
    ]
    return {
        "boxes": distribution(np.array([len(scores) for scores in scores_by_image], dtype=float)),
        "best_score": distribution(np.array([max(scores, default=0.0) for scores in scores_by_image])),
    }


def distribution(values: NDArray[np.floating]) -> Distribution:
    """Shares of the values in bins between their deciles; equal deciles are merged."""
    edges = np.unique(np.round(np.quantile(values, np.arange(1, BINS) / BINS), 4))
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return Distribution(edges=edges.tolist(), shares=np.round(counts / counts.sum(), 4).tolist())
