"""What the headers of a study's DICOM files state, as far as the reading of a volume needs it."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from pydicom import Dataset
from pydicom.multival import MultiValue

from hepar.contracts.limits import FRAMES_MAX
from hepar.imaging.decoding import check_size, decoder_errors
from hepar.imaging.dicom import check_pixels, frame_count
from hepar.imaging.dicom_file import looks_like_dicom, read_header
from hepar.imaging.errors import ImageTooLarge, UnreadableImage, UnsupportedImage
from hepar.imaging.functional_groups import element, frame_element
from hepar.imaging.hounsfield import CT_CLASSES
from hepar.imaging.orientation import image_directions, pixel_spacing, stated_numbers
from hepar.imaging.study.files import FileRef
from hepar.imaging.volume import Vector

_TEXT_CHARACTERS_MAX = 128
_UID = re.compile(r"[0-9.]{1,64}")
_DATE = re.compile(r"(\d{4})[.-]?(\d{2})[.-]?(\d{2})")
_TIME = re.compile(r"(\d{2}):?(\d{2}):?(\d{2}(?:\.\d{1,6})?)?")
_DAY_S = 86_400.0


@dataclass(frozen=True)
class PatientHeader:
    """issuer: of the id.  None: not stated."""

    id: str | None
    issuer: str | None
    name: str | None
    birth_date: str | None
    sex: str | None


@dataclass(frozen=True)
class StudyHeader:
    """date: YYYY-MM-DD.  None: not stated."""

    uid: str | None
    accession_number: str | None
    date: str | None
    description: str | None


@dataclass(frozen=True)
class FrameHeader:
    """One slice of a file.

    index: of the frame, from 0; None in a file without frames.  position_mm: centre of the first pixel.
    along_row, along_column: unit vectors in which columns and rows of the raster increase.
    spacing_mm: between rows and between columns.  image_type: terms in upper case.
    acquired_s, bolus_s: time of day of the acquisition and of the start of the contrast agent.
    acquisition: number that tells acquisitions of one series apart.
    """

    index: int | None
    position_mm: Vector | None
    along_row: Vector | None
    along_column: Vector | None
    spacing_mm: tuple[float, float] | None
    thickness_mm: float | None
    image_type: tuple[str, ...]
    acquired_s: float | None
    bolus_s: float | None
    acquisition: int | None


@dataclass(frozen=True)
class InstanceHeader:
    """A DICOM object (PS3.3, C.7 and C.8.2). None: not stated.

    has_contrast: whether a contrast agent was given.
    """

    ref: FileRef
    sop_instance_uid: str
    sop_class_uid: str | None
    series_uid: str | None
    frame_of_reference_uid: str | None
    patient: PatientHeader
    study: StudyHeader
    series_number: int | None
    series_description: str | None
    instance_number: int | None
    modality: str | None
    kernel: str | None
    has_contrast: bool | None
    is_secondary_capture: bool
    rows: int
    columns: int
    frames: tuple[FrameHeader, ...]


def read_instance(content: bytes, ref: FileRef) -> InstanceHeader:
    """The header of a DICOM file; for CT its pixel data is checked to be there, but not decoded.

    Raises UnreadableImage, UnsupportedImage, ImageTooLarge, whatever the bytes are.
    """
    with decoder_errors(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values; what they warn of is checked
        if not looks_like_dicom(content):
            raise UnsupportedImage("the preamble of the DICOM file is neither zeros nor a TIFF header")
        header = read_header(content)
        dataset = header.dataset
        if _text(dataset, "Modality") == "CT":
            if header.pixels is None and header.ends_too_early():
                raise UnreadableImage("the DICOM file ends before its pixel data")
            check_pixels(dataset, check_size, header.pixel_bytes())
        elif header.pixels is None and header.ends_too_early():
            raise UnreadableImage("the DICOM file ends too early")
        return _instance(dataset, ref)


def _instance(dataset: Dataset, ref: FileRef) -> InstanceHeader:
    contrast = _text(dataset, "ContrastBolusAgent") or element(dataset, "ContrastBolusAgentSequence")
    sop_class = _uid(dataset, "SOPClassUID") or _uid(dataset.file_meta, "MediaStorageSOPClassUID")
    sop_instance = _uid(dataset, "SOPInstanceUID") or _uid(dataset.file_meta, "MediaStorageSOPInstanceUID")
    if sop_instance is None:
        raise UnreadableImage("SOPInstanceUID is missing or not a UID")
    return InstanceHeader(
        ref=ref,
        sop_instance_uid=sop_instance,
        sop_class_uid=sop_class,
        series_uid=_uid(dataset, "SeriesInstanceUID"),
        frame_of_reference_uid=_uid(dataset, "FrameOfReferenceUID"),
        patient=PatientHeader(
            _text(dataset, "PatientID"),
            _text(dataset, "IssuerOfPatientID"),
            _text(dataset, "PatientName"),
            _date(dataset, "PatientBirthDate"),
            _text(dataset, "PatientSex"),
        ),
        study=StudyHeader(
            _uid(dataset, "StudyInstanceUID"),
            _text(dataset, "AccessionNumber"),
            _date(dataset, "StudyDate"),
            _text(dataset, "StudyDescription"),
        ),
        series_number=_whole(dataset, "SeriesNumber"),
        series_description=_text(dataset, "SeriesDescription"),
        instance_number=_whole(dataset, "InstanceNumber"),
        modality=_text(dataset, "Modality"),
        kernel=_kernel(dataset),
        has_contrast=True if contrast else (False if "ContrastBolusAgent" in dataset else None),
        is_secondary_capture=sop_class is not None and sop_class not in CT_CLASSES,
        rows=_whole(dataset, "Rows") or 0,
        columns=_whole(dataset, "Columns") or 0,
        frames=_frames(dataset),
    )


def _frames(dataset: Dataset) -> tuple[FrameHeader, ...]:
    count = frame_count(dataset)
    if count > FRAMES_MAX:
        raise ImageTooLarge(f"over {FRAMES_MAX} frames")
    has_frames = element(dataset, "NumberOfFrames") is not None and count > 1
    return tuple(_frame(dataset, index, index if has_frames else None) for index in range(count))


def _frame(dataset: Dataset, place: int, index: int | None) -> FrameHeader:
    position = stated_numbers(
        frame_element(dataset, place, "PlanePositionSequence", "ImagePositionPatient"), "ImagePositionPatient", 3
    )
    directions = image_directions(frame_element(dataset, place, "PlaneOrientationSequence", "ImageOrientationPatient"))
    kind = frame_element(dataset, place, "CTImageFrameTypeSequence", "FrameType") or element(dataset, "ImageType")
    acquired = frame_element(dataset, place, "FrameContentSequence", "FrameAcquisitionDateTime")
    return FrameHeader(
        index=index,
        position_mm=None if position is None else vector(position),
        along_row=None if directions is None else vector(_unit(directions[0])),
        along_column=None if directions is None else vector(_unit(directions[1])),
        spacing_mm=pixel_spacing(frame_element(dataset, place, "PixelMeasuresSequence", "PixelSpacing")),
        thickness_mm=_positive(_optional(dataset, place, "PixelMeasuresSequence", "SliceThickness")),
        image_type=tuple(str(term).strip().upper()[:_TEXT_CHARACTERS_MAX] for term in _items(kind)),
        acquired_s=_time_of_day(str(acquired)[8:] if acquired else _text(dataset, "AcquisitionTime")),
        bolus_s=_time_of_day(_text(dataset, "ContrastBolusStartTime")),
        acquisition=_whole(dataset, "AcquisitionNumber"),
    )


def _optional(dataset: Dataset, place: int, sequence: str, name: str) -> object:
    """An element that the volume does not depend on; None where its value cannot be read."""
    try:
        return frame_element(dataset, place, sequence, name)
    except UnreadableImage:
        return None


def _value(dataset: Dataset, name: str) -> object:
    try:
        return element(dataset, name)
    except UnreadableImage:
        return None


def _items(value: object) -> Sequence[object]:
    if value is None:
        return ()
    return value if isinstance(value, MultiValue) else (value,)


def _text(dataset: Dataset, name: str) -> str | None:
    """One line of printable characters; None where there are none."""
    value = _value(dataset, name)
    text = "\\".join(str(item) for item in _items(value))[: 4 * _TEXT_CHARACTERS_MAX]
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:_TEXT_CHARACTERS_MAX] or None


def _uid(dataset: Dataset, name: str) -> str | None:
    text = _text(dataset, name)
    return text if text is not None and _UID.fullmatch(text) else None


def _whole(dataset: Dataset, name: str) -> int | None:
    value = _value(dataset, name)
    try:
        number = int(str(value))
    except ValueError:
        return None
    return number if abs(number) < 2**31 else None


def _date(dataset: Dataset, name: str) -> str | None:
    found = _DATE.fullmatch(_text(dataset, name) or "")
    try:
        return None if found is None else date(*map(int, found.groups())).isoformat()
    except ValueError:
        return None


def _time_of_day(text: str | None) -> float | None:
    """Seconds since midnight, of a TM value, or of a DT value without its date."""
    found = _TIME.match(text or "")
    if found is None:
        return None
    seconds = int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3] or 0)
    return seconds if seconds < _DAY_S else None


def _kernel(dataset: Dataset) -> str | None:
    value = _optional(dataset, 0, "CTReconstructionSequence", "ConvolutionKernel")
    text = " ".join(str(item) for item in _items(value))
    return " ".join(text.split())[:_TEXT_CHARACTERS_MAX] or None


def _positive(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) and 0 < number < 1000 else None


def _unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.linalg.norm(vector))


def vector(numbers: Sequence[float] | np.ndarray) -> Vector:
    x, y, z = (float(number) for number in numbers)
    return x, y, z
