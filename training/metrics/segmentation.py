"""Metrics of a segmenter: overlap, surface distance, and found lesions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hepar.ensemble.masks import SMALLEST_REGION_PX
from training.fields import BoolImage

COVERED_SHARE = 0.3
"""Of a lesion's pixels in the mask: from here on the lesion counts as found."""
MAX_FALSE_REGIONS = 0.05
"""Mean number allowed on a slice without a lesion."""
SMALL_LESION_MM = 10.0


@dataclass(frozen=True)
class Overlap:
    """Of two masks of one slice, in pixels."""

    both: int
    either: int
    """The sum of the two areas."""


@dataclass(frozen=True)
class Lesion:
    """One true lesion. diameter_mm: longer side of its box.  left: of the body's midline."""

    diameter_mm: float
    found: bool
    left: bool = False


def overlap(predicted: BoolImage, true: BoolImage) -> Overlap:
    return Overlap(int((predicted & true).sum()), int(predicted.sum()) + int(true.sum()))


def dice(overlaps: Sequence[Overlap]) -> float:
    """Of all slices together (Dice, Ecology 26, 1945); NaN where both masks are empty everywhere."""
    either = sum(item.either for item in overlaps)
    return 2 * sum(item.both for item in overlaps) / either if either else float("nan")


def surface_distance_mm(predicted: BoolImage, true: BoolImage, spacing_mm: float) -> float:
    """Mean distance from each border to the other one, both ways; NaN where a mask is empty."""
    if not predicted.any() or not true.any():
        return float("nan")
    borders = [mask & ~ndimage.binary_erosion(mask) for mask in (predicted, true)]
    away = [
        ndimage.distance_transform_edt(~border)[other] for border, other in zip(borders, borders[::-1], strict=True)
    ]
    return float(np.concatenate(away).mean() * spacing_mm)


def lesions_of(predicted: BoolImage, true: BoolImage, spacing_mm: float, middle_px: float) -> list[Lesion]:
    """The connected regions of `true` of at least SMALLEST_REGION_PX pixels, and whether `predicted` covers them."""
    regions, _ = ndimage.label(true)
    found = []
    for number, window in enumerate(ndimage.find_objects(regions), start=1):
        region = regions[window] == number
        if int(region.sum()) < SMALLEST_REGION_PX:
            continue
        height, width = region.shape
        centre = (window[1].start + window[1].stop) / 2
        covered = float(predicted[window][region].mean())
        found.append(Lesion(max(height, width) * spacing_mm, covered >= COVERED_SHARE, centre > middle_px))
    return found


def false_regions(said: BoolImage, true: BoolImage) -> int:
    """Connected regions of at least SMALLEST_REGION_PX pixels that touch no pixel of `true`."""
    regions, count = ndimage.label(said)
    sizes = np.bincount(regions.ravel(), minlength=count + 1)
    touched = np.bincount(regions[true].ravel(), minlength=count + 1)
    return int(((sizes >= SMALLEST_REGION_PX) & (touched == 0))[1:].sum())


def recall(lesions: Sequence[Lesion]) -> float:
    """NaN without lesions."""
    return float(np.mean([lesion.found for lesion in lesions])) if lesions else float("nan")


def best_threshold(shares: NDArray[np.float32], true: NDArray[np.bool_]) -> float:
    """The probability, in steps of 0.05, with the best F1 over lesions: found ones, and regions that are none.

    Only thresholds with at most MAX_FALSE_REGIONS on average per slice without a lesion are considered; if there is
    none, those with the lowest rate.
    shares, true: (n, h, w), of slices with and without lesions. Pixels would let a few large lesions decide alone.
    """
    free = ~true.any(axis=(1, 2))
    thresholds = np.round(np.arange(0.1, 0.91, 0.05), 2)

    def false_rate(threshold: float) -> float:
        counts = [false_regions(share >= threshold, mask) for share, mask in zip(shares[free], true[free], strict=True)]
        return float(np.mean(counts)) if counts else 0.0

    def f1(threshold: float) -> float:
        hits = claims = lesions = 0
        for share, mask in zip(shares, true, strict=True):
            said = share >= threshold
            found = lesions_of(said, mask, spacing_mm=1, middle_px=0)
            hits, lesions = hits + sum(lesion.found for lesion in found), lesions + len(found)
            claims += sum(lesion.found for lesion in found) + false_regions(said, mask)
        return 2 * hits / max(1, claims + lesions)

    rates = {threshold: false_rate(threshold) for threshold in thresholds}
    accepted = max(MAX_FALSE_REGIONS, min(rates.values()))
    return float(max((threshold for threshold, rate in rates.items() if rate <= accepted), key=f1))
