"""From the boxes of several detectors to one set. Pure; formulas with their sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FoundBox:
    """One detector's box. corners: x_min, y_min, x_max, y_max in pixels of the image."""

    detector: str
    corners: tuple[float, float, float, float]
    score: float
    label: str


@dataclass(frozen=True)
class FusedBox:
    """detectors: those that contributed, in name order."""

    corners: tuple[float, float, float, float]
    score: float
    label: str
    detectors: tuple[str, ...]


def intersection_over_union(
    one: Sequence[float] | NDArray[np.float64], other: Sequence[float] | NDArray[np.float64]
) -> float:
    """Of two boxes (x_min, y_min, x_max, y_max), 0..1; 0 for boxes without area."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    union = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared
    return float(shared / union)


def weighted_box_fusion(boxes: Sequence[FoundBox], detectors: int, overlap: float) -> list[FusedBox]:
    """Weighted box fusion (Solovyev, Wang and Gabruseva, Image Vis. Comput. 107, 2021), highest score first.

    Boxes of one label that overlap by more than `overlap` with a cluster's fused box join it; the fused
    corners are the mean weighted by score (eq. 2), the fused score the mean score times
    min(found, detectors) / detectors (eq. 5), so that a box only one of three detectors saw counts for less.
    detectors: how many answered, at least 1.  overlap: intersection over union, 0..1.
    """
    clusters: list[list[FoundBox]] = []
    fused: list[FusedBox] = []
    for box in sorted(boxes, key=lambda found: found.score, reverse=True):
        matches = [
            (intersection_over_union(box.corners, whole.corners), index)
            for index, whole in enumerate(fused)
            if whole.label == box.label
        ]
        best, index = max(matches, default=(0.0, -1))
        if best > overlap:
            clusters[index].append(box)
            fused[index] = _fuse(clusters[index], detectors)
        else:
            clusters.append([box])
            fused.append(_fuse([box], detectors))
    return sorted(fused, key=lambda whole: whole.score, reverse=True)


def _fuse(cluster: list[FoundBox], detectors: int) -> FusedBox:
    scores = np.array([box.score for box in cluster])
    corners = np.average([box.corners for box in cluster], axis=0, weights=scores)
    found_by = sorted({box.detector for box in cluster})
    score = float(scores.mean() * min(len(found_by), detectors) / detectors)
    x_min, y_min, x_max, y_max = map(float, corners)
    return FusedBox((x_min, y_min, x_max, y_max), score, cluster[0].label, tuple(found_by))
