"""From what a file states about its orientation and pixel size to the orientation that the networks see."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from hepar.imaging.errors import UnreadableImage, UnsupportedImage
from hepar.imaging.geometry import AS_SENT, Orientation

ASPECT_MAX = 8.0
"""A pixel may be this many times as high as wide, or as wide as high."""

_SPACING_MM_MIN, _SPACING_MM_MAX = 0.01, 50.0
_DENSITY_ROUNDING = 0.01
_ALIGNED = 0.9
_AXIAL = math.sqrt(0.5)
_NO_ORIENTATION = "The file does not state the patient's orientation; standard radiological display is assumed."
REORIENTED = "The slice was turned to standard radiological display; coordinates refer to the image as sent."
_EXIF_APPLIED = "The picture was turned by its EXIF orientation; coordinates refer to its pixels as stored."
_LOCALISERS = ("LOCALIZER", "LOCALISER", "SCOUT", "TOPOGRAM", "SURVIEW")
"""The standard's term, and those of scanners."""
_PLANES = ("sagittal", "coronal", "axial")
_PATIENT_AXES = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "H": (2, 1), "F": (2, -1)}
_EXIF_ORIENTATIONS = {
    2: Orientation(flipped_x=True),
    3: Orientation(flipped_x=True, flipped_y=True),
    4: Orientation(flipped_y=True),
    5: Orientation(transposed=True),
    6: Orientation(transposed=True, flipped_x=True),
    7: Orientation(transposed=True, flipped_x=True, flipped_y=True),
    8: Orientation(transposed=True, flipped_y=True),
}

Directions = tuple[np.ndarray, np.ndarray]
"""Unit vectors along a row and along a column: x to the patient's left, y to the back, z to the head."""


@dataclass(frozen=True)
class StatedOrientation:
    """sides_known: whether the file states how the patient lies."""

    orientation: Orientation
    sides_known: bool
    warnings: tuple[str, ...]


def exif_orientation(picture: Image.Image) -> StatedOrientation:
    """picture: as opened, before `load`, which turns a TIFF."""
    orientation = _EXIF_ORIENTATIONS.get(picture.getexif().get(ExifTags.Base.Orientation, 1), AS_SENT)
    return StatedOrientation(orientation, False, () if orientation == AS_SENT else (_EXIF_APPLIED,))


def picture_aspect(info: Mapping[str | tuple[int, int], Any]) -> float:
    """Height of a pixel divided by its width, from the density that a picture states.

    info: Pillow's, whose densities are pixels across and down per inch or per an unknown unit.
    Returns 1 where the densities differ by no more than rounding, or implausibly.
    """
    density = info.get("dpi") or info.get("aspect") or info.get("jfif_density") or (1, 1)
    across, down = (float(value) for value in density)
    aspect = across / down if across > 0 and down > 0 else 1.0
    plausible = 1 / ASPECT_MAX <= aspect <= ASPECT_MAX and abs(aspect - 1) > _DENSITY_ROUNDING
    return aspect if plausible else 1.0


def dicom_orientation(image_orientation: object, patient_orientation: object) -> StatedOrientation:
    """The orientation of a slice from ImageOrientationPatient, or else from PatientOrientation.

    Both are values of elements, None where they are missing (PS3.3 C.7.6.2.1.1 and C.7.6.1.1.1).
    Raises UnsupportedImage for a slice that is not axial, UnreadableImage for values that are no orientation.
    """
    directions = image_directions(image_orientation) or _directions_of_patient(patient_orientation)
    if directions is None:
        return StatedOrientation(AS_SENT, False, (_NO_ORIENTATION,))
    along_row, along_column = directions
    normal = np.abs(np.cross(along_row, along_column))
    if normal[2] < _AXIAL:
        plane = _PLANES[int(normal.argmax())] if normal.max() >= _ALIGNED else "oblique"
        raise UnsupportedImage(f"the slice is {plane}; only axial slices are read")
    transposed = bool(abs(along_row[0]) < abs(along_row[1]))
    if transposed:
        along_row, along_column = along_column, along_row
    orientation = Orientation(transposed, bool(along_row[0] < 0), bool(along_column[1] < 0))
    warnings = [] if orientation == AS_SENT else [REORIENTED]
    aligned = min(abs(float(along_row[0])), abs(float(along_column[1])))
    if aligned < _ALIGNED:
        degrees = round(math.degrees(math.acos(aligned)))
        warnings.append(f"The slice is {degrees} degrees off a standard axial one; the result may be wrong.")
    return StatedOrientation(orientation, True, tuple(warnings))


def is_localiser(image_type: object) -> bool:
    """image_type: value of ImageType or FrameType (PS3.3 C.8.2.1.1.1)."""
    return any(str(value).strip().upper() in _LOCALISERS for value in _values(image_type)[2:])


def refuse_localiser(image_type: object) -> None:
    """image_type: as for `is_localiser`. Raises UnsupportedImage."""
    if is_localiser(image_type):
        raise UnsupportedImage("the image is a localiser; only axial slices are read")


def pixel_spacing(value: object) -> tuple[float, float] | None:
    """PixelSpacing in mm, between rows and between columns; None where it is missing or not plausible."""
    if len(values := _values(value)) != 2:
        return None
    down, across = (float(str(item)) for item in values)
    return (down, across) if all(_SPACING_MM_MIN < mm < _SPACING_MM_MAX for mm in (down, across)) else None


def pixel_aspect(spacing_mm: tuple[float, float] | None, aspect_ratio: object) -> float:
    """Height of a pixel divided by its width, from the spacing, or else from PixelAspectRatio (PS3.3 C.7.6.3.1.7).

    spacing_mm: between rows and between columns.  aspect_ratio: value of the element, None where it is missing.
    Raises UnreadableImage for a ratio over ASPECT_MAX.
    """
    down, across = spacing_mm or stated_numbers(aspect_ratio, "PixelAspectRatio", 2) or (1.0, 1.0)
    aspect = down / across if down > 0 and across > 0 else math.inf
    if not 1 / ASPECT_MAX <= aspect <= ASPECT_MAX:
        name = "PixelSpacing" if spacing_mm else "PixelAspectRatio"
        raise UnreadableImage(f"{name} states sides of a pixel that differ by more than a factor of {ASPECT_MAX:g}")
    return aspect


def image_directions(value: object) -> Directions | None:
    """Of ImageOrientationPatient; None where it is missing or empty. Raises UnreadableImage."""
    numbers = stated_numbers(value, "ImageOrientationPatient", 6)
    if numbers is None:
        return None
    along_row, along_column = np.array(numbers[:3]), np.array(numbers[3:])
    lengths = np.linalg.norm(along_row), np.linalg.norm(along_column)
    if max(abs(length - 1) for length in lengths) > 0.1 or abs(along_row @ along_column) > 0.1:
        raise UnreadableImage("ImageOrientationPatient is not two perpendicular directions of length 1")
    return along_row, along_column


def _directions_of_patient(value: object) -> Directions | None:
    """The nearest axes: the first letter of each value. None for anything but two different axes of a person."""
    letters = [str(item).strip().upper()[:1] for item in _values(value)]
    axes = [_PATIENT_AXES[letter] for letter in letters if letter in _PATIENT_AXES]
    if len(letters) != 2 or len(axes) != 2 or axes[0][0] == axes[1][0]:
        return None
    along_row, along_column = (np.eye(3)[axis] * sign for axis, sign in axes)
    return along_row, along_column


def _values(value: object) -> Sequence[object]:
    if value is None or value == "":
        return ()
    return value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)


def stated_numbers(value: object, name: str, count: int) -> list[float] | None:
    """None where the element is missing or empty. Raises UnreadableImage."""
    values = _values(value)
    if not values:
        return None
    if len(values) != count:
        raise UnreadableImage(f"{name} has {len(values)} values, not {count}")
    try:
        numbers = [float(str(item)) for item in values]
    except ValueError:
        raise UnreadableImage(f"{name} is not made of numbers") from None
    if not all(math.isfinite(number) and abs(number) <= 1e6 for number in numbers):
        raise UnreadableImage(f"{name} is not made of plausible numbers")
    return numbers
