"""Measures the learning curve: the teacher's head, on features of frozen networks, with ever more patients.

Only the head is trained, so that many subsets of the patients can be tried. The frozen networks were trained
elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.evaluation.learning_curve import CurvePoint
from training.evaluation.validation_votes import COLUMNS, ValidationImages, columns
from training.prepared.dataset import CLASS_LABELS, Example
from training.teacher.features import Extractor, cached_features
from training.teacher.head import choose_regularisation, fit_head

DRAWS = 12
_FEWEST_PATIENTS = 4
_COPY = re.compile(rf"_(?:{'|'.join(CLASS_LABELS)})_(\d+)$")
Vectors = NDArray[np.float32]


def examples_of_patients(examples: Sequence[Example], copies: int) -> list[Example]:
    """Those of known type, with at most `copies` copies of a slice for each label."""
    return [item for item in examples if not item.type_unknown and _copy(item) < copies]


def _copy(example: Example) -> int:
    """Its number from 0, among the copies of its slice with its label."""
    number = _COPY.search(example.name)
    return int(number.group(1)) if number else 0


@dataclass(frozen=True)
class CurveVectors:
    """training: (n, d) of the training examples.  synthesised, real: (m, d) of the images of ValidationImages."""

    training: Vectors
    synthesised: Vectors
    real: Vectors


def vectors_of(
    extractor: Extractor,
    training: tuple[NDArray[np.uint8], NDArray[np.bool_]],
    known: ValidationImages,
    cache: Path,
) -> CurveVectors:
    """training: images and livers, (n, side, side).  cache: an interrupted computation goes on where it was."""
    images, livers = training
    everything = np.concatenate([images, known.images, known.real_images])
    masks = np.concatenate([livers, known.livers, known.real_livers])
    vectors = cached_features(extractor, everything, masks, len(images), cache).vectors
    first, second = len(images), len(images) + len(known.images)
    return CurveVectors(vectors[:first], vectors[first:second], vectors[second:])


def measure_curve(vectors: CurveVectors, examples: Sequence[Example], known: ValidationImages) -> list[CurvePoint]:
    """examples: those of `vectors.training`.

    All patients, then a half, a quarter and so on. With all of them there is one draw; smaller numbers are drawn DRAWS
    times, always in the same way.
    """
    patients = np.array([example.patient for example in examples])
    unique = np.unique(patients)
    points = []
    for count in _counts(len(unique)):
        rows, images = [], []
        for draw in range(DRAWS if count < len(unique) else 1):
            order = np.random.default_rng([count, draw]).permutation(unique)[:count]
            chosen = np.isin(patients, order)
            tuned_on = np.isin(patients, order[: count // 2])
            rows.append(_scores(vectors, examples, chosen, tuned_on, known))
            images.append(int(chosen.sum()))
        scores = {name: [round(row[index], 4) for row in rows] for index, name in enumerate(COLUMNS)}
        points.append(CurvePoint(count, float(np.mean(images)), scores))
    return points


def _counts(patients: int) -> list[int]:
    counts = [patients]
    while counts[-1] // 2 >= _FEWEST_PATIENTS:
        counts.append(counts[-1] // 2)
    return counts[::-1]


def _scores(
    vectors: CurveVectors,
    examples: Sequence[Example],
    chosen: NDArray[np.bool_],
    half: NDArray[np.bool_],
    known: ValidationImages,
) -> list[float]:
    """chosen: (n,) the examples of the drawn patients.  half: those of half of them, which choose the regularisation.

    The validation patients choose nothing.
    """
    values = vectors.training
    targets = np.eye(len(CLASS_LABELS))[[example.label for example in examples]]
    others = chosen & ~half
    regularisation = choose_regularisation(values[others], targets[others], (values[half], targets[half]))
    head = fit_head(values[chosen], targets[chosen], regularisation)
    voted, real = (np.exp(head.log_probabilities(rows)) for rows in (vectors.synthesised, vectors.real))
    return columns(voted, real, known)
