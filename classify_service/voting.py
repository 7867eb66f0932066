"""Calibration and voting: from logits to one verdict. Pure; formulas with their sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

INDETERMINATE = "indeterminate"


@dataclass(frozen=True)
class Vote:
    """One model's calibrated opinion. probabilities: (labels,), summing to 1, in the order of `labels`."""

    model: str
    labels: tuple[str, ...]
    probabilities: NDArray[np.float64]

    @property
    def label(self) -> str:
        return self.labels[int(self.probabilities.argmax())]


@dataclass(frozen=True)
class Verdict:
    """label: the most probable one, or `indeterminate` when its probability is below the threshold.

    agreeing: how many models put the most probable label first.
    """

    label: str
    most_probable: str
    probabilities: dict[str, float]
    agreeing: int


def calibrated_probabilities(logits: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Softmax of the logits divided by the temperature (Guo et al., "On calibration", ICML 2017, section 4.2).

    logits: (labels,).  temperature: above 0; 1 changes nothing, more makes the model less sure.
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max())
    return np.asarray(exponentials / exponentials.sum())


def soft_vote(votes: Sequence[Vote], threshold: float) -> Verdict:
    """Mean of the calibrated probabilities of all models (Kittler et al., "On combining classifiers", 1998).

    Models may order their labels differently, but must have the same ones.
    threshold: 0..1; below it the verdict is `indeterminate`.
    Raises ValueError without votes or with unequal labels.
    """
    if not votes:
        raise ValueError("no votes")
    labels = votes[0].labels
    if any(set(vote.labels) != set(labels) for vote in votes):
        raise ValueError("the models do not have the same labels")
    opinions = [dict(zip(vote.labels, vote.probabilities, strict=True)) for vote in votes]
    mean = {label: float(np.mean([opinion[label] for opinion in opinions])) for label in labels}
    most_probable = max(mean, key=mean.__getitem__)
    agreeing = Counter(vote.label for vote in votes)[most_probable]
    decided = mean[most_probable] >= threshold
    return Verdict(most_probable if decided else INDETERMINATE, most_probable, mean, agreeing)
