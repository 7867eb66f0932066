"""The segmenter's masks of a volume, and the part of them that belongs to each lesion. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray

from hepar.ensemble.lesion_linking import GAP_MM, LinkedBoxes
from hepar.ensemble.masks import LESION, LIVER, LIVER_THRESHOLD
from hepar.imaging.letterbox import LetterboxTransform
from hepar.imaging.volume import VolumeGeometry

Ring = NDArray[np.float64]
"""(n, 2): x and y in pixels of the slice; the last point is the first one."""
MARGIN_MM = 3.0
"""How far a lesion's mask may leave its box in the slice."""
SMALLEST_LESION_PX = 4
"""In pixels of the network's input, in the lesion's largest slice; smaller masks are noise."""
_LARGEST_PART_SHARE = 0.1
_FULL = 255
_CONNECTED = np.ones((3, 3, 3), dtype=bool)
"""Voxels that share a corner."""


@dataclass(frozen=True)
class MaskGrid:
    """Where the pixels of a slice lie in the network's input: input = slice * scale + offset, per axis."""

    scale_x: float
    scale_y: float
    left: float
    top: float

    @classmethod
    def of(cls, transform: LetterboxTransform, geometry: VolumeGeometry) -> MaskGrid:
        """The transform's display has square pixels; those of the volume's slices need not be square."""
        _, rows, columns = geometry.shape
        scale_x, scale_y = transform.scale * transform.width / columns, transform.scale * transform.height / rows
        return cls(scale_x, scale_y, transform.left, transform.top)

    def to_grid(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(..., 2) x and y of the slice to x and y of the input, both in pixels."""
        return np.asarray(points * (self.scale_x, self.scale_y) + (self.left, self.top), dtype=np.float64)

    def to_slice(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.asarray((points - (self.left, self.top)) / (self.scale_x, self.scale_y), dtype=np.float64)


@dataclass(frozen=True)
class OrganVolume:
    """Masks of consecutive slices, kept at the network's input size: 600 slices of 256 x 256 take 79 MB.

    shares: (n, 2, h, w) uint8, the probabilities of liver and lesion, in 255ths.  first_slice: index in the volume of
    the first of them.  transform: where each slice lies in the input.  lesion_threshold: 0 to 1.
    """

    shares: NDArray[np.uint8]
    transform: LetterboxTransform
    lesion_threshold: float
    first_slice: int = 0

    def liver(self, slice_index: int) -> NDArray[np.bool_] | None:
        """(h, w) of a slice of the volume; None outside of the masks."""
        index = slice_index - self.first_slice
        if not 0 <= index < len(self.shares):
            return None
        return np.asarray(self.shares[index, LIVER] >= LIVER_THRESHOLD * _FULL)

    def liver_columns(self) -> NDArray[np.int64]:
        """(w,): voxels of the liver in each column of the input, from the patient's right to the left.

        Parts of less than a tenth of the largest one are left out.  Every second pixel is counted, as four.
        """
        from scipy import ndimage

        liver = self.shares[:, LIVER, ::2, ::2] >= LIVER_THRESHOLD * _FULL
        parts, count = ndimage.label(liver)
        sizes = np.bincount(parts.ravel(), minlength=count + 1)
        sizes[0] = 0
        kept = sizes >= max(_LARGEST_PART_SHARE * sizes.max(), 1)
        columns = np.zeros(self.shares.shape[3], dtype=np.int64)
        for part in parts:
            columns[::2] += 4 * kept[part].sum(axis=0)
        return columns


@dataclass(frozen=True)
class LesionMask:
    """The mask of one lesion, cut out of the network's input.

    shares: (slices, h, w) uint8, framed by zeros; values of other lesions are zero.  threshold: 0 to 1.
    first_slice: index in the volume.  left, top: of the cut-out in the input, in its pixels.
    """

    shares: NDArray[np.uint8]
    threshold: float
    first_slice: int
    left: int
    top: int
    grid: MaskGrid

    @property
    def last_slice(self) -> int:
        return self.first_slice + len(self.shares) - 1

    def regions(self, slice_index: int) -> list[tuple[Ring, ...]]:
        """Connected parts in a slice: the outer ring of each, then its holes, in pixels of the slice.

        The border lies where the interpolated probability crosses the threshold.
        """
        contours = contour_generator(z=self._slice(slice_index).astype(np.float64), fill_type=FillType.OuterOffset)
        outlines, starts = cast(
            "tuple[list[NDArray[np.float64]], list[NDArray[np.uint32]]]",
            contours.filled(self._level, np.inf),
        )
        corner = (self.left + 0.5, self.top + 0.5)  # pixel centres are at halves
        return [
            tuple(np.split(self.grid.to_slice(points + corner), offsets[1:-1].astype(int)))
            for points, offsets in zip(outlines, starts, strict=True)
        ]

    def area_px(self, slice_index: int) -> float:
        """Of a slice, in its pixels, rounded to pixels of the input."""
        inside = int((self._slice(slice_index) >= self._level).sum())
        return inside / (self.grid.scale_x * self.grid.scale_y)

    def in_slice(self, slice_index: int, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """(rows, columns) of a slice of the volume, True inside the lesion. shape: of the slice."""
        mask = np.zeros(shape, dtype=bool)
        if not self.first_slice <= slice_index <= self.last_slice:
            return mask
        height, width = self.shares.shape[1:]
        corners = np.array([(self.left, self.top), (self.left + width, self.top + height)])
        (x_min, y_min), (x_max, y_max) = np.clip(np.rint(self.grid.to_slice(corners)).astype(int), 0, shape[::-1])
        x = (np.arange(x_min, x_max) + 0.5) * self.grid.scale_x + self.grid.left - self.left - 0.5
        y = (np.arange(y_min, y_max) + 0.5) * self.grid.scale_y + self.grid.top - self.top - 0.5
        values = _interpolated(_interpolated(self._slice(slice_index).astype(np.float32), y).T, x).T
        mask[y_min:y_max, x_min:x_max] = values >= self._level
        return mask

    @property
    def _level(self) -> float:
        """The threshold in 255ths, between two integers: no value lies on the border."""
        return float(np.ceil(self.threshold * _FULL)) - 0.5

    def _slice(self, slice_index: int) -> NDArray[np.uint8]:
        return np.asarray(self.shares[slice_index - self.first_slice])


def _interpolated(rows: NDArray[np.float32], places: NDArray[np.float64]) -> NDArray[np.float32]:
    """(len(places), columns): linearly between the rows; zero outside of the first and the last one."""
    below = np.clip(np.floor(places).astype(np.intp), 0, max(len(rows) - 2, 0))
    above = np.minimum(below + 1, len(rows) - 1)
    inside = ((places >= 0) & (places <= len(rows) - 1)).astype(np.float32)
    share = (places - below).astype(np.float32)
    weights_below, weights_above = (inside * (1 - share))[:, np.newaxis], (inside * share)[:, np.newaxis]
    return np.asarray(rows[below] * weights_below + rows[above] * weights_above, dtype=np.float32)


def lesion_masks(
    lesions: Sequence[LinkedBoxes], organ: OrganVolume, geometry: VolumeGeometry
) -> list[LesionMask | None]:
    """The mask of each lesion: the connected parts that begin inside its boxes; None where it has none.

    A part may leave a box by MARGIN_MM, and continue above and below the boxes by GAP_MM. Where two lesions claim a
    voxel, the one whose box it lies deeper in gets it: no voxel belongs to two lesions.
    """
    claims = [_Claim.of(lesion, organ, geometry) for lesion in lesions]
    return [_mask_of(index, claims, organ, geometry) for index in range(len(claims))]


@dataclass(frozen=True)
class _Claim:
    """Where a lesion's mask may lie. slices: of `organ.shares`, one per row of `boxes`.

    boxes: (k, 4) in pixels of the input.  margin: in x and y, in the same.  beyond: (k,) slices outside of the lesion.
    window: rows and columns of the cut-out.
    """

    slices: slice
    boxes: NDArray[np.float64]
    margin: tuple[float, float]
    beyond: NDArray[np.int64]
    window: tuple[slice, slice]

    @classmethod
    def of(cls, lesion: LinkedBoxes, organ: OrganVolume, geometry: VolumeGeometry) -> _Claim:
        spacing_mm, row_mm, column_mm = geometry.spacing_mm
        reach = int(GAP_MM / spacing_mm)
        first = max(lesion.first_slice - reach, organ.first_slice)
        last = min(lesion.last_slice + reach, organ.first_slice + len(organ.shares) - 1)
        wanted = np.arange(first, last + 1)
        grid = MaskGrid.of(organ.transform, geometry)
        corners = np.array([(box.x_min, box.y_min, box.x_max, box.y_max) for box in lesion.boxes])
        known = [box.slice for box in lesion.boxes]
        between = np.stack([np.interp(wanted, known, corners[:, axis]) for axis in range(4)], axis=1)
        boxes = grid.to_grid(between.reshape(-1, 2, 2)).reshape(-1, 4)
        beyond = np.maximum(lesion.first_slice - wanted, 0) + np.maximum(wanted - lesion.last_slice, 0)
        margin = (MARGIN_MM / column_mm * grid.scale_x, MARGIN_MM / row_mm * grid.scale_y)
        window = _window(boxes, margin, organ.shares.shape[2:])
        start = first - organ.first_slice
        return cls(slice(start, max(start + len(wanted), start)), boxes, margin, beyond, window)

    @property
    def empty(self) -> bool:
        return len(self.boxes) == 0

    def depth(self, slices: slice, window: tuple[slice, slice]) -> NDArray[np.float32]:
        """(k, h, w) distance of each pixel from the centre of the box: 1 on its border, more beyond the lesion.

        Infinite where the lesion claims nothing.
        """
        rows = np.arange(window[0].start, window[0].stop) + 0.5
        columns = np.arange(window[1].start, window[1].stop) + 0.5
        chosen = slice(slices.start - self.slices.start, slices.stop - self.slices.start)
        x_min, y_min, x_max, y_max = (axis[:, None, None] for axis in self.boxes[chosen].T)
        half_x, half_y = np.maximum(x_max - x_min, 1) / 2, np.maximum(y_max - y_min, 1) / 2
        from_x = np.abs(columns[None, None, :] - (x_min + x_max) / 2)
        from_y = np.abs(rows[None, :, None] - (y_min + y_max) / 2)
        outside = (from_x > half_x + self.margin[0]) | (from_y > half_y + self.margin[1])
        depth = np.maximum(from_x / half_x, from_y / half_y) + self.beyond[chosen, None, None]
        return np.asarray(np.where(outside, np.inf, depth), dtype=np.float32)


def _window(boxes: NDArray[np.float64], margin: tuple[float, float], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of the input that hold all boxes with their margin and one more pixel."""
    if len(boxes) == 0:
        return slice(0, 0), slice(0, 0)
    low = np.floor(boxes[:, :2].min(axis=0) - margin).astype(int) - 1
    high = np.ceil(boxes[:, 2:].max(axis=0) + margin).astype(int) + 1
    (left, top), (right, bottom) = np.clip(low, 0, shape[::-1]), np.clip(high, 0, shape[::-1])
    return slice(int(top), int(bottom)), slice(int(left), int(right))


def _mask_of(index: int, claims: Sequence[_Claim], organ: OrganVolume, geometry: VolumeGeometry) -> LesionMask | None:
    from scipy import ndimage

    claim = claims[index]
    if claim.empty:
        return None
    shares = organ.shares[claim.slices, LESION, claim.window[0], claim.window[1]]
    above = shares >= organ.lesion_threshold * _FULL
    depth = claim.depth(claim.slices, claim.window)
    owned = above & np.isfinite(depth)
    for number, other in enumerate(claims):
        if number != index and not other.empty:
            _give_up(owned, depth, claim, other, other_first=number < index)
    parts, _ = ndimage.label(owned, _CONNECTED)
    begun = np.unique(parts[owned & (depth <= 1)])
    kept = np.isin(parts, begun[begun > 0])
    areas = kept.sum(axis=(1, 2))
    if not len(areas) or areas.max() < SMALLEST_LESION_PX:
        return None
    shown = np.flatnonzero(areas)
    first, last = int(shown[0]), int(shown[-1])
    cleared = np.where(above & ~kept, 0, shares).astype(np.uint8)[first : last + 1]
    cleared[~kept[first : last + 1].any(axis=(1, 2))] = 0
    return LesionMask(
        np.pad(cleared, ((0, 0), (1, 1), (1, 1))),
        organ.lesion_threshold,
        organ.first_slice + claim.slices.start + first,
        claim.window[1].start - 1,
        claim.window[0].start - 1,
        MaskGrid.of(organ.transform, geometry),
    )


def _give_up(
    owned: NDArray[np.bool_], depth: NDArray[np.float32], claim: _Claim, other: _Claim, *, other_first: bool
) -> None:
    """Clears in `owned` what lies deeper in the other lesion; of equal depths, the first lesion keeps the voxel."""
    shared = [
        slice(max(mine.start, theirs.start), min(mine.stop, theirs.stop))
        for mine, theirs in zip((claim.slices, *claim.window), (other.slices, *other.window), strict=True)
    ]
    if any(part.start >= part.stop for part in shared):
        return
    starts = (claim.slices.start, claim.window[0].start, claim.window[1].start)
    own = tuple(slice(part.start - start, part.stop - start) for part, start in zip(shared, starts, strict=True))
    theirs = other.depth(shared[0], (shared[1], shared[2]))
    lost = theirs <= depth[own] if other_first else theirs < depth[own]
    owned[own] &= ~(lost & np.isfinite(theirs))
