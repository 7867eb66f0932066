"""A slice as sent turned to standard display with square pixels, and where it then lies in the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hepar.imaging.geometry import Geometry, Orientation
from hepar.imaging.volume import AIR_HU

Array = NDArray[np.float64]
_SQUARE_TOLERANCE = 0.01
_HU_MAX = 32_767


@dataclass(frozen=True)
class Plane:
    """A raster in the patient.

    shape: rows and columns.  origin_mm: centre of its first pixel.  row_step_mm, column_step_mm: from there to the next
    row and to the next column.
    """

    shape: tuple[int, int]
    origin_mm: Array
    row_step_mm: Array
    column_step_mm: Array

    def turned(self, orientation: Orientation) -> Plane:
        """The same pixels after `orientation.to_display`."""
        shape, steps = list(self.shape), [self.row_step_mm, self.column_step_mm]
        if orientation.transposed:
            shape.reverse()
            steps.reverse()
        origin_mm = self.origin_mm
        for axis, is_flipped in enumerate((orientation.flipped_y, orientation.flipped_x)):
            if is_flipped:
                origin_mm = origin_mm + steps[axis] * (shape[axis] - 1)
                steps[axis] = -steps[axis]
        return Plane((shape[0], shape[1]), origin_mm, steps[0], steps[1])

    def with_square_pixels(self) -> Plane:
        """The same extent, with pixels of the shorter side, as `square` makes them."""
        lengths_mm = [float(np.linalg.norm(step)) for step in (self.row_step_mm, self.column_step_mm)]
        shape, steps, origin_mm = list(self.shape), [self.row_step_mm, self.column_step_mm], self.origin_mm
        for axis, length_mm in enumerate(lengths_mm):
            if length_mm > (1 + _SQUARE_TOLERANCE) * min(lengths_mm):
                count = round(shape[axis] * length_mm / min(lengths_mm))
                step = steps[axis] * (shape[axis] / count)
                origin_mm = origin_mm + (step - steps[axis]) / 2
                shape[axis], steps[axis] = count, step
        return Plane((shape[0], shape[1]), origin_mm, steps[0], steps[1])

    def geometry(self, orientation: Orientation) -> Geometry:
        """Of pixels as sent; self is the raster as sent."""
        rows, columns = self.shape
        aspect = float(np.linalg.norm(self.row_step_mm) / np.linalg.norm(self.column_step_mm))
        is_square = 1 / (1 + _SQUARE_TOLERANCE) <= aspect <= 1 + _SQUARE_TOLERANCE
        return Geometry(columns, rows, orientation, 1.0 if is_square else aspect, sides_known=True)


def square(slice_hu: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """(rows, columns) in display orientation, enlarged to the shape of a plane with square pixels."""
    if slice_hu.shape == shape:
        return slice_hu
    picture = Image.fromarray(np.ascontiguousarray(slice_hu))
    return np.asarray(picture.resize((shape[1], shape[0]), Image.Resampling.BILINEAR), dtype=np.float32)


def as_int16(hu: NDArray[np.floating] | NDArray[np.int16]) -> NDArray[np.int16]:
    """Whole Hounsfield units; nothing is darker than air."""
    whole = hu if hu.dtype == np.int16 else np.rint(hu)
    return np.asarray(np.clip(whole, AIR_HU, _HU_MAX), dtype=np.int16)
