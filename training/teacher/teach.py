"""Runs the teacher on prepared images: frozen features, a head on training patients, what it says about each image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.configuration import Configuration, TeacherConfiguration
from training.packages import require_packages
from training.prepared.dataset import (
    NO_TUMOUR_INDEX,
    Example,
    data_fingerprint,
    image_paths,
    label_indices,
    read_images,
    read_manifest,
    training_labels,
)
from training.teacher.features import Extractor, Features, cached_features
from training.teacher.head import Floats, Head, choose_regularisation, fit_head, probabilities_across_patients
from training.teacher.lessons import Lessons
from training.teacher.livers import FindLivers, livers_of
from training.teacher.networks import FeatureNetwork, imagenet_networks, pretrained_networks, random_networks
from training.teacher.weights import MOBILENET, PACKAGES, provenance

WEIGHTS_CACHE = Path("var/teacher-weights")
RANDOM_PROVENANCE = "an untrained network, for tests"
_THREADS = 1


@dataclass(frozen=True)
class Teacher:
    """head: fitted on all training patients, to measure it.  validation: (n, labels) its probabilities there."""

    lessons: Lessons
    head: Head
    regularisation: float
    validation: Floats


def teach(configuration: Configuration, data: Path, find_livers: FindLivers | None, cache: Path) -> Teacher:
    """What the configured teacher says about each training image of a prepared data set.

    find_livers: without it, the features are those of the whole image.
    cache: folder for the features, which take most of the time.
    Raises UnusableData if the weights cannot be had, and ValueError without [classifier.teacher].
    """
    settings = configuration.classifier.teacher
    if settings is None:
        raise ValueError("the configuration has no [classifier.teacher]")
    torch.set_num_threads(_THREADS)
    train, validation = read_manifest(data, "train"), read_manifest(data, "validation")
    networks = networks_of(settings, configuration)
    examples = train + validation
    images = read_images(image_paths(data, examples))
    livers = np.ones(images.shape, dtype=bool) if find_livers is None else livers_of(examples, images, find_livers)
    window = (configuration.data.window_low_hu, configuration.data.window_high_hu)
    features = cached_features(Extractor(networks, window), images, livers, len(train), cache / settings.networks)
    return _taught(train, validation, features, data, provenance_of(settings))


def known_types(examples: list[Example]) -> NDArray[np.bool_]:
    """(n,) whether the label of each example is known, and not one of both types under which its slice appears."""
    return np.array([not example.type_unknown for example in examples])


def _taught(
    train: list[Example], validation: list[Example], features: Features, data: Path, provenance_text: str
) -> Teacher:
    labels, count = len(training_labels(data)), len(train)
    targets, held_out = np.eye(labels)[label_indices(train)], np.eye(labels)[label_indices(validation)]
    known, vectors = known_types(train), features.vectors[:count]
    seen = (features.vectors[count:], held_out)
    regularisation = choose_regularisation(vectors[known], targets[known], seen)
    patients = [example.patient for example in train]
    probabilities = probabilities_across_patients(vectors, targets, patients, known, regularisation)
    probabilities[~known] = without_type(probabilities[~known])
    head = fit_head(vectors[known], targets[known], regularisation)
    lessons = Lessons(
        names=tuple(example.name for example in train),
        probabilities=probabilities.astype(np.float32),
        maps=features.maps[:count],
        livers=features.livers[:count],
        data_sha256=data_fingerprint(data),
        provenance=provenance_text,
    )
    return Teacher(lessons, head, regularisation, np.exp(head.log_probabilities(seen[0])))


def without_type(probabilities: Floats) -> Floats:
    """The probability of a tumour shared equally by both types."""
    even = probabilities.copy()
    even[:, :NO_TUMOUR_INDEX] = probabilities[:, :NO_TUMOUR_INDEX].mean(axis=1, keepdims=True)
    return even


def networks_of(settings: TeacherConfiguration, configuration: Configuration) -> list[FeatureNetwork]:
    """The configured networks. Raises UnusableData if their weights cannot be had."""
    data = configuration.data
    if settings.networks == "random":
        return random_networks(data.seed)
    small = settings.networks == "imagenet"
    folder, window_hu = settings.weights or WEIGHTS_CACHE, (data.window_low_hu, data.window_high_hu)
    require_packages(folder, (MOBILENET,) if small else PACKAGES, download=settings.weights is None)
    return imagenet_networks(folder, window_hu) if small else pretrained_networks(folder, window_hu)


def provenance_of(settings: TeacherConfiguration) -> str:
    if settings.networks == "imagenet":
        return MOBILENET.sentence
    return provenance() if settings.networks == "pretrained" else RANDOM_PROVENANCE
