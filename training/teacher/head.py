"""The teacher's head: a linear classifier on the features of frozen networks, with probabilities across patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax
from torch import Tensor
from torch.nn import functional

REGULARISATIONS = (0.03, 0.1, 0.3, 1.0, 3.0)
FOLDS = 5
_ITERATIONS = 60
Floats = NDArray[np.float64]
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Head:
    """logits = standardised vectors @ weights + bias."""

    mean: Tensor
    deviation: Tensor
    weights: Tensor
    bias: Tensor

    def log_probabilities(self, vectors: Vectors) -> Floats:
        """(n, labels)."""
        standard = (torch.from_numpy(vectors) - self.mean) / self.deviation
        logits = (standard @ self.weights + self.bias).numpy().astype(np.float64)
        return np.asarray(log_softmax(logits, axis=1))


def fit_head(vectors: Vectors, targets: Floats, regularisation: float) -> Head:
    """Multinomial logistic regression by L-BFGS.

    vectors: (n, d).  targets: (n, labels) probabilities; each label counts the same in sum.
    regularisation: factor of the sum of the squared weights.
    """
    values, goal = torch.from_numpy(vectors), torch.from_numpy(targets.astype(np.float32))
    mean, deviation = values.mean(0), values.std(0).clamp(min=1e-6)
    standard = (values - mean) / deviation
    balance = goal.shape[0] / goal.shape[1] / goal.sum(0).clamp(min=1e-6)
    weights = torch.zeros(standard.shape[1], goal.shape[1], requires_grad=True)
    bias = torch.zeros(goal.shape[1], requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        surprise = -(goal * balance * functional.log_softmax(standard @ weights + bias, dim=1)).sum(1).mean()
        total = surprise + regularisation * weights.square().sum()
        total.backward()
        return total

    optimiser.step(loss)
    return Head(mean, deviation, weights.detach(), bias.detach())


def choose_regularisation(vectors: Vectors, targets: Floats, validation: tuple[Vectors, Floats]) -> float:
    """The one of REGULARISATIONS with the lowest log loss on validation patients."""
    seen, goal = validation

    def log_loss(regularisation: float) -> float:
        head = fit_head(vectors, targets, regularisation)
        return -float((goal * head.log_probabilities(seen)).sum(1).mean())

    return min(REGULARISATIONS, key=log_loss)


def probabilities_across_patients(
    vectors: Vectors, targets: Floats, patients: Sequence[str], known: NDArray[np.bool_], regularisation: float
) -> Floats:
    """(n, labels) for each image, from a head that was fitted without its patient.

    A head knows the images that it was fitted on too well to teach anything more than their labels.
    known: (n,) the images that heads are fitted on.
    """
    unique = sorted(set(patients))
    fold_of = {patient: index % FOLDS for index, patient in enumerate(unique)}
    folds = np.array([fold_of[patient] for patient in patients])
    found = np.zeros_like(targets)
    for fold in range(FOLDS):
        others = (folds != fold) & known
        head = fit_head(vectors[others], targets[others], regularisation)
        found[folds == fold] = np.exp(head.log_probabilities(vectors[folds == fold]))
    return found
