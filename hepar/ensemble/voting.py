"""Calibration and voting: from logits to one decision. Pure; formulas with their sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PROBABILITY_MIN = 1e-12


@dataclass(frozen=True)
class Vote:
    """One model's calibrated result. probabilities: (labels,), summing to 1, in the order of `labels`."""

    model: str
    labels: tuple[str, ...]
    probabilities: NDArray[np.float64]

    @property
    def label(self) -> str:
        """The most probable label."""
        return self.labels[int(self.probabilities.argmax())]


@dataclass(frozen=True)
class Decision:
    """Result of a vote.

    probabilities: by label, summing to 1.  agreeing_models: number of models whose most probable label is the
    ensemble's.  decided: whether that label's probability reaches the threshold.
    """

    most_probable_label: str
    probabilities: dict[str, float]
    agreeing_models: int
    decided: bool

    @property
    def probability(self) -> float:
        """Of the most probable label."""
        return self.probabilities[self.most_probable_label]


def calibrated_probabilities(logits: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Softmax of the logits divided by the temperature (Guo et al., "On calibration", ICML 2017, section 4.2).

    logits: (labels,).  temperature: above 0; 1 changes nothing, higher values bring the probabilities closer together.
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max())
    return np.asarray(exponentials / exponentials.sum())


def soft_vote(
    votes: Sequence[Vote], threshold: float, weights: Mapping[str, float] | None = None, temperature: float = 1.0
) -> Decision:
    """Mean of the calibrated probabilities of all models (Kittler et al., "On combining classifiers", 1998).

    Models may order their labels differently, but must have the same ones.
    threshold: 0..1; with a lower probability the decision is not `decided`.
    weights: by model, at least 0; equal where None. Weights of models that did not vote are ignored.
    temperature: of the ensemble, applied to the logarithm of the mean.
    Raises ValueError without votes, with unequal labels, or where the weights of all votes are 0.
    """
    labels = _common_labels(votes)
    mean = np.average([_ordered(vote, labels) for vote in votes], axis=0, weights=_weights_of(votes, weights))
    probabilities = calibrated_probabilities(np.log(np.maximum(mean, _PROBABILITY_MIN)), temperature)
    return _decision(votes, dict(zip(labels, probabilities.tolist(), strict=True)), threshold)


def disagreement(votes: Sequence[Vote], weights: Mapping[str, float] | None = None) -> tuple[float, float]:
    """Entropy of the mean of the votes, and the part of it that is due to disagreement; both in nats.

    The second is the mutual information of label and model: the entropy of the mean minus the mean entropy (Depeweg et
    al., ICML 2018, eq. 2, after Houlsby et al., 2011). It is 0 where all models agree, however uncertain they are.
    weights: see `soft_vote`.  Raises ValueError under the same conditions.
    """
    labels = _common_labels(votes)
    used = _weights_of(votes, weights)
    probabilities = np.array([_ordered(vote, labels) for vote in votes])
    entropy_of_mean = _entropy(np.average(probabilities, axis=0, weights=used))
    mean_entropy = float(np.average([_entropy(row) for row in probabilities], weights=used))
    return entropy_of_mean, max(entropy_of_mean - mean_entropy, 0.0)


def _entropy(probabilities: NDArray[np.float64]) -> float:
    return float(-(probabilities * np.log(np.maximum(probabilities, _PROBABILITY_MIN))).sum())


def _weights_of(votes: Sequence[Vote], weights: Mapping[str, float] | None) -> list[float]:
    """One weight per vote. Raises ValueError where all are 0."""
    used = [1.0 if weights is None else weights.get(vote.model, 0.0) for vote in votes]
    if sum(used) <= 0:
        raise ValueError("no vote has a weight")
    return used


def majority_vote(votes: Sequence[Vote], threshold: float) -> Decision:
    """The label that most models rank first; a tie is broken by the higher mean probability.

    The decision's probabilities are shares of the votes: a `threshold` of 0.6 requires three of five.
    Raises ValueError without votes or with unequal labels.
    """
    labels = _common_labels(votes)
    mean = np.mean([_ordered(vote, labels) for vote in votes], axis=0)
    count = Counter(vote.label for vote in votes)
    shares = {label: count[label] / len(votes) for label in labels}
    first = max(range(len(labels)), key=lambda index: (shares[labels[index]], mean[index]))
    return _decision(votes, {labels[first]: shares[labels[first]]} | shares, threshold)


def _common_labels(votes: Sequence[Vote]) -> tuple[str, ...]:
    if not votes:
        raise ValueError("no votes")
    labels = votes[0].labels
    if any(set(vote.labels) != set(labels) for vote in votes):
        raise ValueError("the models do not have the same labels")
    return labels


def _ordered(vote: Vote, labels: tuple[str, ...]) -> NDArray[np.float64]:
    return vote.probabilities[[vote.labels.index(label) for label in labels]]


def _decision(votes: Sequence[Vote], probabilities: dict[str, float], threshold: float) -> Decision:
    """Of labels with equal probabilities, the first in `probabilities` is the most probable one."""
    most_probable = max(probabilities, key=probabilities.__getitem__)
    agreeing = Counter(vote.label for vote in votes)[most_probable]
    return Decision(most_probable, probabilities, agreeing, probabilities[most_probable] >= threshold)
