"""Fusion of the boxes of several detectors into one set. Pure; formulas with their sources."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.cards import Ensemble, FusionMethod


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


@dataclass(frozen=True)
class FusionParameters:
    """How boxes are fused.

    weights: by detector, used by weighted box fusion; only their ratios matter.
    overlap: intersection over union, 0..1, above which two boxes are the same lesion; not used by Soft-NMS.
    sigma: width of the Gaussian penalty, above 0; used by Soft-NMS only.
    """

    method: FusionMethod
    weights: Mapping[str, float]
    overlap: float | None = None
    sigma: float | None = None

    @classmethod
    def of(cls, ensemble: Ensemble) -> FusionParameters:
        """Raises ValueError for an ensemble whose method does not fuse boxes."""
        if ensemble.method not in get_args(FusionMethod):
            raise ValueError(f"{ensemble.method} does not fuse boxes")
        method = cast("FusionMethod", ensemble.method)
        return cls(method, ensemble.members, ensemble.overlap, ensemble.sigma)


def intersection_over_union(
    one: Sequence[float] | NDArray[np.float64], other: Sequence[float] | NDArray[np.float64]
) -> float:
    """Of two boxes (x_min, y_min, x_max, y_max), 0..1; 0 for boxes without area."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    intersection = width * height
    union = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - intersection
    return float(intersection / union)


def weighted_box_fusion(
    boxes: Sequence[FoundBox], detectors: int, overlap: float, weights: Mapping[str, float] | None = None
) -> list[FusedBox]:
    """Weighted box fusion (Solovyev, Wang and Gabruseva, Image Vis. Comput. 107, 2021), highest score first.

    A box joins the cluster of its label whose fused box it overlaps most, if by more than `overlap`; of two equal
    overlaps, the cluster whose first box has the higher score. The fused corners are the mean weighted by score
    (eq. 2); the fused score is the mean score times the share of the detectors that found it (eq. 5, which counts
    boxes instead), so that a box found by one of three detectors gets a lower score.
    detectors: number of detectors that answered, including those of all boxes.  overlap: intersection over union, 0..1.
    weights: by detector, with a mean of 1 over those that answered; scores are multiplied by them first, as in the
    authors' code; equal where None. Boxes of a detector with weight 0 are left out. A fused score is at most 1.
    """
    if weights is not None:
        boxes = [replace(box, score=box.score * weights[box.detector]) for box in boxes if weights[box.detector] > 0]
    clusters: list[list[FoundBox]] = []
    fused: list[FusedBox] = []
    for box in sorted(boxes, key=lambda found: found.score, reverse=True):
        overlaps = {
            index: intersection_over_union(box.corners, candidate.corners)
            for index, candidate in enumerate(fused)
            if candidate.label == box.label
        }
        index = max(overlaps, key=overlaps.__getitem__, default=None)
        if index is not None and overlaps[index] > overlap:
            clusters[index].append(box)
            fused[index] = _fuse(clusters[index], detectors)
        else:
            clusters.append([box])
            fused.append(_fuse([box], detectors))
    return sorted(fused, key=lambda fused_box: fused_box.score, reverse=True)


def non_maximum_suppression(boxes: Sequence[FoundBox], overlap: float) -> list[FusedBox]:
    """Removes each box that overlaps a better box of its label by more than `overlap`; highest score first.

    The detectors of a removed box are added to those of the kept one: they found the same lesion.
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

    The score of a box is multiplied by exp(-IoU^2 / sigma) for each better box of its label.
    sigma: above 0; the larger, the weaker the penalty.  Boxes whose score is or falls below `lowest_score` (0..1) are
    left out.
    """
    found = [FusedBox(box.corners, box.score, box.label, (box.detector,)) for box in boxes]
    remaining = [box for box in found if box.score >= lowest_score]
    kept: list[FusedBox] = []
    while remaining:
        best = max(remaining, key=lambda box: box.score)
        remaining.remove(best)
        kept.append(best)
        rescored = []
        for box in remaining:
            overlap = intersection_over_union(best.corners, box.corners) if box.label == best.label else 0.0
            score = box.score * math.exp(-(overlap**2) / sigma)
            if score >= lowest_score:
                rescored.append(replace(box, score=score))
        remaining = rescored
    return kept


def fuse(boxes: Sequence[FoundBox], detectors: Sequence[str], parameters: FusionParameters) -> list[FusedBox]:
    """Fuses boxes by the given method, highest score first.

    detectors: names of those that answered.
    Raises ValueError where the parameter that the method needs (`overlap` or `sigma`) is missing.
    """
    if parameters.method == "soft_non_maximum_suppression":
        if parameters.sigma is None:
            raise ValueError("soft_non_maximum_suppression needs a sigma")
        return soft_non_maximum_suppression(boxes, parameters.sigma)
    if parameters.overlap is None:
        raise ValueError(f"{parameters.method} needs an overlap")
    if parameters.method == "non_maximum_suppression":
        return non_maximum_suppression(boxes, parameters.overlap)
    weights = parameters.weights
    mean = sum(weights[detector] for detector in detectors) / max(1, len(detectors))
    relative = {detector: weights[detector] / mean if mean > 0 else 1.0 for detector in detectors}
    return weighted_box_fusion(boxes, len(detectors), parameters.overlap, relative)


def _fuse(cluster: list[FoundBox], detectors: int) -> FusedBox:
    """In plain numbers: for the few boxes of a cluster, arrays of NumPy take several times as long."""
    scores = [box.score for box in cluster]
    total = sum(scores)
    sides = zip(*(box.corners for box in cluster), strict=True)
    x_min, y_min, x_max, y_max = (sum(map(operator.mul, scores, side)) / total for side in sides)
    found_by = sorted({box.detector for box in cluster})
    score = total / len(cluster) * len(found_by) / detectors
    return FusedBox((x_min, y_min, x_max, y_max), min(score, 1.0), cluster[0].label, tuple(found_by))
