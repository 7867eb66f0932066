"""A CT volume: slices in standard radiological display, and where they lie in the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class VolumeGeometry:
    """Where a volume's voxels lie in the patient, in DICOM's coordinates (x to the left, y to the back, z to the head).

    shape: slices, rows, columns.  spacing_mm: between slices, rows and columns.
    origin_mm: centre of voxel (0, 0, 0).  slice_direction, row_direction, column_direction: unit vectors in which the
    index of slice, row and column grows.
    """

    shape: tuple[int, int, int]
    spacing_mm: Vector
    origin_mm: Vector = (0.0, 0.0, 0.0)
    slice_direction: Vector = (0.0, 0.0, 1.0)
    row_direction: Vector = (0.0, 1.0, 0.0)
    column_direction: Vector = (1.0, 0.0, 0.0)

    @property
    def affine(self) -> NDArray[np.float64]:
        """(4, 4): index (slice, row, column, 1) to millimetres (x, y, z, 1)."""
        matrix = np.eye(4)
        directions = (self.slice_direction, self.row_direction, self.column_direction)
        for axis, (direction, spacing_mm) in enumerate(zip(directions, self.spacing_mm, strict=True)):
            matrix[:3, axis] = np.multiply(direction, spacing_mm)
        matrix[:3, 3] = self.origin_mm
        return matrix

    def to_patient_mm(self, indices: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, 3) slice, row, column, with 0 at a voxel's centre, to (n, 3) x, y, z in millimetres."""
        affine = self.affine
        return np.asarray(indices @ affine[:3, :3].T + affine[:3, 3])

    @property
    def voxel_ml(self) -> float:
        return float(np.prod(self.spacing_mm)) / 1000
