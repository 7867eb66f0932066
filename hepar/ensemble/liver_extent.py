"""Which slices of a volume show the liver, from the segmenter's masks. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hepar.ensemble.masks import LIVER, LIVER_SEEN_PX, LIVER_THRESHOLD

GAP_MM = 10.0
"""The liver may be missing in slices over this distance without ending there."""
_FULL = 255


def liver_pixels(shares: NDArray[np.uint8]) -> list[int]:
    """Pixels of the liver in each slice. shares: (n, 2, h, w), the probabilities of liver and lesion, in 255ths."""
    seen = shares[:, LIVER] >= LIVER_THRESHOLD * _FULL
    return [int(count) for count in seen.sum(axis=(1, 2))]


def liver_gap(slice_spacing_mm: float) -> int:
    """Slices of GAP_MM, at least one."""
    return max(1, math.floor(GAP_MM / slice_spacing_mm))


def liver_extent(pixels: Sequence[int], slice_spacing_mm: float) -> tuple[int, int] | None:
    """First and last slice of the liver; None where no slice shows one.

    pixels: of the liver, per slice, in pixels of the network's input; fewer than LIVER_SEEN_PX count as none. Of
    several parts that lie more than GAP_MM apart, the largest is the liver: others are the segmenter's mistakes.
    """
    gap = liver_gap(slice_spacing_mm)
    parts: list[tuple[int, int, int]] = []
    for index, count in enumerate(pixels):
        if count < LIVER_SEEN_PX:
            continue
        if parts and index - parts[-1][1] <= gap + 1:
            first, _, size = parts[-1]
            parts[-1] = (first, index, size + count)
        else:
            parts.append((index, index, count))
    if not parts:
        return None
    first, last, _ = max(parts, key=lambda part: part[2])
    return first, last
