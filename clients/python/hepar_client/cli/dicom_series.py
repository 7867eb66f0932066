"""The place of a slice in its DICOM series."""

from __future__ import annotations

import re
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset

_TAGS = ["SeriesInstanceUID", "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient"]


@dataclass(frozen=True)
class SlicePosition:
    """Orders slices: by instance number; slices without one, or with the same, by their position.

    along_normal_mm: ImagePositionPatient projected on the normal of the slice (PS3.3, C.7.6.2.1.1).
    """

    series_uid: str = ""
    instance_number: int = 0
    along_normal_mm: float = 0.0


def slice_position(file: Path) -> SlicePosition:
    """What cannot be read is left at its default; the gateway reports what is wrong with the file."""
    import pydicom  # takes a third of a second, which only DICOM needs
    from pydicom.errors import InvalidDicomError

    # What pydicom raises for damaged files.
    damaged = (
        InvalidDicomError, OSError, EOFError, ValueError, TypeError, KeyError, AttributeError, NotImplementedError,
        OverflowError, struct.error,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(_TAGS), force=True)
            series_uid = str(dataset.get("SeriesInstanceUID") or "")
            instance_number = int(dataset.get("InstanceNumber") or 0)
            return SlicePosition(series_uid, instance_number, _along_normal_mm(dataset))
        except damaged:
            return SlicePosition()


def _along_normal_mm(dataset: Dataset) -> float:
    position, orientation = dataset.get("ImagePositionPatient"), dataset.get("ImageOrientationPatient")
    if position is None or orientation is None or len(position) != 3 or len(orientation) != 6:
        return 0.0
    x, y, z = map(float, position)
    row_x, row_y, row_z, column_x, column_y, column_z = map(float, orientation)
    return (
        x * (row_y * column_z - row_z * column_y)
        + y * (row_z * column_x - row_x * column_z)
        + z * (row_x * column_y - row_y * column_x)
    )


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """A sort key in which numbers are compared as numbers: slice9 comes before slice10."""
    parts = re.split(r"([0-9]+)", name)
    return [(1, int(part), part) if index % 2 else (0, 0, part) for index, part in enumerate(parts)]
