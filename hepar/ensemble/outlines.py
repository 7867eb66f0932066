"""Outlines of lesions that readers draw, together with the masks of the slices that they left alone. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray

from hepar.ensemble.lesion_masks import Ring

SMALLEST_AREA_PX = 1.0
_BETWEEN = 0.5


@dataclass(frozen=True)
class OutlinedLesion:
    """by_slice: the connected parts of each slice that shows the lesion, as `LesionMask.regions` gives them."""

    by_slice: Mapping[int, Sequence[tuple[Ring, ...]]]

    @property
    def first_slice(self) -> int:
        return min(self.by_slice)

    @property
    def last_slice(self) -> int:
        return max(self.by_slice)

    def regions(self, slice_index: int) -> Sequence[tuple[Ring, ...]]:
        return self.by_slice.get(slice_index, ())


def outlined_lesion(
    masks: Mapping[int, NDArray[np.bool_]], polygons: Mapping[int, Sequence[tuple[float, float]]]
) -> OutlinedLesion | None:
    """masks: (rows, columns) by slice.  polygons: x and y in pixels by slice, instead of the slice's mask.

    A polygon without corners removes the lesion from its slice. None where nothing is left.
    """
    found = {index: mask_regions(mask) for index, mask in masks.items() if index not in polygons}
    found |= {index: [(_ring(corners),)] for index, corners in polygons.items() if corners}
    shown = {index: regions for index, regions in found.items() if regions}
    return OutlinedLesion(shown) if shown else None


def mask_regions(mask: NDArray[np.bool_]) -> list[tuple[Ring, ...]]:
    """Connected parts of a mask: the outer ring of each, then its holes. The border lies between pixel centres.

    A part has half a pixel less area than pixels, however large it is: corners are cut, and notches filled.
    """
    contours = contour_generator(z=np.pad(mask, 1).astype(np.float64), fill_type=FillType.OuterOffset)
    outlines, starts = cast(
        "tuple[list[NDArray[np.float64]], list[NDArray[np.uint32]]]", contours.filled(_BETWEEN, np.inf)
    )
    to_slice = 0.5 - 1.0  # pixel centres are at halves, and the mask was framed by one pixel
    return [
        tuple(np.split(points + to_slice, offsets[1:-1].astype(int)))
        for points, offsets in zip(outlines, starts, strict=True)
    ]


def polygon_fault(corners: Sequence[tuple[float, float]], shape: tuple[int, int]) -> str | None:
    """Why corners are no outline in a slice; None for an outline, and for no corners.

    shape: rows, columns.
    """
    if not corners:
        return None
    points = np.array(corners, dtype=np.float64)
    points = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]  # a corner that is there twice is one
    if (points < 0).any() or (points > shape[::-1]).any():
        return "a corner lies outside of the slice"
    if _crosses_itself(points):
        return "the outline crosses itself"
    if len(points) < 3 or abs(_area(points)) < SMALLEST_AREA_PX:
        return "an outline has at least three corners and an area of one pixel"
    return None


def _ring(corners: Sequence[tuple[float, float]]) -> Ring:
    return np.array([*corners, corners[0]], dtype=np.float64)


def _area(points: NDArray[np.float64]) -> float:
    following = np.roll(points, -1, axis=0)
    return float((points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]).sum() / 2)


def _crosses_itself(points: NDArray[np.float64]) -> bool:
    """Whether two sides that are not neighbours have a point in common (by the signs of four areas)."""
    start, end = points, np.roll(points, -1, axis=0)
    count = len(points)
    side_of_start = np.sign(_cross(end[:, None] - start[:, None], start[None] - start[:, None]))
    side_of_end = np.sign(_cross(end[:, None] - start[:, None], end[None] - start[:, None]))
    separated = side_of_start * side_of_end
    apart = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    others = (apart > 1) & (apart < count - 1)
    low, high = np.minimum(start, end), np.maximum(start, end)
    near = ((low[:, None] <= high[None]) & (low[None] <= high[:, None])).all(axis=2)
    return bool((others & near & (separated <= 0) & (separated.T <= 0)).any())


def _cross(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0])
