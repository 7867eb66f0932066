"""Does a new version beat the serving one? By a paired test on the same held-out images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from hepar.contracts.cards import ModelCard
from training.evaluation import detection
from training.evaluation.bootstrap import bootstrap_by_patient
from training.evaluation.judgement import boxes_on, image_paths, labels_array, located, logits_on, true_boxes
from training.evaluation.served import read_images
from training.prepare import read_manifest

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Contest:
    """before, after: accuracy, or mAP at an overlap of 0.5.  p_value: of the new one being no better."""

    figure: str
    before: float
    after: float
    p_value: float

    @property
    def won(self) -> bool:
        return self.after > self.before and self.p_value < SIGNIFICANCE

    def sentence(self) -> str:
        said = "beats" if self.won else "does not beat"
        return (
            f"the new version {said} the serving one: {self.figure} {self.after:.4f} after {self.before:.4f}, "
            f"one-sided p = {self.p_value:.4f} (needed: below {SIGNIFICANCE:g})"
        )


def hold(serving: Path, candidate: Path, card: ModelCard, data: Path) -> Contest:
    """Between two graphs of one task on the test part of prepared data. Raises ValueError for a task without one."""
    test = read_manifest(data, "test")
    if card.task == "classification":
        images, labels = read_images(image_paths(data, test)), labels_array(test)
        right = [logits_on(graph, images).argmax(axis=1) == labels for graph in (serving, candidate)]
        return of_classifiers(*right)
    if card.task == "detection":
        judged = located(test)
        images = read_images(image_paths(data, judged))
        before, after = boxes_on(serving, images), boxes_on(candidate, images)
        return of_detectors(before, after, [true_boxes(one) for one in judged], [one.patient for one in judged])
    raise ValueError(f"there is no contest for the task {card.task}: its training judges it")


def of_classifiers(before: np.ndarray, after: np.ndarray) -> Contest:
    """McNemar's exact test, one-sided (Psychometrika 12, 1947). before, after: (n,) whether each image was right."""
    wins, losses = int((after & ~before).sum()), int((before & ~after).sum())
    p_value = stats.binomtest(wins, wins + losses, alternative="greater").pvalue if wins + losses else 1.0
    return Contest("accuracy", float(before.mean()), float(after.mean()), float(p_value))


def of_detectors(
    before: list[detection.Boxes], after: list[detection.Boxes], truth: list[detection.Boxes], patients: list[str]
) -> Contest:
    """Bootstrap over patients of the difference in mAP50: how often it is not above zero."""
    differences: list[float] = []

    def difference(chosen: np.ndarray) -> float:
        parts = [[rows[index] for index in chosen] for rows in (before, after, truth)]
        value = detection.average_precision(parts[1], parts[2]) - detection.average_precision(parts[0], parts[2])
        differences.append(value)
        return value

    bootstrap_by_patient(patients, difference)
    known = [value for value in differences[1:] if not np.isnan(value)]
    p_value = (sum(value <= 0 for value in known) + 1) / (len(known) + 1)
    return Contest(
        "mAP50", detection.average_precision(before, truth), detection.average_precision(after, truth), float(p_value)
    )
