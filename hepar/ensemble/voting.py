"""Calibration and voting: from logits to one decision. Pure; formulas with their sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.cards import Ensemble

NO_TUMOUR = "no_tumour"
"""The label of images without a tumour; the other labels are types of tumour."""
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
class Thresholds:
    """Of the two stages of a decision, 0 to 1.

    tumour: the probability that either answer needs, a tumour or none.  type: the probability that the most probable
    type needs, given a tumour.
    """

    tumour: float
    type: float

    @classmethod
    def of(cls, ensemble: Ensemble) -> Thresholds:
        """Those of a model card's ensemble."""
        by_type = ensemble.type_threshold
        return cls(ensemble.decision_threshold, ensemble.decision_threshold if by_type is None else by_type)


@dataclass(frozen=True)
class Decision:
    """Result of a vote, in two stages: is there a tumour, and of which type is it?

    probabilities: by label, summing to 1.  agreeing_models: number of models whose most probable label is the
    ensemble's.  tumour: None where it is open whether there is one.  label: None where the type is undecided as well.
    """

    probabilities: dict[str, float]
    agreeing_models: int
    tumour: bool | None
    label: str | None

    @property
    def most_probable_label(self) -> str:
        """Most probable type where a tumour is at least as probable as none."""
        return most_probable_label(self.probabilities)

    @property
    def probability(self) -> float:
        """Of the most probable label."""
        return self.probabilities[self.most_probable_label]

    @property
    def tumour_probability(self) -> float | None:
        """None where the models know no label for images without a tumour."""
        return tumour_probability(self.probabilities)

    @property
    def type_probabilities(self) -> dict[str, float]:
        """By type, given a tumour; summing to 1. Empty where the probability of a tumour is 0."""
        return type_probabilities(self.probabilities)


def tumour_probability(probabilities: Mapping[str, float]) -> float | None:
    """Sum over the types. None where there is no label for images without a tumour."""
    if NO_TUMOUR not in probabilities:
        return None
    return min(sum(value for label, value in probabilities.items() if label != NO_TUMOUR), 1.0)


def type_probabilities(probabilities: Mapping[str, float]) -> dict[str, float]:
    """By type, given a tumour (the definition of conditional probability). Empty where a tumour has probability 0."""
    types = {label: value for label, value in probabilities.items() if label != NO_TUMOUR}
    total = sum(types.values())
    return {label: value / total for label, value in types.items()} if total > 0 else {}


def most_probable_label(probabilities: Mapping[str, float]) -> str:
    """The first stage decides between a tumour and none, the second between types; the first of equal ones wins."""
    types, tumour = type_probabilities(probabilities), tumour_probability(probabilities)
    if not types or (tumour is not None and tumour < probabilities[NO_TUMOUR]):
        return NO_TUMOUR
    return max(types, key=types.__getitem__)


def calibrated_probabilities(logits: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Softmax of the logits divided by the temperature (Guo et al., "On calibration", ICML 2017, section 4.2).

    logits: (labels,).  temperature: above 0; 1 changes nothing, higher values bring the probabilities closer together.
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max())
    return np.asarray(exponentials / exponentials.sum())


def soft_vote(
    votes: Sequence[Vote], thresholds: Thresholds, weights: Mapping[str, float] | None = None, temperature: float = 1.0
) -> Decision:
    """Mean of the calibrated probabilities of all models (Kittler et al., "On combining classifiers", 1998).

    Models may order their labels differently, but must have the same ones.
    weights: by model, at least 0; equal where None. Weights of models that did not vote are ignored.
    temperature: of the ensemble, applied to the logarithm of the mean.
    Raises ValueError without votes, with unequal labels, or where the weights of all votes are 0.
    """
    labels = _common_labels(votes)
    mean = np.average([_ordered(vote, labels) for vote in votes], axis=0, weights=_weights_of(votes, weights))
    probabilities = calibrated_probabilities(np.log(np.maximum(mean, _PROBABILITY_MIN)), temperature)
    return _decision(votes, dict(zip(labels, probabilities.tolist(), strict=True)), thresholds)


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


def majority_vote(votes: Sequence[Vote], thresholds: Thresholds) -> Decision:
    """The label that most models rank first. A tie between types is broken by the higher mean probability.

    The decision's probabilities are shares of the votes: a threshold of 0.6 requires three of five.
    Raises ValueError without votes or with unequal labels.
    """
    labels = _common_labels(votes)
    mean = np.mean([_ordered(vote, labels) for vote in votes], axis=0)
    count = Counter(vote.label for vote in votes)
    shares = {label: count[label] / len(votes) for label in labels}
    order = sorted(range(len(labels)), key=lambda index: (shares[labels[index]], mean[index]), reverse=True)
    return _decision(votes, {labels[index]: shares[labels[index]] for index in order}, thresholds)


def _common_labels(votes: Sequence[Vote]) -> tuple[str, ...]:
    if not votes:
        raise ValueError("no votes")
    labels = votes[0].labels
    if any(set(vote.labels) != set(labels) for vote in votes):
        raise ValueError("the models do not have the same labels")
    return labels


def _ordered(vote: Vote, labels: tuple[str, ...]) -> NDArray[np.float64]:
    return vote.probabilities[[vote.labels.index(label) for label in labels]]


def _decision(votes: Sequence[Vote], probabilities: dict[str, float], thresholds: Thresholds) -> Decision:
    """Of labels with equal probabilities, the first in `probabilities` is the most probable one."""
    first = most_probable_label(probabilities)
    agreeing = Counter(vote.label for vote in votes)[first]
    probability, types = tumour_probability(probabilities), type_probabilities(probabilities)
    if probability is None:  # the models know types only: the second stage is all there is
        return Decision(probabilities, agreeing, None, first if types[first] >= thresholds.type else None)
    if probability >= thresholds.tumour and first != NO_TUMOUR:
        return Decision(probabilities, agreeing, True, first if types[first] >= thresholds.type else None)
    if probabilities[NO_TUMOUR] >= thresholds.tumour and first == NO_TUMOUR:
        return Decision(probabilities, agreeing, False, NO_TUMOUR)
    return Decision(probabilities, agreeing, None, None)
