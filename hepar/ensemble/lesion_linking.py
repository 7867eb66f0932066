"""Boxes of neighbouring slices that show the same lesion. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hepar.contracts.lesions import SliceBox

GAP_MM = 10.0
"""Largest extent of slices without a box inside a lesion. Neighbouring slices are linked whatever their distance."""
SAME_LESION_OVERLAP = 0.5
"""Share of the smaller box that lies in the other one, in another slice."""
SAME_SLICE_OVERLAP = 0.7
"""The same for two boxes of one slice, which differ in their label or in what their detectors saw."""
_TOLERANCE_MM = 1e-6


@dataclass(frozen=True)
class LinkedBoxes:
    """The boxes of one lesion.

    boxes: one per slice, by slice.  members: all boxes that were linked, in the same order; more than `boxes` where a
    slice has several.
    """

    boxes: tuple[SliceBox, ...]
    members: tuple[SliceBox, ...]

    @property
    def first_slice(self) -> int:
        return self.boxes[0].slice

    @property
    def last_slice(self) -> int:
        return self.boxes[-1].slice

    @property
    def missing_slices(self) -> int:
        """Between the first and the last slice."""
        return self.last_slice - self.first_slice + 1 - len(self.boxes)

    @property
    def score(self) -> float:
        """Mean score weighted by area, 0 to 1. A missing slice counts as one of mean area and score 0.

        After the weighted box clustering of Jaeger et al., "Retina U-Net" (2018), eq. 3.
        """
        areas = np.array([box_area(box) for box in self.boxes])
        scores = np.array([box.score for box in self.boxes])
        return float((areas * scores).sum() / (areas.sum() + self.missing_slices * areas.mean()))

    @property
    def detectors(self) -> list[str]:
        return sorted({name for box in self.members for name in box.detectors})


def link_boxes(boxes: Sequence[SliceBox], slice_spacing_mm: float, gap_mm: float = GAP_MM) -> list[LinkedBoxes]:
    """Groups boxes into lesions; the order of `boxes` does not matter.

    Boxes of one slice are one box where they cover each other. Then pairs of slices are linked, nearest slices first
    and of those the largest overlap first, unless a lesion would have two boxes in one slice. That is single-linkage
    clustering with a constraint: it has no direction, so that feet first and head first give the same lesions.
    slice_spacing_mm: above 0.  gap_mm: largest extent of missing slices between two linked boxes.
    Returns the lesions by first slice, then by corners.
    """
    groups = _merged_in_slices(boxes)
    merged = [_merge(group) for group in groups]
    clusters = [{index} for index in range(len(merged))]
    for first, second in _links(merged, slice_spacing_mm, gap_mm):
        one, other = clusters[first], clusters[second]
        if one is other or {merged[index].slice for index in one} & {merged[index].slice for index in other}:
            continue
        one |= other
        for index in other:
            clusters[index] = one
    distinct = {id(cluster): cluster for cluster in clusters}.values()
    return [_linked(sorted(cluster), merged, groups) for cluster in sorted(distinct, key=min)]


def _linked(cluster: list[int], merged: list[SliceBox], groups: list[list[SliceBox]]) -> LinkedBoxes:
    """cluster: indices of `merged`, which is sorted by slice."""
    return LinkedBoxes(
        tuple(merged[index] for index in cluster), tuple(box for index in cluster for box in groups[index])
    )


def _links(merged: list[SliceBox], spacing_mm: float, gap_mm: float) -> list[tuple[int, int]]:
    """Pairs of indices that may be one lesion, best first."""
    furthest = 1 + int((gap_mm + _TOLERANCE_MM) / spacing_mm)
    by_slice: dict[int, list[int]] = {}
    for index, box in enumerate(merged):
        by_slice.setdefault(box.slice, []).append(index)
    links = []
    for index, box in enumerate(merged):
        for steps in range(1, furthest + 1):
            for other in by_slice.get(box.slice + steps, ()):
                share, union_share = _overlaps(box, merged[other])
                if share >= SAME_LESION_OVERLAP:
                    links.append((steps, -union_share, index, other))
    return [(first, second) for _, _, first, second in sorted(links)]


def _merged_in_slices(boxes: Sequence[SliceBox]) -> list[list[SliceBox]]:
    """Boxes that show the same part of the same slice, by slice and corners."""
    groups: list[list[SliceBox]] = []
    for box in sorted(boxes, key=_order):
        near = [
            group
            for group in groups
            if group[0].slice == box.slice and any(_overlaps(box, member)[0] >= SAME_SLICE_OVERLAP for member in group)
        ]
        groups = [group for group in groups if not any(group is other for other in near)]
        groups.append(sorted([box, *(member for group in near for member in group)], key=_order))
    return sorted(groups, key=lambda group: _order(group[0]))


def _merge(group: list[SliceBox]) -> SliceBox:
    """Mean corners weighted by score; score and label of the best box."""
    if len(group) == 1:
        return group[0]
    scores = np.array([max(box.score, 1e-6) for box in group])
    x_min, y_min, x_max, y_max = np.average([_corners(box) for box in group], axis=0, weights=scores).tolist()
    best = group[int(scores.argmax())]
    detectors = sorted({name for box in group for name in box.detectors})
    update = {"x_min": x_min, "y_min": y_min, "x_max": x_max, "y_max": y_max, "detectors": detectors}
    return best.model_copy(update=update)


def _overlaps(one: SliceBox, other: SliceBox) -> tuple[float, float]:
    """Intersection over the smaller area, and over the union; 0 without an intersection."""
    width = min(one.x_max, other.x_max) - max(one.x_min, other.x_min)
    height = min(one.y_max, other.y_max) - max(one.y_min, other.y_min)
    if width <= 0 or height <= 0:
        return 0.0, 0.0
    intersection, areas = width * height, (box_area(one), box_area(other))
    return intersection / min(areas), intersection / (sum(areas) - intersection)


def box_area(box: SliceBox) -> float:
    """In pixels."""
    return (box.x_max - box.x_min) * (box.y_max - box.y_min)


def _corners(box: SliceBox) -> tuple[float, float, float, float]:
    return box.x_min, box.y_min, box.x_max, box.y_max


def _order(box: SliceBox) -> tuple[object, ...]:
    return (box.slice, *_corners(box), -box.score, box.label, tuple(box.detectors))
