"""Uncompressed single-frame DICOM CT to Hounsfield units to grey."""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
import pydicom
from pydicom import config
from pydicom.filereader import read_dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from hepar.imaging.ct_image import CtImage, Window
from hepar.imaging.errors import UnreadableImage, UnsupportedImage

# Its warnings quote values, and a value may be a name: what we need is checked here, the rest does not matter.
config.settings.reading_validation_mode = config.IGNORE

_PREAMBLE_BYTES = 128
_READABLE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian)
_AXIAL = (1, 0, 0, 0, 1, 0)


def looks_like_dicom(content: bytes) -> bool:
    """The DICM prefix after a preamble of zeros or with TIFF magic; others may hide a program (CVE-2019-11687)."""
    if content[_PREAMBLE_BYTES : _PREAMBLE_BYTES + 4] != b"DICM":
        return False
    preamble = content[:_PREAMBLE_BYTES]
    return not any(preamble) or preamble[:4] in (b"II*\x00", b"MM\x00*")


def decode_dicom(content: bytes, window: Window, check_size: Callable[[int, int], None]) -> CtImage:
    """Reads one CT slice. The transfer syntax is looked at before anything is inflated or parsed.

    check_size: called with (width, height) before pixels are touched.
    Raises UnsupportedImage and UnreadableImage; pydicom's own errors pass through to the caller's guard.
    """
    syntax = _transfer_syntax(content)
    if syntax not in _READABLE:
        raise UnsupportedImage(
            f"DICOM transfer syntax {syntax.name or 'unknown'} is not read yet; send it uncompressed"
        )
    dataset = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=False)
    if dataset.get("Modality") != "CT":
        raise UnsupportedImage(f"the DICOM object's modality is {dataset.get('Modality', 'missing')}, not CT")
    if "PixelData" not in dataset:
        raise UnreadableImage("the DICOM object has no pixels")
    if int(dataset.get("NumberOfFrames", 1) or 1) != 1 or int(dataset.SamplesPerPixel) != 1:
        raise UnsupportedImage("only single-frame greyscale DICOM is read yet")
    width, height = int(dataset.Columns), int(dataset.Rows)
    check_size(width, height)
    if len(dataset.PixelData) < width * height * int(dataset.BitsAllocated) // 8:
        raise UnreadableImage("the DICOM object ends before its last pixel")
    slope = _finite(dataset.get("RescaleSlope", 1), "RescaleSlope")
    intercept = _finite(dataset.get("RescaleIntercept", 0), "RescaleIntercept")
    hu = dataset.pixel_array.astype(np.float32) * slope + intercept
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        hu = hu.max() + hu.min() - hu
    return CtImage(window.to_grey(hu), "DICOM", _spacing(dataset), tuple(_notes(dataset)))


def _transfer_syntax(content: bytes) -> UID:
    """From the file meta group alone: dcmread would inflate a deflated data set, however large, before we know."""
    file = io.BytesIO(content)
    file.seek(_PREAMBLE_BYTES + 4)

    def beyond_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        return bool(tag.group != 2)

    meta = read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=beyond_meta)
    return UID(str(meta.get("TransferSyntaxUID", "")))


def _finite(value: object, name: str) -> float:
    number = float(str(value))
    if not math.isfinite(number) or abs(number) > 1e6:
        raise UnreadableImage(f"{name} is not a sensible number")
    return number


def _spacing(dataset: pydicom.Dataset) -> tuple[float, float] | None:
    values = dataset.get("PixelSpacing")
    if not isinstance(values, MultiValue) or len(values) != 2:
        return None
    rows, columns = float(values[0]), float(values[1])
    sensible = all(math.isfinite(value) and 0.01 < value < 50 for value in (rows, columns))
    return (rows, columns) if sensible else None


def _notes(dataset: pydicom.Dataset) -> list[str]:
    orientation = dataset.get("ImageOrientationPatient")
    if orientation is None:
        return ["The file does not say how the patient lies; standard radiological display is assumed."]
    if any(abs(float(value) - axis) > 0.1 for value, axis in zip(orientation, _AXIAL, strict=True)):
        return ["The slice is not a standard axial one; the result may be wrong."]
    return []
