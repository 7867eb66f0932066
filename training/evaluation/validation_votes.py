"""Votes of classifiers on validation patients, with the evidence in the liver: what decides whether networks ship."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from sklearn.metrics import roc_auc_score

from training.evaluation.gate_fitting import liver_masks
from training.evaluation.inference import run_model_on
from training.evaluation.judged_slices import RealSlice
from training.evaluation.liver_pooling import fit_liver_pooling
from training.evaluation.perturbations import PERTURBATIONS
from training.evaluation.shipped_models import all_logits_in_liver
from training.metrics.classification import (
    Floats,
    Labels,
    expected_calibration_error,
    fitted_temperature,
    given_a_tumour,
    size_matched_weights,
)
from training.prepared.dataset import (
    NO_TUMOUR_INDEX,
    image_paths,
    label_indices,
    largest_lesion_sizes,
    read_images,
    read_manifest,
)

FOLDS = 7
COLUMNS = (
    "accuracy", "log loss", "type, sizes matched", "tumour AUC", "tumour AUC, real slices", "tumour calibration error",
    "type calibration error",
)  # fmt: skip
VOTE_COLUMNS = (*COLUMNS, "accuracy, perturbed images")
_SMALLEST = 1e-12
Model = Path | bytes


@dataclass(frozen=True)
class ValidationImages:
    """labels, sizes, folds: (n,) of the synthesised images.  real: labels 1 for a slice with a real lesion, else 0."""

    images: NDArray[np.uint8]
    livers: NDArray[np.bool_]
    labels: Labels
    sizes: Floats
    folds: Labels
    real_images: NDArray[np.uint8]
    real_livers: NDArray[np.bool_]
    real_labels: Labels


@dataclass(frozen=True)
class PerturbedImages:
    """Copies of the synthesised images by one of PERTURBATIONS, and the livers that are found in them."""

    images: NDArray[np.uint8]
    livers: NDArray[np.bool_]


@dataclass(frozen=True)
class Member:
    """Logits in the liver: synthesised (n, 3), real (m, 3), perturbed: (n, 3) of each perturbation."""

    synthesised: Floats
    real: Floats
    perturbed: tuple[Floats, ...]


def validation_images(data: Path, slices: Sequence[RealSlice], segmenter: Path) -> ValidationImages:
    """Validation images of a prepared data set, and those of `slices` that are of validation patients.

    segmenter: its ONNX file. Slices where a lesion is not sure are left out.
    """
    examples = read_manifest(data, "validation")
    images = read_images(image_paths(data, examples))
    patients = sorted({example.patient for example in examples})
    known = [
        item
        for item in slices
        if item.item.part == "validation" and item.item.kind != "no_liver" and (item.lesion_free or item.lesions)
    ]
    real = np.stack([item.grey for item in known])
    return ValidationImages(
        images,
        liver_masks(segmenter, images),
        label_indices(examples),
        largest_lesion_sizes(examples),
        np.array([patients.index(example.patient) % FOLDS for example in examples]),
        real,
        liver_masks(segmenter, real),
        np.array([int(bool(item.lesions)) for item in known]),
    )


def perturbed_images(known: ValidationImages, segmenter: Path) -> list[PerturbedImages]:
    """The synthesised images under each perturbation, with the livers that the segmenter finds in them."""
    copies = [np.stack([perturb(image) for image in known.images]) for perturb in PERTURBATIONS.values()]
    return [PerturbedImages(images, liver_masks(segmenter, images)) for images in copies]


def member(model: Model, known: ValidationImages, perturbed: Sequence[PerturbedImages]) -> Member:
    """The logits of one network. Raises UnusableData if they are not pooled from its activation map."""
    pooling = fit_liver_pooling(model, known.images, known.livers, known.labels)

    def logits(images: NDArray[np.uint8], livers: NDArray[np.bool_]) -> Floats:
        return all_logits_in_liver(run_model_on(model, images)["activation"], livers, pooling)

    return Member(
        logits(known.images, known.livers),
        logits(known.real_images, known.real_livers),
        tuple(logits(item.images, item.livers) for item in perturbed),
    )


def choices(shipped: Mapping[str, Member], trained: Mapping[str, Member]) -> dict[str, dict[str, Member]]:
    """Votes with some of the trained networks in the place of the shipped ones, neither none nor all."""
    return {
        f"of the run: {', '.join(chosen)}: vote": {**shipped, **{name: trained[name] for name in chosen}}
        for count in range(1, len(trained))
        for chosen in combinations(trained, count)
    }


def scores(members: Mapping[str, Member], known: ValidationImages) -> list[float]:
    """VOTE_COLUMNS of the soft vote; temperatures of other patients than those that they are applied to.

    For real slices and perturbed images, the temperatures are fitted on all unperturbed synthesised images.
    """
    voted = np.zeros_like(next(iter(members.values())).synthesised)
    for fold in np.unique(known.folds):
        held_out = known.folds == fold
        voted[held_out] = _vote([item.synthesised for item in members.values()], known.labels, ~held_out)[held_out]
    count, others = len(known.labels), [np.vstack([item.real, *item.perturbed]) for item in members.values()]
    fitted_on = np.arange(count + len(others[0])) < count
    labels = np.concatenate([known.labels, np.zeros(len(others[0]), dtype=np.intp)])
    logits = [np.vstack([item.synthesised, rows]) for item, rows in zip(members.values(), others, strict=True)]
    real, perturbed = np.split(_vote(logits, labels, fitted_on)[count:], [len(known.real_labels)])
    right = perturbed.reshape(-1, *voted.shape).argmax(axis=2) == known.labels
    return [*columns(voted, real, known), float(right.mean())]


def _vote(logits: Sequence[Floats], labels: Labels, fitted_on: NDArray[np.bool_]) -> Floats:
    """(n, 3) probabilities of the soft vote, with the temperatures of `fitted_on`."""
    mean = np.mean([_calibrated(rows, labels, fitted_on) for rows in logits], axis=0)
    return _calibrated(np.log(np.maximum(mean, _SMALLEST)), labels, fitted_on)


def _calibrated(logits: Floats, labels: Labels, fitted_on: NDArray[np.bool_]) -> Floats:
    temperature = fitted_temperature(logits[fitted_on], labels[fitted_on])
    return np.asarray(softmax(logits / temperature, axis=1))


def columns(voted: Floats, real: Floats, known: ValidationImages) -> list[float]:
    """COLUMNS. voted: (n, 3) probabilities of the synthesised images.  real: (m, 3) of the real slices."""
    labels, tumour = known.labels, known.labels != NO_TUMOUR_INDEX
    correct, without = voted.argmax(axis=1) == labels, voted[:, NO_TUMOUR_INDEX]
    types = given_a_tumour(voted)[tumour]
    log_probabilities = log_softmax(np.log(np.maximum(voted, _SMALLEST)), axis=1)
    return [
        float(correct.mean()),
        -float(log_probabilities[np.arange(len(labels)), labels].mean()),
        float(np.average(correct, weights=size_matched_weights(labels, known.sizes))),
        float(roc_auc_score(tumour, 1 - without)),
        float(roc_auc_score(known.real_labels, 1 - real[:, NO_TUMOUR_INDEX])),
        expected_calibration_error(np.maximum(without, 1 - without), (without <= 0.5) == tumour),
        expected_calibration_error(types.max(axis=1), types.argmax(axis=1) == labels[tumour]),
    ]
