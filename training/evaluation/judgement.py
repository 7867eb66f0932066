"""What held-out patients say of one model: fitted on the validation part, measured on the test part."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from hepar.contracts.cards import Metric, Task
from training.evaluation import classification, detection
from training.evaluation.bootstrap import figures
from training.evaluation.detection import Boxes
from training.evaluation.served import read_images, run_model_on
from training.prepare import CLASS_LABELS, NO_TUMOUR, Example, read_manifest, read_real_lesions

INPUT_CHECK_THRESHOLD = 0.5


@dataclass(frozen=True)
class Judgement:
    temperature: float
    decision_threshold: float
    metrics: dict[str, Metric]


def judge(
    task: Task,
    model: Path | bytes,
    data: Path,
    temperature: float | None,
    threshold: float | None,
) -> Judgement:
    """Fits what is None on the validation part of `data`; the figures are of the test part."""
    judges = {"classification": _judge_classifier, "detection": _judge_detector, "input_check": _judge_input_check}
    return judges[task](model, data, temperature, threshold)


def logits_of(model: Path | bytes, images: Sequence[Path]) -> NDArray[np.float64]:
    """(n, labels) of prepared images."""
    return logits_on(model, read_images(images))


def logits_on(model: Path | bytes, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The same for images (n, h, w)."""
    return np.asarray(run_model_on(model, images)["logits"], dtype=np.float64)


def boxes_of(model: Path | bytes, images: Sequence[Path]) -> list[Boxes]:
    """What a detector finds on prepared images, rows without a score left out."""
    return boxes_on(model, read_images(images))


def boxes_on(model: Path | bytes, images: NDArray[np.uint8]) -> list[Boxes]:
    """The same for images (n, h, w)."""
    answers = run_model_on(model, images)
    rows = zip(answers["boxes"], answers["labels"], answers["scores"], strict=True)
    return [
        Boxes(boxes[scores > 0].astype(float), labels[scores > 0], scores[scores > 0].astype(float))
        for boxes, labels, scores in rows
    ]


def image_paths(data: Path, examples: Sequence[Example]) -> list[Path]:
    return [data / example.part / "images" / f"{example.name}.png" for example in examples]


def labels_array(examples: Sequence[Example]) -> NDArray[np.intp]:
    return np.array([example.label for example in examples], dtype=np.intp)


def largest_lesions(examples: Sequence[Example]) -> NDArray[np.float64]:
    """(n,) longer side of each image's largest box, as a share of the image; 0 without a tumour, NaN if not located."""
    return np.array(
        [
            max(
                (max(x1 - x0, y1 - y0) for _, x0, y0, x1, y1 in example.boxes),
                default=0.0 if example.located else np.nan,
            )
            for example in examples
        ]
    )


def located(examples: Sequence[Example]) -> list[Example]:
    """Those that a detector can be judged on."""
    return [example for example in examples if example.located]


def true_boxes(example: Example) -> Boxes:
    return boxes_from(example.boxes)


def boxes_from(rows: Sequence[Sequence[float]]) -> Boxes:
    """rows: (label, x_min, y_min, x_max, y_max)."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 5)
    return Boxes(table[:, 1:], table[:, 0].astype(np.intp), np.ones(len(table)))


def _judge_classifier(model: Path | bytes, data: Path, temperature: float | None, threshold: float | None) -> Judgement:
    if temperature is None or threshold is None:
        validation = read_manifest(data, "validation")
        logits, labels = logits_of(model, image_paths(data, validation)), labels_array(validation)
        temperature = temperature or classification.fitted_temperature(logits, labels)
        threshold = threshold or classification.decision_threshold(softmax(logits / temperature, axis=1), labels)
    test = read_manifest(data, "test")
    probabilities = softmax(logits_of(model, image_paths(data, test)) / temperature, axis=1)
    patients = [example.patient for example in test]
    metrics = classification.classification_figures(
        probabilities, labels_array(test), patients, threshold, largest_lesions(test)
    )
    real = read_real_lesions(data)
    if real:
        slices = [data / "real" / f"{row.name}.png" for row in real]
        answers = softmax(logits_of(model, slices) / temperature, axis=1)
        metrics |= classification.real_lesion_figures(answers, [row.patient for row in real])
    return Judgement(temperature, threshold, metrics)


def _judge_detector(model: Path | bytes, data: Path, temperature: float | None, threshold: float | None) -> Judgement:
    if threshold is None:
        validation = located(read_manifest(data, "validation"))
        found = boxes_of(model, image_paths(data, validation))
        threshold = detection.chosen_threshold(found, [true_boxes(example) for example in validation])
    test = located(read_manifest(data, "test"))
    metrics = detection.detection_figures(
        boxes_of(model, image_paths(data, test)),
        [true_boxes(example) for example in test],
        [example.patient for example in test],
        threshold,
    )
    metrics |= real_lesion_figures(lambda images: boxes_of(model, images), data, threshold)
    return Judgement(temperature or 1.0, threshold, metrics)


def _judge_input_check(
    model: Path | bytes,
    data: Path,
    temperature: float | None,  # noqa: ARG001  it has none
    threshold: float | None,
) -> Judgement:
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
        metrics |= figures(sources, {f"accepted_{name}": functools.partial(_share, accepted)})
    return Judgement(1.0, threshold, metrics)


def _share(accepted: NDArray[np.bool_], chosen: NDArray[np.intp]) -> float:
    return float(accepted[chosen].mean())


def real_lesion_figures(
    find: Callable[[Sequence[Path]], list[Boxes]], data: Path, threshold: float
) -> dict[str, Metric]:
    """Of a detector or a fusion, on the real lesions of held-out patients; empty where there are none."""
    real = read_real_lesions(data)
    if not real:
        return {}
    healthy = [
        example
        for part in ("validation", "test")
        for example in read_manifest(data, part)
        if CLASS_LABELS[example.label] == NO_TUMOUR
    ]
    return detection.real_lesion_figures(
        find([data / "real" / f"{row.name}.png" for row in real]),
        [boxes_from([(0, *box) for box in row.boxes]) for row in real],
        [row.patient for row in real],
        threshold,
        find(image_paths(data, healthy)) if healthy else [],
    )
