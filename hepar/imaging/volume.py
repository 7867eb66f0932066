"""A CT volume: slices in standard radiological display, and where they lie in the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.studies import UnreadableFile
from hepar.imaging.ct_image import LIVER_WINDOW, Window
from hepar.imaging.geometry import Geometry

AIR_HU = -1024

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


@dataclass(frozen=True)
class SliceSource:
    """The image that a slice of a volume was made from.

    file: its position in the upload, from 0.  frame: of a multi-frame object, from 0; None where there are none.
    geometry: between its pixels as sent and the slice.  position_mm: centre of its first pixel as sent.
    is_exact: False where the slice lies between images, of which this is the nearest.
    UIDs are None for NIfTI.
    """

    file: int
    frame: int | None
    sop_instance_uid: str | None
    sop_class_uid: str | None
    geometry: Geometry
    position_mm: Vector
    is_exact: bool = True


@dataclass(frozen=True)
class CtVolume:
    """hu: (slices, rows, columns) Hounsfield units from the feet to the head, each in standard radiological display.

    Pixels are square up to rounding. What the scanner did not reconstruct is air (AIR_HU); nothing is below.
    sources: of each slice.  warnings: what a reader of the result should know.  series_uid, frame_of_reference_uid:
    None for NIfTI, or where the files do not state it.  unreadable: images of the series that could not be decoded.
    """

    hu: NDArray[np.int16]
    geometry: VolumeGeometry
    sources: tuple[SliceSource, ...]
    warnings: tuple[str, ...] = ()
    series_uid: str | None = None
    frame_of_reference_uid: str | None = None
    unreadable: tuple[UnreadableFile, ...] = ()

    def windowed(self, start: int, stop: int, window: Window = LIVER_WINDOW) -> NDArray[np.uint8]:
        """(stop - start, rows, columns) grey levels of the slices from `start` to before `stop`, for the networks."""
        return grey_levels(self.hu[start:stop], window)


def grey_levels(hu: NDArray[np.int16], window: Window) -> NDArray[np.uint8]:
    """(slices, rows, columns) Hounsfield units as grey levels; one slice at a time stays in the processor's cache."""
    grey = np.empty(hu.shape, dtype=np.uint8)
    for index, pixels in enumerate(hu):
        grey[index] = window.to_grey(pixels.astype(np.float32))
    return grey
