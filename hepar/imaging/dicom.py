"""Decoding of one frame of a DICOM CT object: Hounsfield units, then grey levels."""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import config
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.pixels.processing import apply_voi_lut
from pydicom.pixels.utils import pixel_array
from pydicom.tag import BaseTag
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
    UID_dictionary,
)

from hepar.contracts.limits import FRAMES_MAX
from hepar.imaging.ct_image import CtImage, Window
from hepar.imaging.errors import ImageTooLarge, UnreadableImage, UnsupportedImage
from hepar.imaging.file_values import MODALITIES, quoted_number, quoted_term
from hepar.imaging.orientation import dicom_orientation, pixel_aspect, pixel_spacing, refuse_localiser

# Its warnings quote values, and a value may be a patient's name. The values that are used are checked here.
config.settings.reading_validation_mode = config.IGNORE

INFLATED_BYTES_MAX = 256 * 1024 * 1024
_PREAMBLE_BYTES = 128
_UNCOMPRESSED = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
_COMPRESSED = (
    RLELossless, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless,
    JPEGLSNearLossless, JPEG2000Lossless, JPEG2000,
)  # fmt: skip


def looks_like_dicom(content: bytes) -> bool:
    """DICM after a preamble of zeros or a TIFF header; another preamble may be a program (CVE-2019-11687)."""
    if content[_PREAMBLE_BYTES : _PREAMBLE_BYTES + 4] != b"DICM":
        return False
    preamble = content[:_PREAMBLE_BYTES]
    return not any(preamble) or preamble[:4] in (b"II*\x00", b"MM\x00*")


def decode_dicom(
    content: bytes, window: Window, check_size: Callable[[int, int], None], frame: int | None = None
) -> CtImage:
    """Reads one CT slice. The transfer syntax and the sizes are checked before anything is inflated or decoded.

    check_size: called with (width, height) before pixels are touched.  frame: from 0; the first by default.
    Raises UnsupportedImage, UnreadableImage, ImageTooLarge; other errors come from pydicom, for damaged files.
    """
    meta = _file_meta(content)
    syntax = UID(str(meta.get("TransferSyntaxUID", "")))
    if syntax not in _UNCOMPRESSED and syntax not in _COMPRESSED:
        name = syntax.name if syntax in UID_dictionary else "unknown"
        raise UnsupportedImage(f"DICOM transfer syntax {name} is not read; send it uncompressed")
    if syntax == DeflatedExplicitVRLittleEndian:
        dataset = _inflated(content, meta)
    else:
        dataset = pydicom.dcmread(io.BytesIO(content))
    if dataset.get("Modality") != "CT":
        modality = quoted_term(dataset.Modality, MODALITIES) if "Modality" in dataset else "missing"
        raise UnsupportedImage(f"the DICOM object's modality is {modality}, not CT")
    index, notes = _frame_index(dataset, frame)
    refuse_localiser(_from_group(dataset, index, "CTImageFrameTypeSequence", "FrameType") or dataset.get("ImageType"))
    _check_pixels(dataset, syntax, check_size)
    stored = np.asarray(pixel_array(dataset, index=index), dtype=np.float32)
    if stored.ndim != 2:
        raise UnsupportedImage("only greyscale DICOM is read")
    grey, unit_notes = _grey(dataset, index, stored, window)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        grey = np.asarray(255 - grey, dtype=np.uint8)
    image = _displayed(dataset, index, grey)
    return replace(image, warnings=(*notes, *unit_notes, *image.warnings))


def _file_meta(content: bytes) -> pydicom.Dataset:
    """Only the file meta group: dcmread would inflate a deflated data set before its size can be checked."""
    file = io.BytesIO(content)
    file.seek(_PREAMBLE_BYTES + 4)

    def beyond_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        return bool(tag.group != 2)

    return read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=beyond_meta)


def _inflated(content: bytes, meta: pydicom.Dataset) -> pydicom.Dataset:
    """Inflates at most INFLATED_BYTES_MAX. Raises ImageTooLarge."""
    start = _PREAMBLE_BYTES + 4 + 12 + int(meta.FileMetaInformationGroupLength)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    body = inflater.decompress(content[start:], INFLATED_BYTES_MAX)
    if inflater.unconsumed_tail:
        raise ImageTooLarge(f"over {INFLATED_BYTES_MAX} bytes when inflated")
    dataset = read_dataset(io.BytesIO(body), is_implicit_VR=False, is_little_endian=True)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def _frame_index(dataset: pydicom.Dataset, frame: int | None) -> tuple[int, list[str]]:
    """The index of the frame, and a note where there are others. Raises ImageTooLarge, UnreadableImage."""
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    if frames > FRAMES_MAX:
        raise ImageTooLarge(f"{quoted_number(frames)} frames; at most {FRAMES_MAX}")
    if frame is not None and not 0 <= frame < frames:
        raise UnreadableImage(f"there is no frame {frame}: the object has {frames}, counted from 0")
    if frames > 1 and frame is None:
        return 0, [f"The object has {frames} frames; the first was read."]
    return frame or 0, []


def _check_pixels(dataset: pydicom.Dataset, syntax: UID, check_size: Callable[[int, int], None]) -> None:
    if "PixelData" not in dataset:
        raise UnreadableImage("the DICOM object has no pixels")
    if int(dataset.SamplesPerPixel) != 1:
        raise UnsupportedImage("only greyscale DICOM is read")
    width, height = int(dataset.Columns), int(dataset.Rows)
    check_size(width, height)
    if int(dataset.BitsAllocated) not in (8, 16):
        bits = quoted_number(int(dataset.BitsAllocated))
        raise UnsupportedImage(f"{bits} bits a pixel are not read; 8 and 16 are")
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    expected = width * height * frames * int(dataset.BitsAllocated) // 8
    if syntax in _UNCOMPRESSED and len(dataset.PixelData) < expected:
        raise UnreadableImage("the DICOM object ends before its last pixel")


def _grey(
    dataset: pydicom.Dataset, index: int, stored: NDArray[np.float32], window: Window
) -> tuple[NDArray[np.uint8], list[str]]:
    """Grey levels of Hounsfield units in `window`; without a rescale, of the stored values in the file's own window."""
    slope = _from_group(dataset, index, "PixelValueTransformationSequence", "RescaleSlope")
    intercept = _from_group(dataset, index, "PixelValueTransformationSequence", "RescaleIntercept")
    if slope is not None or intercept is not None:
        scale = _finite(1 if slope is None else slope, "RescaleSlope")
        return window.to_grey(stored * scale + _finite(0 if intercept is None else intercept, "RescaleIntercept")), []
    shown = np.asarray(stored, dtype=np.float32)
    if "WindowCenter" in dataset or "VOILUTSequence" in dataset:
        shown = np.asarray(apply_voi_lut(stored, dataset), dtype=np.float32)
    spread = float(np.ptp(shown)) or 1.0
    scaled = np.asarray(np.rint((shown - shown.min()) * (255 / spread)), dtype=np.uint8)
    return scaled, ["The file has no Hounsfield units; it was read in its own window."]


def _from_group(dataset: pydicom.Dataset, index: int, sequence: str, name: str) -> Any:  # noqa: ANN401  any element
    """An element of the object, or of the frame's functional groups (PS3.3 C.7.6.16); None where it is missing."""
    if name in dataset:
        return dataset[name].value
    for groups, place in (("PerFrameFunctionalGroupsSequence", index), ("SharedFunctionalGroupsSequence", 0)):
        items = dataset.get(groups)
        if items and place < len(items) and items[place].get(sequence):
            inner = items[place][sequence][0]
            if name in inner:
                return inner[name].value
    return None


def _finite(value: object, name: str) -> float:
    number = float(str(value))
    if not math.isfinite(number) or abs(number) > 1e6:
        raise UnreadableImage(f"{name} is not a number in a plausible range")
    return number


def _displayed(dataset: pydicom.Dataset, index: int, grey: NDArray[np.uint8]) -> CtImage:
    """An axial slice in standard display: columns increase to the patient's left, rows to the back."""
    stated = dicom_orientation(
        _from_group(dataset, index, "PlaneOrientationSequence", "ImageOrientationPatient"),
        dataset.get("PatientOrientation"),
    )
    spacing_mm = pixel_spacing(_from_group(dataset, index, "PixelMeasuresSequence", "PixelSpacing"))
    return CtImage(
        np.ascontiguousarray(stated.orientation.to_display(grey)),
        "DICOM",
        spacing_mm,
        stated.warnings,
        stated.orientation,
        pixel_aspect(spacing_mm, dataset.get("PixelAspectRatio")),
        stated.sides_known,
    )
