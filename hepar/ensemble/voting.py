"""Calibration and voting: from logits to one verdict. Pure; formulas with their sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
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


def soft_vote(
    votes: Sequence[Vote], threshold: float, weights: Mapping[str, float] | None = None, temperature: float = 1.0
) -> Verdict:
    """Mean of the calibrated probabilities of all models (Kittler et al., "On combining classifiers", 1998).

    Models may order their labels differently, but must have the same ones.
    threshold: 0..1; below it the verdict is `indeterminate`.
    weights: by model, at least 0; equal where None. Those of models that did not vote do not count.
    temperature: of the ensemble, applied to the logarithm of the mean.
    Raises ValueError without votes, with unequal labels, or where all weights are 0.
    """
    labels = _common_labels(votes)
    own = [1.0 if weights is None else weights.get(vote.model, 0.0) for vote in votes]
    if sum(own) <= 0:
        raise ValueError("no vote has a weight")
    mean = np.average([_ordered(vote, labels) for vote in votes], axis=0, weights=own)
    probabilities = calibrated_probabilities(np.log(np.maximum(mean, 1e-12)), temperature)
    return _verdict(votes, dict(zip(labels, probabilities.tolist(), strict=True)), threshold)


def disagreement(votes: Sequence[Vote], weights: Mapping[str, float] | None = None) -> tuple[float, float]:
    """Entropy of the mean of the votes, and how much of it is the models' disagreement; both in nats.

    The second is the mutual information of label and model: the entropy of the mean less the mean entropy (Depeweg et
    al., ICML 2018, eq. 2, after Houlsby et al., 2011). It is 0 where all say the same, however unsure they are.
    weights: as of `soft_vote`.  Raises ValueError as it does.
    """
    labels = _common_labels(votes)
    own = [1.0 if weights is None else weights.get(vote.model, 0.0) for vote in votes]
    if sum(own) <= 0:
        raise ValueError("no vote has a weight")
    opinions = np.array([_ordered(vote, labels) for vote in votes])
    whole = _entropy(np.average(opinions, axis=0, weights=own))
    own_entropy = float(np.average([_entropy(opinion) for opinion in opinions], weights=own))
    return whole, max(whole - own_entropy, 0.0)


def _entropy(probabilities: NDArray[np.float64]) -> float:
    return float(-(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum())


def majority_vote(votes: Sequence[Vote], threshold: float) -> Verdict:
    """The label that most models put first; where two have as many, the one with the higher mean probability.

    The verdict's probabilities are shares of the votes: `threshold` 0.6 asks for three of five.
    Raises ValueError without votes or with unequal labels.
    """
    labels = _common_labels(votes)
    mean = np.mean([_ordered(vote, labels) for vote in votes], axis=0)
    count = Counter(vote.label for vote in votes)
    shares = {label: count[label] / len(votes) for label in labels}
    first = max(range(len(labels)), key=lambda index: (shares[labels[index]], mean[index]))
    return _verdict(votes, {labels[first]: shares[labels[first]]} | shares, threshold)


def _common_labels(votes: Sequence[Vote]) -> tuple[str, ...]:
    if not votes:
        raise ValueError("no votes")
    labels = votes[0].labels
    if any(set(vote.labels) != set(labels) for vote in votes):
        raise ValueError("the models do not have the same labels")
    return labels


def _ordered(vote: Vote, labels: tuple[str, ...]) -> NDArray[np.float64]:
    return vote.probabilities[[vote.labels.index(label) for label in labels]]


def _verdict(votes: Sequence[Vote], probabilities: dict[str, float], threshold: float) -> Verdict:
    """Of labels with the same probability the first wins."""
    most_probable = max(probabilities, key=probabilities.__getitem__)
    agreeing = Counter(vote.label for vote in votes)[most_probable]
    decided = probabilities[most_probable] >= threshold
    return Verdict(most_probable if decided else INDETERMINATE, most_probable, probabilities, agreeing)
