"""Whether a new version of a model is better than the served one: a paired test on the same held-out images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from hepar.contracts.cards import ModelCard
from training.evaluation.ground_truth import true_boxes
from training.evaluation.inference import predict_boxes, predict_logits
from training.metrics.bootstrap import bootstrap_by_patient
from training.metrics.detection import Boxes, average_precision
from training.prepared.dataset import image_paths, label_indices, located_examples, read_images, read_manifest

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class VersionComparison:
    """metric: `accuracy` or `mAP50`.  served, candidate: its values.  p_value: one-sided, of no improvement."""

    metric: str
    served: float
    candidate: float
    p_value: float

    @property
    def candidate_is_better(self) -> bool:
        return self.candidate > self.served and self.p_value < SIGNIFICANCE

    def sentence(self) -> str:
        verb = "beats" if self.candidate_is_better else "does not beat"
        return (
            f"the new version {verb} the served one: {self.metric} {self.candidate:.4f} compared with "
            f"{self.served:.4f}, one-sided p = {self.p_value:.4f} (required: below {SIGNIFICANCE:g})"
        )


def compare_versions(served: Path, candidate: Path, card: ModelCard, data: Path) -> VersionComparison:
    """Compares two ONNX files of one task on the test part of a prepared data set.

    Raises ValueError for a task without a paired test.
    """
    test = read_manifest(data, "test")
    if card.task == "classification":
        images, labels = read_images(image_paths(data, test)), label_indices(test)
        correct = [predict_logits(model, images).argmax(axis=1) == labels for model in (served, candidate)]
        return compare_classifiers(*correct)
    if card.task == "detection":
        located = located_examples(test)
        images = read_images(image_paths(data, located))
        return compare_detectors(
            predict_boxes(served, images, card.input.field_mm),
            predict_boxes(candidate, images, card.input.field_mm),
            [true_boxes(example) for example in located],
            [example.patient for example in located],
        )
    raise ValueError(f"there is no paired test for the task {card.task}")


def compare_classifiers(served: NDArray[np.bool_], candidate: NDArray[np.bool_]) -> VersionComparison:
    """McNemar's exact test, one-sided (Psychometrika 12, 1947). Both: (n,) whether each image is correct."""
    wins, losses = int((candidate & ~served).sum()), int((served & ~candidate).sum())
    p_value = stats.binomtest(wins, wins + losses, alternative="greater").pvalue if wins + losses else 1.0
    return VersionComparison("accuracy", float(served.mean()), float(candidate.mean()), float(p_value))


def compare_detectors(
    served: Sequence[Boxes], candidate: Sequence[Boxes], truth: Sequence[Boxes], patients: Sequence[str]
) -> VersionComparison:
    """Bootstrap over patients of the difference in mAP50: the p value is the share of draws without improvement.

    served, candidate, truth, patients: one entry per image.
    """
    differences: list[float] = []

    def difference(chosen: NDArray[np.intp]) -> float:
        drawn_truth = [truth[index] for index in chosen]
        drawn_served, drawn_candidate = ([boxes[index] for index in chosen] for boxes in (served, candidate))
        value = average_precision(drawn_candidate, drawn_truth) - average_precision(drawn_served, drawn_truth)
        differences.append(value)
        return value

    bootstrap_by_patient(patients, difference)
    known = [value for value in differences[1:] if not np.isnan(value)]
    p_value = (sum(value <= 0 for value in known) + 1) / (len(known) + 1)
    return VersionComparison(
        "mAP50", average_precision(served, truth), average_precision(candidate, truth), float(p_value)
    )
