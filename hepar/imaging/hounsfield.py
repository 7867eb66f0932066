"""Grey levels of a DICOM frame: of Hounsfield units where the file states them, else of the file's own window."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage

from hepar.imaging.body import TISSUE_HU
from hepar.imaging.contrast import check_contrast
from hepar.imaging.ct_image import GreyImage, Window
from hepar.imaging.derived_maps import map_term
from hepar.imaging.errors import UnreadableImage, UnsupportedImage
from hepar.imaging.functional_groups import element, frame_element, frame_groups
from hepar.imaging.stored_values import StoredFormat

_TRANSFORMATION = "PixelValueTransformationSequence"
CT_CLASSES = (CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)
_DARKEST_AIR_HU = -900.0
_HU_MAX, _IMPLAUSIBLE_SHARE = 32_767, 0.01
_SCREENSHOTS = {"SCREEN SAVE", "SCREENSAVE", "SCREEN CAPTURE", "SCREEN SHOT", "SCREENSHOT"}
"""Scanners' terms for a secondary capture, which may be stored as a CT object."""


@dataclass(frozen=True)
class Rescale:
    """output = slope * stored + intercept.  unit: RescaleType, None where it is not stated."""

    slope: float
    intercept: float
    unit: str | None


@dataclass(frozen=True)
class GreyLevels:
    """pixels: (rows, columns) uint8.  warnings: see CtImage.

    tissue: (rows, columns), true where there is no air; None without Hounsfield units.
    """

    pixels: GreyImage
    tissue: NDArray[np.bool_] | None
    warnings: tuple[str, ...]


def grey_levels(
    dataset: Dataset,
    index: int,
    form: StoredFormat,
    values: NDArray[np.int32],
    padding: NDArray[np.bool_],
    window: Window,
) -> GreyLevels:
    """With a warning where the file has no Hounsfield units.

    Padding becomes black, as air is. MONOCHROME1 inverts the file's own window, and never Hounsfield units: networks
    see air as black.
    Raises UnsupportedImage for a map of something else, UnreadableImage for a slice without contrast.
    """
    rescale = _rescale(dataset, index)
    _check_kind(dataset, index, rescale)
    without = _why_no_hounsfield_units(dataset, index, rescale, form, values, padding)
    if without is None:
        hu = _rescaled(dataset, rescale, values)
        _check_range(hu, padding)
        grey, tissue = window.to_grey(hu), (hu > TISSUE_HU) & ~padding
    else:
        grey = _own_window(dataset, index, _rescaled(dataset, rescale, values), padding)
        tissue = None
    grey[padding] = 0
    check_contrast(grey, f"between {window.low_hu:g} and {window.high_hu:g} HU" if without is None else "")
    return GreyLevels(grey, tissue, () if without is None else (without,))


def hounsfield_units(
    dataset: Dataset, index: int, form: StoredFormat, values: NDArray[np.int32], padding: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(rows, columns) Hounsfield units; those of padding mean nothing.

    Raises UnsupportedImage for a map of something else and for a file without Hounsfield units, UnreadableImage for
    implausible values.
    """
    rescale = _rescale(dataset, index)
    _check_kind(dataset, index, rescale)
    if _why_no_hounsfield_units(dataset, index, rescale, form, values, padding) is not None:
        raise UnsupportedImage("the file's values are not Hounsfield units")
    hu = _rescaled(dataset, rescale, values)
    _check_range(hu, padding)
    return hu


def _check_kind(dataset: Dataset, index: int, rescale: Rescale | None) -> None:
    """Raises UnsupportedImage for a perfusion map and the like."""
    description = element(dataset, "SeriesDescription")
    unit = None if rescale is None else rescale.unit
    found = map_term(_type_terms(dataset, index), None if description is None else str(description), unit)
    if found is not None:
        raise UnsupportedImage(f"a derived map ({found.term} in {found.element}) is not read; send the CT slice itself")


def _type_terms(dataset: Dataset, index: int) -> list[str]:
    """The values of the frame's own type, which outranks the object's, in upper case."""
    kind = frame_element(dataset, index, "CTImageFrameTypeSequence", "FrameType") or element(dataset, "ImageType") or ()
    return [str(term).strip().upper() for term in ([kind] if isinstance(kind, str) else kind)]


def _words(term: str) -> str:
    """The words of a term in upper case, separated by spaces."""
    return " ".join(re.findall(r"[A-Z0-9]+", term))


def _is_secondary_capture(dataset: Dataset, index: int) -> bool:
    sop_class = element(dataset, "SOPClassUID")
    if (sop_class is not None and sop_class not in CT_CLASSES) or element(dataset, "ConversionType") is not None:
        return True
    return not _SCREENSHOTS.isdisjoint(map(_words, _type_terms(dataset, index)[2:]))


def _rescale(dataset: Dataset, index: int) -> Rescale | None:
    for group in frame_groups(dataset, index, _TRANSFORMATION):
        slope, intercept = (_finite(element(group, name), name) for name in ("RescaleSlope", "RescaleIntercept"))
        if slope is None and intercept is None:
            continue
        if slope == 0:
            raise UnreadableImage("RescaleSlope is 0")
        unit = element(group, "RescaleType")
        return Rescale(
            1.0 if slope is None else slope, intercept or 0.0, None if unit is None else str(unit).strip().upper()
        )
    return None


def _why_no_hounsfield_units(
    dataset: Dataset,
    index: int,
    rescale: Rescale | None,
    form: StoredFormat,
    values: NDArray[np.int32],
    padding: NDArray[np.bool_],
) -> str | None:
    """A warning, or None where the values are Hounsfield units.

    A CT object need not state its RescaleType where that is HU (PS3.3, C.8.2.1.1.6). It is believed only where the
    stored values can be those of air: copies of a window carry a slope of 1 and an intercept of 0. With such a rescale
    at least one value has to be negative, as fat and air are; signed values of a copy could be, but are not.
    """
    if rescale is None:
        tables = element(dataset, "ModalityLUTSequence")
        if tables and str(element(tables[0], "ModalityLUTType")).strip().upper() == "HU":
            return None
        return "The file has no Hounsfield units; it was read in its own window."
    if rescale.unit == "HU":
        return None
    if rescale.unit is not None:
        return "The file's RescaleType is not HU: it has no Hounsfield units; it was read in its own window."
    if _is_secondary_capture(dataset, index):
        return "The file is a secondary capture: it has no Hounsfield units; it was read in its own window."
    ends = (form.minimum() * rescale.slope + rescale.intercept, form.maximum() * rescale.slope + rescale.intercept)
    is_copy = (rescale.slope, rescale.intercept) == (1, 0) and values[~padding].min() >= 0
    if min(ends) > _DARKEST_AIR_HU or is_copy:
        return "The file's values cannot be Hounsfield units; it was read in its own window."
    return None


def _rescaled(dataset: Dataset, rescale: Rescale | None, values: NDArray[np.int32]) -> NDArray[np.float32]:
    """The output of the modality transformation; the stored values where there is none."""
    if rescale is not None:
        return values.astype(np.float32) * np.float32(rescale.slope) + np.float32(rescale.intercept)
    if element(dataset, "ModalityLUTSequence"):
        return np.asarray(apply_modality_lut(values, dataset), dtype=np.float32)
    return values.astype(np.float32)


def _check_range(hu: NDArray[np.float32], padding: NDArray[np.bool_]) -> None:
    """Raises UnreadableImage where negative values were written as large ones: metal has some 30,000 HU at most."""
    if np.count_nonzero((hu > _HU_MAX) & ~padding) > _IMPLAUSIBLE_SHARE * hu.size:
        raise UnreadableImage(
            f"many values are over {_HU_MAX} HU: PixelRepresentation is wrong, or padding without PixelPaddingValue"
        )


def _own_window(dataset: Dataset, index: int, shown: NDArray[np.float32], padding: NDArray[np.bool_]) -> GreyImage:
    """Grey levels in the window or look-up table of the file, or of all values where it has none."""
    for group in frame_groups(dataset, index, "FrameVOILUTSequence"):
        if element(group, "VOILUTSequence"):
            shown = np.asarray(apply_voi_lut(shown.astype(np.int32), group), dtype=np.float32)
            break
        if (limits := _window(group)) is not None:
            shown = np.clip(shown, *limits)
            break
    inside = shown[~padding]
    low, high = float(inside.min()), float(inside.max())
    grey = np.clip(np.rint((shown - low) * (255 / ((high - low) or 1.0))), 0, 255).astype(np.uint8)
    return np.asarray(255 - grey if dataset.PhotometricInterpretation == "MONOCHROME1" else grey)


def _window(group: Dataset) -> tuple[float, float] | None:
    """The lowest and the highest value of the first window (PS3.3, C.11.2.1.2); None where it has no extent."""
    centre, width = (_finite(_first(element(group, name)), name) for name in ("WindowCenter", "WindowWidth"))
    if centre is None or width is None or width <= 1:
        return None
    return centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2


def _first(value: object) -> object:
    return value[0] if isinstance(value, MultiValue) else value


def _finite(value: object, name: str) -> float | None:
    if value is None:
        return None
    try:
        number = float(str(value))
    except ValueError:
        raise UnreadableImage(f"{name} is not one decimal number") from None
    if not math.isfinite(number) or abs(number) > 1e6:
        raise UnreadableImage(f"{name} is not a number in a plausible range")
    return number
