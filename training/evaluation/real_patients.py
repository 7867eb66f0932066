"""The tables on real patients: what the shipped networks find there, compared with those that were shipped before."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from hepar.contracts.figures import Metric
from hepar.ensemble.voting import Thresholds
from training.evaluation.gate_fitting import THRESHOLDS
from training.evaluation.judged_slices import Answer, Judged, RealSlice, TrueLesion
from training.metrics.bootstrap import Score, bootstrap_by_patient
from training.metrics.classification import are_decided
from training.metrics.detection import overlaps_any
from training.prepared.dataset import CLASS_LABELS, NO_TUMOUR_INDEX

Pair = tuple[RealSlice, Answer]
Row = list[str]
FALSE_BOXES = (0.02, 0.05, 0.1, 0.2, 0.5)
PARTS = ("validation", "test")
SIZES = (("under 10 mm", 0.0, 10.0), ("10 to 20 mm", 10.0, 20.0), ("20 mm and more", 20.0, np.inf))


@dataclass(frozen=True)
class Point:
    """Where a detector is operated. minimum_share: 0 without a gate."""

    name: str
    threshold: float
    minimum_share: float


def points(judged: Judged) -> Iterator[Point]:
    """The operating points of the repository's cards: without a liver mask, and with it where a gate was fitted."""
    yield Point("without gate", judged.fusion.decision_threshold, 0.0)
    gate = judged.fusion.liver_gate
    if gate is not None:
        yield Point("with gate", gate.decision_threshold, gate.minimum_share)


def pairs_of(slices: Sequence[RealSlice], judged: Judged, domain: str, parts: Sequence[str] = PARTS) -> list[Pair]:
    together = zip(slices, judged.answers, strict=True)
    return [pair for pair in together if pair[0].item.domain == domain and pair[0].item.part in parts]


def found(pairs: Sequence[Pair], point: Point, wanted: Callable[[TrueLesion], bool]) -> list[bool]:
    """Of each wanted lesion, whether a box overlaps it by REAL_LESION_OVERLAP or more."""
    hits = []
    for item, answer in pairs:
        boxes = answer.boxes(point.threshold, point.minimum_share)
        hits += [overlaps_any(boxes, lesion.corners[None]) for lesion in item.lesions if wanted(lesion)]
    return hits


def boxes_on_lesion_free(pairs: Sequence[Pair], point: Point) -> list[int]:
    """The number of boxes on each slice without a lesion."""
    return [len(answer.boxes(point.threshold, point.minimum_share)) for item, answer in pairs if item.lesion_free]


def operating_points(slices: Sequence[RealSlice], judged: Sequence[Judged], part: str) -> list[Row]:
    """What is found at the thresholds of the cards, on the MSD slices of one part."""
    header = ["networks", "threshold", "sure", "95 % interval", "all", "sure, left", "sure, right"]
    rows = [[*header, *(name for name, _, _ in SIZES), "boxes a slice without a lesion"]]
    for repository in judged:
        pairs = pairs_of(slices, repository, "msd", (part,))
        for point in points(repository):
            sure = found(pairs, point, lambda lesion: lesion.sure)
            interval = _interval(pairs, point)
            rows.append(
                [
                    f"{repository.name}, {point.name}",
                    f"{point.threshold:g}",
                    share(sure),
                    f"{interval.low:.2f} to {interval.high:.2f}" if interval else "not defined",
                    share(found(pairs, point, lambda _: True)),
                    share(found(pairs, point, lambda lesion: lesion.sure and lesion.left)),
                    share(found(pairs, point, lambda lesion: lesion.sure and not lesion.left)),
                    *(share(found(pairs, point, _of_size(low, high))) for _, low, high in SIZES),
                    rate(boxes_on_lesion_free(pairs, point)),
                ]
            )
    return rows


def froc(slices: Sequence[RealSlice], judged: Sequence[Judged], part: str) -> list[Row]:
    """Sure lesions found at the lowest threshold with at most so many boxes per slice without a lesion.

    By the fusion, and by each detector alone.
    """
    rows = [["networks", *(f"{allowed:g} boxes a slice" for allowed in FALSE_BOXES)]]
    for repository in judged:
        gate = repository.fusion.liver_gate
        shares = {"without gate": 0.0} | ({"with gate": gate.minimum_share} if gate else {})
        for name, answers in {"fused": repository.answers, **repository.members}.items():
            pairs = pairs_of(slices, replace(repository, answers=answers), "msd", (part,))
            for gated, minimum in shares.items():
                rows.append([f"{repository.name}, {name}, {gated}", *_found_at(pairs, minimum)])
    return rows


def _found_at(pairs: Sequence[Pair], minimum_share: float) -> Row:
    cells = []
    for allowed in FALSE_BOXES:
        point = Point("", lowest_threshold(pairs, minimum_share, allowed), minimum_share)
        cells.append(f"{share(found(pairs, point, lambda lesion: lesion.sure))} at {point.threshold:g}")
    return cells


def tumour_area(slices: Sequence[RealSlice], judged: Sequence[Judged]) -> list[Row]:
    """Area under the curve of the probability of a tumour: slices with a reviewed lesion against those without."""
    rows = [["networks", *(f"{part}: {unit}" for part in PARTS for unit in ("slices", "95 % interval", "patients"))]]
    for repository in judged:
        cells: list[str] = []
        for part in PARTS:
            known = [pair for pair in pairs_of(slices, repository, "msd", (part,)) if _reviewed(pair[0])]
            truth = np.array([bool(item.lesions) for item, _ in known])
            tumour = np.array([1 - float(answer.probabilities[NO_TUMOUR_INDEX]) for _, answer in known])
            patients = [item.item.patient for item, _ in known]
            area = _over_patients(patients, functools.partial(_area_of, truth, tumour))
            cells += [f"{area.value:.3f}", f"{area.low:.3f} to {area.high:.3f}"] if area else ["not defined", ""]
            cells.append(f"{_area(*_by_patient(patients, truth, tumour)):.3f}")
        rows.append([repository.name, *cells])
    return rows


def by_patient(slices: Sequence[RealSlice], repository: Judged, part: str) -> list[Row]:
    """One row for each patient of the MSD slices, at the last operating point."""
    point = list(points(repository))[-1]
    pairs = [pair for pair in pairs_of(slices, repository, "msd", (part,)) if _reviewed(pair[0])]
    rows = [["patient", "slices", "sure lesions found", "all", "boxes on slices without a lesion", "highest p(tumour)"]]
    for patient in sorted({item.item.patient for item, _ in pairs}):
        own = [pair for pair in pairs if pair[0].item.patient == patient]
        highest = max(1 - float(answer.probabilities[NO_TUMOUR_INDEX]) for _, answer in own)
        sure, everything = found(own, point, lambda lesion: lesion.sure), found(own, point, lambda _: True)
        false = boxes_on_lesion_free(own, point)
        rows.append(
            [patient, str(len(own)), share(sure), share(everything), f"{sum(false)} on {len(false)}", f"{highest:.2f}"]
        )
    return rows


def other_domains(slices: Sequence[RealSlice], judged: Sequence[Judged]) -> list[Row]:
    """Other scanners and hospitals. Regions are connected parts of the outlined tumour in one slice."""
    rows = [
        [
            "domain",
            "networks",
            "regions found",
            "10 mm and more",
            "slices with a lesion: boxed",
            "called a tumour",
            "called cholangiocarcinoma, decided",
            "boxes a slice without a lesion",
            "boxes",
            "of these outside of the liver",
        ]
    ]
    domains = dict.fromkeys(item.item.domain for item in slices if item.item.domain != "msd")
    for domain in domains:
        for repository in judged:
            pairs = pairs_of(slices, repository, domain)
            rows += [[domain, *_domain_row(pairs, repository, point)] for point in points(repository)]
    return rows


def _domain_row(pairs: Sequence[Pair], repository: Judged, point: Point) -> Row:
    with_lesion = [pair for pair in pairs if pair[0].lesions]
    rows = np.array([answer.probabilities for _, answer in with_lesion]).reshape(-1, len(CLASS_LABELS))
    called, decided = rows.argmax(axis=1), are_decided(rows, Thresholds.of(repository.vote))
    certain = (called == CLASS_LABELS.index("cholangiocarcinoma")) & decided
    boxed = [any(found([pair], point, lambda _: True)) for pair in with_lesion]
    outside = [
        bool(inside < OUTSIDE_SHARE)
        for _, answer in pairs
        for score, inside in zip(answer.scores, answer.inside, strict=True)
        if score >= point.threshold and inside >= point.minimum_share
    ]
    return [
        f"{repository.name}, {point.name}",
        share(found(pairs, point, lambda _: True)),
        share(found(pairs, point, lambda lesion: lesion.size_mm >= SIZES[1][1])),
        share(boxed),
        share((called != NO_TUMOUR_INDEX).tolist()),
        share(certain.tolist()),
        rate(boxes_on_lesion_free(pairs, point)),
        str(len(outside)),
        str(sum(outside)),
    ]


OUTSIDE_SHARE = 0.35
"""A box with a smaller share in the predicted liver is counted as outside of it, whatever the gate."""


def share(hits: Sequence[bool]) -> str:
    """As `3 of 4 (0.75)`."""
    return f"{sum(hits)} of {len(hits)} ({np.mean(hits):.2f})" if hits else "none known"


def rate(counts: Sequence[int]) -> str:
    """As `0.050 (2 on 40)`."""
    return f"{np.mean(counts):.3f} ({sum(counts)} on {len(counts)})" if counts else "none known"


def lowest_threshold(pairs: Sequence[Pair], minimum_share: float, allowed: float) -> float:
    """The lowest one with at most `allowed` boxes per slice without a lesion; the highest one if there is none."""
    for threshold in THRESHOLDS:
        counts = boxes_on_lesion_free(pairs, Point("", float(threshold), minimum_share))
        if sum(counts) <= allowed * len(counts):
            return float(threshold)
    return float(THRESHOLDS[-1])


def _interval(pairs: Sequence[Pair], point: Point) -> Metric | None:
    """Of the share of sure lesions that are found, over patients."""

    def recall(chosen: NDArray[np.intp]) -> float:
        hits = found([pairs[index] for index in chosen], point, lambda lesion: lesion.sure)
        return float(np.mean(hits)) if hits else float("nan")

    return _over_patients([item.item.patient for item, _ in pairs], recall)


def _over_patients(patients: Sequence[str], score: Score) -> Metric | None:
    return bootstrap_by_patient(patients, score) if patients else None


def _of_size(low_mm: float, high_mm: float) -> Callable[[TrueLesion], bool]:
    return lambda lesion: low_mm <= lesion.size_mm < high_mm


def _reviewed(item: RealSlice) -> bool:
    return item.item.kind in ("healthy", "boxed")


def _area(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    return float(roc_auc_score(truth, scores)) if truth.any() and not truth.all() else float("nan")


def _area_of(truth: NDArray[np.bool_], scores: NDArray[np.float64], chosen: NDArray[np.intp]) -> float:
    return _area(truth[chosen], scores[chosen])


def _by_patient(
    patients: Sequence[str], truth: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """A patient has a lesion if one slice has; the score is the highest of the patient's slices."""
    names = np.asarray(patients)
    groups = [names == name for name in sorted(set(patients))]
    return np.array([truth[group].any() for group in groups]), np.array([scores[group].max() for group in groups])
