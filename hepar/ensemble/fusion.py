"""From the boxes of several detectors to one set. Pure; formulas with their sources."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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


def weighted_box_fusion(
    boxes: Sequence[FoundBox], detectors: int, overlap: float, weights: Mapping[str, float] | None = None
) -> list[FusedBox]:
    """Weighted box fusion (Solovyev, Wang and Gabruseva, Image Vis. Comput. 107, 2021), highest score first.

    Boxes of one label that overlap by more than `overlap` with a cluster's fused box join it; the fused
    corners are the mean weighted by score (eq. 2), the fused score the mean score times
    min(found, detectors) / detectors (eq. 5), so that a box only one of three detectors saw counts for less.
    detectors: how many answered, at least 1.  overlap: intersection over union, 0..1.
    weights: by detector, their mean over those that answered being 1: scores are multiplied by them first, as in the
    authors' own code; equal where None. Boxes of a detector without weight are left out. A fused score is 1 at most.
    """
    if weights is not None:
        boxes = [replace(box, score=box.score * weights[box.detector]) for box in boxes if weights[box.detector] > 0]
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


def non_maximum_suppression(boxes: Sequence[FoundBox], overlap: float) -> list[FusedBox]:
    """The best box of each label stands for all that overlap with it by more than `overlap`, highest score first.

    The suppressed boxes' detectors are named with the kept one's: they found the same lesion.
    """
    kept: list[FusedBox] = []
    for box in sorted(boxes, key=lambda found: found.score, reverse=True):
        for index, best in enumerate(kept):
            if best.label == box.label and intersection_over_union(best.corners, box.corners) > overlap:
                kept[index] = replace(best, detectors=tuple(sorted({*best.detectors, box.detector})))
                break
        else:
            kept.append(FusedBox(box.corners, box.score, box.label, (box.detector,)))
    return kept


def soft_non_maximum_suppression(
    boxes: Sequence[FoundBox], sigma: float, lowest_score: float = 0.001
) -> list[FusedBox]:
    """Soft-NMS with the Gaussian penalty (Bodla et al., "Soft-NMS", ICCV 2017, eq. 3), highest score first.

    Nothing is removed at once: the score of a box falls by exp(-IoU^2 / sigma) for each better box of its label.
    sigma: above 0; larger is gentler.  Boxes that fall below `lowest_score` (0..1) are left out.
    """
    left = [FusedBox(box.corners, box.score, box.label, (box.detector,)) for box in boxes]
    kept: list[FusedBox] = []
    while left:
        best = max(left, key=lambda box: box.score)
        left.remove(best)
        kept.append(best)
        weakened = []
        for box in left:
            shared = intersection_over_union(best.corners, box.corners) if box.label == best.label else 0.0
            score = box.score * math.exp(-(shared**2) / sigma)
            if score >= lowest_score:
                weakened.append(replace(box, score=score))
        left = weakened
    return kept


def fuse(
    method: str, boxes: Sequence[FoundBox], detectors: Sequence[str], overlap: float, weights: Mapping[str, float]
) -> list[FusedBox]:
    """By the name that a model card gives (FusionMethod). overlap: of Soft-NMS it is sigma.

    detectors: those that answered.  weights: by detector, of weighted box fusion; only their ratios count.
    Raises ValueError for a method that fuses no boxes.
    """
    if method == "weighted_box_fusion":
        mean = sum(weights[detector] for detector in detectors) / max(1, len(detectors))
        relative = {detector: weights[detector] / mean if mean > 0 else 1.0 for detector in detectors}
        return weighted_box_fusion(boxes, len(detectors), overlap, relative)
    if method == "non_maximum_suppression":
        return non_maximum_suppression(boxes, overlap)
    if method == "soft_non_maximum_suppression":
        return soft_non_maximum_suppression(boxes, overlap)
    raise ValueError(f"{method} fuses no boxes")


def _fuse(cluster: list[FoundBox], detectors: int) -> FusedBox:
    scores = np.array([box.score for box in cluster])
    corners = np.average([box.corners for box in cluster], axis=0, weights=scores)
    found_by = sorted({box.detector for box in cluster})
    score = float(scores.mean() * min(len(found_by), detectors) / detectors)
    x_min, y_min, x_max, y_max = map(float, corners)
    return FusedBox((x_min, y_min, x_max, y_max), min(score, 1.0), cluster[0].label, tuple(found_by))
