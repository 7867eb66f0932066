"""Decoding of one frame of a DICOM CT object: Hounsfield units, then grey levels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pydicom

from hepar.contracts.limits import FRAMES_MAX
from hepar.imaging.body import body_box
from hepar.imaging.ct_image import CtImage, Window
from hepar.imaging.dicom_file import UNCOMPRESSED, read_dicom
from hepar.imaging.errors import ImageTooLarge, UnreadableImage, UnsupportedImage
from hepar.imaging.file_values import quoted_number, quoted_term
from hepar.imaging.functional_groups import element, frame_element, whole_number
from hepar.imaging.hounsfield import GreyLevels, grey_levels
from hepar.imaging.orientation import dicom_orientation, pixel_aspect, pixel_spacing, refuse_localiser
from hepar.imaging.pixel_data import frame_values
from hepar.imaging.stored_values import padding_mask, stored_format

_COLOURS = {
    "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_PARTIAL_422", "YBR_ICT", "YBR_RCT",
    "HSV", "ARGB", "CMYK", "XYB",
}  # fmt: skip
_OTHER_SPACINGS = ("ImagerPixelSpacing", "NominalScannedPixelSpacing")
"""At the detector or on a film: they tell the shape of a pixel, but not its size in the patient."""


def decode_dicom(
    content: bytes, window: Window, check_size: Callable[[int, int], None], frame: int | None = None
) -> CtImage:
    """Reads one CT slice. The transfer syntax and the sizes are checked before anything is inflated or decoded.

    check_size: called with (width, height) before pixels are touched.  frame: from 0; the first by default.
    Raises UnsupportedImage, UnreadableImage, ImageTooLarge; other errors come from pydicom, for damaged files.
    """
    dataset = read_dicom(content)
    index, notes = _frame_index(dataset, frame)
    refuse_localiser(
        frame_element(dataset, index, "CTImageFrameTypeSequence", "FrameType") or element(dataset, "ImageType")
    )
    check_pixels(dataset, check_size, len(dataset.PixelData))
    form, container = stored_format(dataset), frame_values(dataset, index)
    padding = padding_mask(dataset, form, container)
    if padding.all():
        raise UnreadableImage("every pixel is padding, as PixelPaddingValue states it")
    levels = grey_levels(dataset, index, form, form.values(container), padding, window)
    image = _displayed(dataset, index, levels)
    return replace(image, warnings=(*notes, *levels.warnings, *image.warnings))


def frame_count(dataset: pydicom.Dataset) -> int:
    """Raises UnreadableImage where it is not a whole number."""
    return 1 if element(dataset, "NumberOfFrames") is None else max(1, whole_number(dataset, "NumberOfFrames"))


def _frame_index(dataset: pydicom.Dataset, frame: int | None) -> tuple[int, list[str]]:
    """The index of the frame, and a note where there are others. Raises ImageTooLarge, UnreadableImage."""
    frames = frame_count(dataset)
    if frames > FRAMES_MAX:
        raise ImageTooLarge(f"{quoted_number(frames)} frames; at most {FRAMES_MAX}")
    if frame is not None and not 0 <= frame < frames:
        raise UnreadableImage(f"there is no frame {frame}: the object has {frames}, counted from 0")
    if frames > 1 and frame is None:
        return 0, [f"The object has {frames} frames; the first was read."]
    return frame or 0, []


def check_pixels(dataset: pydicom.Dataset, check_size: Callable[[int, int], None], pixel_bytes: int) -> None:
    """What the header states of the pixels, before any is decoded.

    check_size: called with (width, height).  pixel_bytes: of the pixel data, as the file has it.
    Raises UnsupportedImage, UnreadableImage, ImageTooLarge.
    """
    kind = element(dataset, "PhotometricInterpretation")
    if kind is None:
        raise UnreadableImage("PhotometricInterpretation is missing")
    if kind not in ("MONOCHROME1", "MONOCHROME2"):
        found = quoted_term(kind, _COLOURS)
        raise UnsupportedImage(f"only greyscale DICOM is read (MONOCHROME1, MONOCHROME2), not {found}")
    if whole_number(dataset, "SamplesPerPixel") != 1:
        raise UnsupportedImage("only greyscale DICOM is read; SamplesPerPixel is not 1")
    width, height = whole_number(dataset, "Columns"), whole_number(dataset, "Rows")
    check_size(width, height)
    bits = whole_number(dataset, "BitsAllocated")
    if bits not in (8, 16):
        raise UnsupportedImage(f"{quoted_number(bits)} bits a pixel are not read; 8 and 16 are")
    frames = frame_count(dataset)
    expected = width * height * frames * bits // 8
    if dataset.file_meta.TransferSyntaxUID in UNCOMPRESSED and pixel_bytes < expected:
        raise UnreadableImage("the DICOM object ends before its last pixel")


def _displayed(dataset: pydicom.Dataset, index: int, levels: GreyLevels) -> CtImage:
    """An axial slice in standard display: columns increase to the patient's left, rows to the back."""
    stated = dicom_orientation(
        frame_element(dataset, index, "PlaneOrientationSequence", "ImageOrientationPatient"),
        element(dataset, "PatientOrientation"),
    )
    spacing_mm = pixel_spacing(frame_element(dataset, index, "PixelMeasuresSequence", "PixelSpacing"))
    elsewhere = (pixel_spacing(element(dataset, name)) for name in _OTHER_SPACINGS)
    shape_mm = spacing_mm or next(filter(None, elsewhere), None)
    return CtImage(
        np.ascontiguousarray(stated.orientation.to_display(levels.pixels)),
        "DICOM",
        spacing_mm,
        stated.warnings,
        stated.orientation,
        pixel_aspect(shape_mm, element(dataset, "PixelAspectRatio")),
        stated.sides_known,
        None if levels.tissue is None else body_box(stated.orientation.to_display(levels.tissue)),
    )
