"""Diameters, volume and centre of a lesion. Pure; formulas with their sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.lesions import Axis, Point, SliceBox
from hepar.ensemble.lesion_masks import Ring
from hepar.imaging.volume import VolumeGeometry

MEASURABLE_MM = 10.0
MEASURABLE_THICKNESSES = 2.0
"""RECIST 1.1 (Eisenhauer et al., Eur. J. Cancer 45, 2009, section 3.1.1): 10 mm, and twice the slice thickness."""
_LENGTH_DIGITS = 1
_POINT_DIGITS = 2


class SlicedRegions(Protocol):
    """What is measured: a mask, or outlines."""

    @property
    def first_slice(self) -> int: ...

    @property
    def last_slice(self) -> int: ...

    def regions(self, slice_index: int) -> Sequence[tuple[Ring, ...]]:
        """Connected parts in a slice: the outer ring of each, then its holes, in pixels of the slice."""
        ...


@dataclass(frozen=True)
class Measurement:
    """volume_ml: None on a box.  first_slice, last_slice: that the mask or the boxes show."""

    measured_on: Literal["mask", "box"]
    first_slice: int
    last_slice: int
    centre_mm: Point
    long_axis: Axis
    short_axis: Axis
    volume_ml: float | None

    def measurable(self, slice_thickness_mm: float) -> bool:
        needed_mm = max(MEASURABLE_MM, MEASURABLE_THICKNESSES * slice_thickness_mm)
        return self.long_axis.length_mm >= needed_mm


@dataclass(frozen=True)
class _Chord:
    """Two points of a slice, (2, 2) x and y in pixels."""

    points: NDArray[np.float64]
    length_mm: float


def measure_mask(mask: SlicedRegions, geometry: VolumeGeometry) -> Measurement:
    """Measures the outline of a mask; its border lies between pixels.

    The long axis is the longest distance between two points of one connected part in one slice, the short axis the
    longest chord perpendicular to it through the same part. Both may leave a part that is not convex.
    """
    spacing_mm, row_mm, column_mm = geometry.spacing_mm
    pixel_mm = np.array([column_mm, row_mm])
    best: tuple[float, int, Ring] | None = None
    moments, volume_mm3 = np.zeros(3), 0.0
    for index in range(mask.first_slice, mask.last_slice + 1):
        for rings in mask.regions(index):
            area_px, centre = _area_and_centre(rings)
            volume_mm3 += area_px * row_mm * column_mm * spacing_mm
            moments += area_px * np.array([index, centre[1] - 0.5, centre[0] - 0.5])
            length_mm = _diameter(rings[0] * pixel_mm)[0]
            if best is None or length_mm > best[0]:
                best = (length_mm, index, rings[0])
    if best is None:
        raise ValueError("the mask is empty")
    _, key_slice, ring = best
    long_axis, short_axis = _axes(ring, pixel_mm)
    total_px = volume_mm3 / (row_mm * column_mm * spacing_mm)
    return Measurement(
        "mask",
        mask.first_slice,
        mask.last_slice,
        _point(geometry.to_patient_mm((moments / total_px)[None])[0]),
        _axis(long_axis, key_slice, geometry),
        _axis(short_axis, key_slice, geometry),
        round(volume_mm3 / 1000, 3),
    )


def measure_boxes(boxes: Sequence[SliceBox], geometry: VolumeGeometry) -> Measurement:
    """The sides of the box with the longest side in mm, through its centre. boxes: at least one, by slice."""
    _, row_mm, column_mm = geometry.spacing_mm
    sides_mm = np.array([((box.x_max - box.x_min) * column_mm, (box.y_max - box.y_min) * row_mm) for box in boxes])
    box = boxes[int(sides_mm.max(axis=1).argmax())]
    x, y = (box.x_min + box.x_max) / 2, (box.y_min + box.y_max) / 2
    across = _Chord(np.array([(box.x_min, y), (box.x_max, y)]), (box.x_max - box.x_min) * column_mm)
    down = _Chord(np.array([(x, box.y_min), (x, box.y_max)]), (box.y_max - box.y_min) * row_mm)
    long_axis, short_axis = (across, down) if across.length_mm >= down.length_mm else (down, across)
    centres = np.array(
        [(each.slice, (each.y_min + each.y_max) / 2 - 0.5, (each.x_min + each.x_max) / 2 - 0.5) for each in boxes]
    )
    centre = np.average(centres, axis=0, weights=sides_mm.prod(axis=1))
    return Measurement(
        "box",
        boxes[0].slice,
        boxes[-1].slice,
        _point(geometry.to_patient_mm(centre[None])[0]),
        _axis(long_axis, box.slice, geometry),
        _axis(short_axis, box.slice, geometry),
        None,
    )


def _axes(ring: Ring, pixel_mm: NDArray[np.float64]) -> tuple[_Chord, _Chord]:
    ring_mm = ring * pixel_mm
    length_mm, ends_mm = _diameter(ring_mm)
    direction = (ends_mm[1] - ends_mm[0]) / length_mm
    across_mm = _longest_perpendicular(ring_mm, direction)
    across_length_mm = float(np.linalg.norm(across_mm[1] - across_mm[0]))
    return _Chord(ends_mm / pixel_mm, length_mm), _Chord(across_mm / pixel_mm, across_length_mm)


def _diameter(points: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Longest distance between two of (n, 2) points, and the two. They are corners of the convex hull."""
    from scipy.spatial import ConvexHull
    from scipy.spatial.distance import pdist, squareform

    corners = points[ConvexHull(points).vertices]
    distances = squareform(pdist(corners))
    one, other = np.unravel_index(int(distances.argmax()), distances.shape)
    return float(distances[one, other]), corners[[one, other]]


def _longest_perpendicular(ring: Ring, direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, 2): the ends of the longest chord of a closed ring that is perpendicular to a unit vector.

    Between two corners the length of the chord is linear in the position along the direction, so that the longest
    chord passes through a corner.
    """
    normal = np.array([-direction[1], direction[0]])
    along, across = ring @ direction, ring @ normal
    positions = along[:-1]
    start, end = along[:-1], along[1:]
    crossed = (np.minimum(start, end) <= positions[:, None]) & (positions[:, None] <= np.maximum(start, end))
    extent = end - start
    share = np.divide(positions[:, None] - start, extent, out=np.zeros_like(crossed, dtype=float), where=extent != 0)
    height = across[:-1] + share * (across[1:] - across[:-1])
    low = np.where(crossed, height, np.inf).min(axis=1)
    high = np.where(crossed, height, -np.inf).max(axis=1)
    longest = int((high - low).argmax())
    return np.asarray(positions[longest] * direction + np.outer([low[longest], high[longest]], normal))


def _area_and_centre(rings: Sequence[Ring]) -> tuple[float, NDArray[np.float64]]:
    """Of a polygon with holes: area, and centre of gravity as x and y (Bourke, 1988)."""
    area, moments = 0.0, np.zeros(2)
    for number, ring in enumerate(rings):
        corner = ring[0]
        x, y = (ring - corner).T
        cross = x[:-1] * y[1:] - x[1:] * y[:-1]
        signed = float(cross.sum() / 2)
        centre = np.array([((x[:-1] + x[1:]) * cross).sum(), ((y[:-1] + y[1:]) * cross).sum()]) / (6 * signed)
        part = abs(signed) if number == 0 else -abs(signed)
        area += part
        moments += part * (centre + corner)
    return area, moments / area


def _axis(chord: _Chord, slice_index: int, geometry: VolumeGeometry) -> Axis:
    x_y = chord.points
    indices = np.column_stack([np.full(2, slice_index), x_y[:, 1] - 0.5, x_y[:, 0] - 0.5])
    start_mm, end_mm = geometry.to_patient_mm(indices)
    (start_x, start_y), (end_x, end_y) = np.round(x_y, _POINT_DIGITS).tolist()
    return Axis(
        length_mm=max(round(chord.length_mm, _LENGTH_DIGITS), 10**-_LENGTH_DIGITS),
        slice=slice_index,
        start_mm=_point(start_mm),
        end_mm=_point(end_mm),
        start_px=(start_x, start_y),
        end_px=(end_x, end_y),
    )


def _point(values: NDArray[np.floating]) -> Point:
    x, y, z = np.round(values, _POINT_DIGITS).tolist()
    return x, y, z
