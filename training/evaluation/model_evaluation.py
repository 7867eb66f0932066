"""Evaluation of one model on held-out patients: fitted on the validation part, measured on the test part."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from hepar.contracts.cards import Task
from hepar.contracts.figures import Metric
from hepar.contracts.views import FIELD_MM
from hepar.ensemble.voting import Thresholds
from training.evaluation.ground_truth import boxes_from_rows, true_boxes
from training.evaluation.inference import predict_boxes, predict_logits, run_model_on
from training.evaluation.segmentation import evaluate_segmenter
from training.metrics import classification, detection
from training.metrics.bootstrap import metrics_with_intervals
from training.metrics.detection import Boxes
from training.prepared.dataset import (
    NO_TUMOUR_INDEX,
    image_paths,
    label_indices,
    largest_lesion_sizes,
    located_examples,
    read_images,
    read_manifest,
    read_real_lesions,
    real_lesion_paths,
)

INPUT_CHECK_THRESHOLD = 0.5


@dataclass(frozen=True)
class Evaluation:
    """The result. temperature: 1 for models without one."""

    temperature: float
    decision_threshold: float
    metrics: dict[str, Metric]


def evaluate_model(
    task: Task,
    model: Path | bytes,
    data: Path,
    temperature: float | None,
    threshold: float | None,
    field_mm: float = FIELD_MM,
) -> Evaluation:
    """Fits what is None on the validation part of `data`; the metrics are those of the test part.

    model: the ONNX file, or its bytes.  data: a prepared data set.  field_mm: of a detector's card.
    """
    evaluators: dict[Task, Callable[[Path | bytes, Path, float | None, float | None], Evaluation]] = {
        "classification": _evaluate_classifier,
        "detection": functools.partial(_evaluate_detector, field_mm=field_mm),
        "input_check": _evaluate_input_check,
        "segmentation": _evaluate_segmenter,
    }
    return evaluators[task](model, data, temperature, threshold)


def _evaluate_classifier(
    model: Path | bytes, data: Path, temperature: float | None, threshold: float | None
) -> Evaluation:
    if temperature is None or threshold is None:
        validation = read_manifest(data, "validation")
        logits = predict_logits(model, read_images(image_paths(data, validation)))
        labels = label_indices(validation)
        temperature = temperature or classification.fitted_temperature(logits, labels)
        probabilities = softmax(logits / temperature, axis=1)
        threshold = threshold or classification.fitted_decision_threshold(probabilities, labels)
    test = read_manifest(data, "test")
    probabilities = softmax(predict_logits(model, read_images(image_paths(data, test))) / temperature, axis=1)
    patients = [example.patient for example in test]
    metrics = classification.classification_metrics(
        probabilities, label_indices(test), patients, Thresholds(threshold, threshold), largest_lesion_sizes(test)
    )
    real = read_real_lesions(data)
    if real:
        images = read_images(real_lesion_paths(data, real))
        on_real = softmax(predict_logits(model, images) / temperature, axis=1)
        metrics |= classification.real_lesion_metrics(on_real, [row.patient for row in real])
    return Evaluation(temperature, threshold, metrics)


def _evaluate_detector(
    model: Path | bytes, data: Path, temperature: float | None, threshold: float | None, field_mm: float
) -> Evaluation:
    def find(paths: Sequence[Path]) -> list[Boxes]:
        return predict_boxes(model, read_images(paths), field_mm)

    if threshold is None:
        validation = located_examples(read_manifest(data, "validation"))
        found = find(image_paths(data, validation))
        threshold = detection.fitted_threshold(found, [true_boxes(example) for example in validation])
    test = located_examples(read_manifest(data, "test"))
    metrics = detection.detection_metrics(
        find(image_paths(data, test)),
        [true_boxes(example) for example in test],
        [example.patient for example in test],
        threshold,
    )
    metrics |= real_lesion_detection(find, data, threshold)
    return Evaluation(temperature or 1.0, threshold, metrics)


def _evaluate_input_check(
    model: Path | bytes,
    data: Path,
    temperature: float | None,  # noqa: ARG001  an input check has none
    threshold: float | None,
) -> Evaluation:
    """Its threshold is fitted into its graph, at 0.5."""
    from training.input_check.foreign import foreign_images

    threshold = threshold or INPUT_CHECK_THRESHOLD
    test = read_manifest(data, "test")
    images = read_images(image_paths(data, test))
    groups = {"test_slices": (images, [example.patient for example in test])}
    for name, foreign in foreign_images(images.shape[1]).items():
        groups[name] = (foreign, [str(index) for index in range(len(foreign))])
    metrics: dict[str, Metric] = {}
    for name, (members, sources) in groups.items():
        accepted = np.asarray(run_model_on(model, members)["typicality"])[:, 0] >= threshold
        metrics |= metrics_with_intervals(sources, {f"accepted_{name}": functools.partial(_share, accepted)})
    return Evaluation(1.0, threshold, metrics)


def _evaluate_segmenter(
    model: Path | bytes,
    data: Path,
    temperature: float | None,  # noqa: ARG001  a segmenter has none
    threshold: float | None,
) -> Evaluation:
    threshold, metrics = evaluate_segmenter(model, data, threshold)
    return Evaluation(1.0, threshold, metrics)


def _share(accepted: NDArray[np.bool_], chosen: NDArray[np.intp]) -> float:
    return float(accepted[chosen].mean())


def real_lesion_detection(
    find: Callable[[Sequence[Path]], list[Boxes]], data: Path, threshold: float
) -> dict[str, Metric]:
    """Metrics of a detector or a fusion on the real lesions of held-out patients; empty if there are none.

    find: returns the boxes of each of some image files.
    """
    real = read_real_lesions(data)
    if not real:
        return {}
    healthy = [
        example
        for part in ("validation", "test")
        for example in read_manifest(data, part)
        if example.label == NO_TUMOUR_INDEX
    ]
    return detection.real_lesion_metrics(
        find(real_lesion_paths(data, real)),
        [boxes_from_rows([(0, *box) for box in row.boxes]) for row in real],
        [row.patient for row in real],
        threshold,
        find(image_paths(data, healthy)) if healthy else [],
    )
