"""What answers and images look like on held-out patients: what serving watches for drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.cards import Distribution, Ensemble
from hepar.ensemble.voting import Vote, disagreement
from training.evaluation.classification import Floats
from training.evaluation.detection import Boxes
from training.evaluation.ensemble import fused_by, voted_by

BINS = 10


def vote_reference(
    ensemble: Ensemble, probabilities: Mapping[str, Floats], images: np.ndarray
) -> dict[str, Distribution]:
    """probabilities: calibrated, (n, k) by model.  images: (n, h, w) uint8."""
    labels = tuple(map(str, range(next(iter(probabilities.values())).shape[1])))
    disagreements = [
        disagreement([Vote(name, labels, values[index]) for name, values in probabilities.items()], ensemble.members)[1]
        for index in range(len(images))
    ]
    return {
        "grey_mean": distribution(images.mean(axis=(1, 2))),
        "confidence": distribution(voted_by(ensemble, probabilities).max(axis=1)),
        "disagreement": distribution(np.array(disagreements)),
    }


def fusion_reference(ensemble: Ensemble, found: Mapping[str, Sequence[Boxes]]) -> dict[str, Distribution]:
    """found: by detector, one entry an image."""
    kept = [boxes.scores[boxes.scores >= ensemble.decision_threshold] for boxes in fused_by(ensemble, found)]
    return {
        "boxes": distribution(np.array([len(scores) for scores in kept], dtype=float)),
        "best_score": distribution(np.array([max(scores, default=0.0) for scores in kept])),
    }


def distribution(values: NDArray[np.floating]) -> Distribution:
    """By tenths of the values themselves; where many are alike the bins are fewer."""
    edges = np.unique(np.round(np.quantile(values, np.arange(1, BINS) / BINS), 4))
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return Distribution(edges=edges.tolist(), shares=np.round(counts / counts.sum(), 4).tolist())
