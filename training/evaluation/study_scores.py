"""What is found in volumes whose lesions are known: matches of lesions, and figures with intervals over patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.figures import Metric
from hepar.contracts.lesions import SliceBox
from hepar.ensemble.lesions import VolumeAnalysis
from training.metrics.bootstrap import bootstrap_by_patient
from training.simulated import LesionTruth, SimulatedStudy

FOUND_OVERLAP = 0.1
"""Intersection over union in space of boxes and true ones: nnDetection's criterion (Baumgartner et al., 2021)."""
SIZES = (("under 10 mm", 0.0, 10.0), ("10 to 20 mm", 10.0, 20.0), ("20 mm and more", 20.0, np.inf))
Corners = tuple[float, float, float, float]


@dataclass(frozen=True)
class Match:
    """A true lesion and what was found of it. found: position among the analysis' lesions; None where it was missed."""

    patient: str
    truth: LesionTruth
    found: int | None


@dataclass(frozen=True)
class ScoredStudy:
    """matches: one per true lesion.  false: lesions that match none."""

    study: SimulatedStudy
    analysis: VolumeAnalysis
    matches: tuple[Match, ...]
    false: int


def score_study(study: SimulatedStudy, analysis: VolumeAnalysis) -> ScoredStudy:
    found = match([lesion.boxes for lesion in analysis.lesions], study)
    matches = tuple(Match(study.name, truth, found.get(truth.number)) for truth in study.truth)
    return ScoredStudy(study, analysis, matches, len(analysis.lesions) - len(found))


def match(found: Sequence[Sequence[SliceBox]], study: SimulatedStudy) -> dict[int, int]:
    """By number of a true lesion, the position of the lesion that found it. Best overlap first, one to one."""
    true_boxes = {truth.number: _boxes_of(study.lesions == truth.number) for truth in study.truth}
    overlaps = [
        (_overlap({box.slice: (box.x_min, box.y_min, box.x_max, box.y_max) for box in boxes}, own), number, position)
        for position, boxes in enumerate(found)
        for number, own in true_boxes.items()
    ]
    matched: dict[int, int] = {}
    for overlap, number, position in sorted(overlaps, key=lambda item: (-item[0], *item[1:])):
        if overlap >= FOUND_OVERLAP and number not in matched and position not in matched.values():
            matched[number] = position
    return matched


def lesion_rows(studies: Sequence[ScoredStudy]) -> list[list[str]]:
    """Recall by type and size, and false lesions a patient."""
    matches = [item for study in studies for item in study.matches]
    rows = [["lesions", "number", "found", "95 % interval"]]
    groups: list[tuple[str, Callable[[Match], bool]]] = [("all", lambda _: True)]
    groups += [(name, _of_size(low, high)) for name, low, high in SIZES]
    groups += [(label, _of_type(label)) for label in ("cholangiocarcinoma", "metastasis")]
    for name, wanted in groups:
        own = [item for item in matches if wanted(item)]
        metric = _mean([item.patient for item in own], [float(item.found is not None) for item in own])
        rows.append([name, str(len(own)), *_cells(metric)])
    return rows


def false_rows(studies: Sequence[ScoredStudy]) -> list[list[str]]:
    rows = [["patients", "number", "false lesions a patient", "95 % interval"]]
    for name, own in _by_truth(studies):
        metric = _mean([item.study.name for item in own], [float(item.false) for item in own])
        rows.append([name, str(len(own)), *_cells(metric)])
    return rows


def measurement_rows(studies: Sequence[ScoredStudy]) -> list[list[str]]:
    """Of the found lesions that have a mask: medians of the errors."""
    patients, length_mm, volume_share, centre_mm = [], [], [], []
    for study in studies:
        for item in study.matches:
            lesion = None if item.found is None else study.analysis.lesions[item.found]
            if lesion is None or lesion.volume_ml is None:
                continue
            patients.append(item.patient)
            length_mm.append(abs(lesion.long_axis.length_mm - item.truth.long_axis_mm))
            volume_share.append(abs(lesion.volume_ml - item.truth.volume_ml) / item.truth.volume_ml)
            centre_mm.append(float(np.linalg.norm(np.subtract(lesion.centre_mm, item.truth.centre_mm))))
    rows = [["error", "lesions", "median", "95 % interval"]]
    for name, values in (
        ("long axis, mm", length_mm),
        ("volume, share of the true one", volume_share),
        ("centre, mm", centre_mm),
    ):
        rows.append([name, str(len(values)), *_cells(_median(patients, values))])
    return rows


def patient_rows(studies: Sequence[ScoredStudy]) -> list[list[str]]:
    rows = [["patients", "number", "tumour", "no tumour", "open", "type right", "type wrong", "type undecided"]]
    for name, own in _by_truth(studies):
        decisions = [item.analysis.decision for item in own]
        right = sum(item.study.label is not None and item.analysis.decision.label == item.study.label for item in own)
        undecided = sum(decision.tumour is True and decision.label is None for decision in decisions)
        called = sum(decision.tumour is True for decision in decisions)
        rows.append(
            [
                name,
                str(len(own)),
                str(called),
                str(sum(decision.tumour is False for decision in decisions)),
                str(sum(decision.tumour is None for decision in decisions)),
                str(right),
                str(called - right - undecided),
                str(undecided),
            ]
        )
    return rows


def certainty_rows(studies: Sequence[ScoredStudy]) -> list[list[str]]:
    """How often an outcome is right, by the word for its certainty. Open outcomes are left out."""
    rows = [["certainty", "decisions", "right"]]
    for word in ("high", "moderate", "low"):
        own = [
            item
            for item in studies
            if item.analysis.decision.certainty == word and item.analysis.decision.tumour is not None
        ]
        rows.append([word, str(len(own)), str(sum(map(_is_right, own)))])
    return rows


def _is_right(item: ScoredStudy) -> bool:
    decision = item.analysis.decision
    if decision.outcome == "type_undecided":
        return item.study.label is not None
    return decision.label == (item.study.label or "no_tumour")


def _by_truth(studies: Sequence[ScoredStudy]) -> list[tuple[str, list[ScoredStudy]]]:
    names = ("cholangiocarcinoma", "metastasis", None)
    groups = [(name or "no tumour", [item for item in studies if item.study.label == name]) for name in names]
    return [("all", list(studies)), *((name, own) for name, own in groups if own)]


def _boxes_of(mask: NDArray[np.bool_]) -> dict[int, Corners]:
    """By slice: the box of all its pixels."""
    boxes = {}
    for index in np.flatnonzero(mask.any(axis=(1, 2))).tolist():
        rows, columns = np.nonzero(mask[index])
        boxes[index] = (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
    return boxes


def _overlap(one: Mapping[int, Corners], other: Mapping[int, Corners]) -> float:
    """Intersection over union of two stacks of boxes."""
    intersection = 0.0
    for index in one.keys() & other.keys():
        width = min(one[index][2], other[index][2]) - max(one[index][0], other[index][0])
        height = min(one[index][3], other[index][3]) - max(one[index][1], other[index][1])
        intersection += max(width, 0) * max(height, 0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for boxes in (one, other) for box in boxes.values())
    return intersection / (areas - intersection) if areas > intersection else 0.0


def _of_size(low_mm: float, high_mm: float) -> Callable[[Match], bool]:
    return lambda item: low_mm <= item.truth.long_axis_mm < high_mm


def _of_type(label: str) -> Callable[[Match], bool]:
    return lambda item: item.truth.label == label


def _mean(patients: Sequence[str], values: Sequence[float]) -> Metric | None:
    numbers = np.array(values)
    return bootstrap_by_patient(patients, lambda chosen: float(numbers[chosen].mean())) if len(values) else None


def _median(patients: Sequence[str], values: Sequence[float]) -> Metric | None:
    numbers = np.array(values)
    return bootstrap_by_patient(patients, lambda chosen: float(np.median(numbers[chosen]))) if len(values) else None


def _cells(metric: Metric | None) -> list[str]:
    if metric is None:
        return ["not defined", ""]
    return [f"{metric.value:.2f}", f"{metric.low:.2f} to {metric.high:.2f}"]
