"""The source files' headers, reduced to valid values of what derived objects take over.

Files from outside may state anything. Derived objects must be valid, so values that the standard forbids become empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import numpy as np
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import CTImageStorage

from .context import OutputContext, SourceSlice

UTF_8 = "ISO_IR 192"
_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")
_AGE = re.compile(r"\d{3}[DWMY]")
_NAME_GROUP_LENGTH_MAX = 64


def study_attributes(context: OutputContext) -> Dataset:
    """Attributes of the patient and the study (PS3.3 C.7.1.1 and C.7.2.1), all present, in UTF-8.

    They come from the first slice, so that all derived objects agree where the files do not.
    """
    return patient_and_study(context.sources[0].header if context.sources else Dataset(), context.uid("study"))


def patient_and_study(header: Dataset, study_uid: str) -> Dataset:
    """As `study_attributes`, from one header. study_uid: where it states none."""
    attributes = Dataset()
    attributes.SpecificCharacterSet = UTF_8
    for keyword, valid in _ATTRIBUTES.items():
        setattr(attributes, keyword, valid(_text(header, keyword)))
    for keyword in _OPTIONAL:
        if not attributes.get(keyword):
            delattr(attributes, keyword)
    attributes.StudyInstanceUID = _uid(header, "StudyInstanceUID") or study_uid
    return attributes


def source_headers(context: OutputContext) -> list[Dataset]:
    """One image header per slice: the study's attributes, identifiers, and the position of the raster as stored.

    Without the patient's name: highdicom writes names that it finds odd to the log. `name_patient` adds it.
    """
    shared = study_attributes(context)
    first = context.sources[0].header
    shared.FrameOfReferenceUID = _uid(first, "FrameOfReferenceUID") or context.uid("frame of reference")
    shared.PositionReferenceIndicator = ""
    shared.SeriesInstanceUID = _uid(first, "SeriesInstanceUID") or context.uid("source series")
    shared.Modality, shared.PatientName = "CT", ""
    return [_image_header(context, index, source, shared) for index, source in enumerate(context.sources)]


def name_patient(context: OutputContext, instance: Dataset) -> None:
    """For objects made from `source_headers`."""
    instance.SpecificCharacterSet = UTF_8
    instance.PatientName = study_attributes(context).PatientName


def distinct_images(headers: list[Dataset]) -> list[Dataset]:
    """Each image once: slices that lie between images name the nearest one."""
    return list({str(header.SOPInstanceUID): header for header in headers}.values())


def text_value(value: str, length_max: int = 64) -> str:
    """A value without characters that separate or end values."""
    return _CONTROL.sub(" ", value).strip()[:length_max].strip()


def _image_header(context: OutputContext, index: int, source: SourceSlice, shared: Dataset) -> Dataset:
    header = Dataset()
    header.update(shared)
    header.SOPClassUID = _uid(source.header, "SOPClassUID") or CTImageStorage
    header.SOPInstanceUID = _uid(source.header, "SOPInstanceUID") or context.uid(f"source {index}")
    header.InstanceNumber = index + 1
    _state_position(header, context, index)
    return header


def _state_position(header: Dataset, context: OutputContext, index: int) -> None:
    """Rows, Columns and the image plane (PS3.3 C.7.6.2) of the raster as stored.

    As the file states them, because readers compare positions as text, or else from the volume's geometry.
    """
    stated, image = context.sources[index].header, context.sources[index].geometry
    header.Rows, header.Columns = image.height, image.width
    header.SliceThickness = round(context.geometry.spacing_mm[0], 6)
    centres = np.array([[0.5, 0.5], [1.5, 0.5], [0.5, 1.5]])
    display = image.to_display(centres) * np.array(context.geometry.shape[:0:-1]) / image.display_size - 0.5
    indices = np.column_stack([np.full(3, float(index)), display[:, 1], display[:, 0]])
    first, next_column, next_row = context.geometry.to_patient_mm(indices)
    steps = next_column - first, next_row - first
    across_mm, down_mm = (float(np.linalg.norm(step)) for step in steps)
    computed = {
        "ImagePositionPatient": first,
        "ImageOrientationPatient": np.concatenate([steps[0] / across_mm, steps[1] / down_mm]),
        "PixelSpacing": np.array([down_mm, across_mm]),
    }
    for keyword, values in computed.items():
        exact = stated.get(keyword) or [round(value, 6) + 0.0 for value in values.tolist()]
        setattr(header, keyword, [float(value) for value in exact])


def _text(header: Dataset, keyword: str) -> str:
    """The first value, where a file states more."""
    value = header.get(keyword)
    if isinstance(value, MultiValue):
        value = value[0] if value else None
    return "" if value is None else str(value)


def _uid(header: Dataset, keyword: str) -> str:
    value = _text(header, keyword).strip()
    return value if _UID.fullmatch(value) and len(value) <= 64 else ""


def _date(value: str) -> str:
    try:
        return date.fromisoformat(value).strftime("%Y%m%d") if len(value) == 8 else ""
    except ValueError:
        return ""


def _time(value: str) -> str:
    return value if _TIME.fullmatch(value) else ""


def _name(value: str) -> str:
    """At most three groups of at most 64 characters and five parts (PS3.5 6.2)."""
    groups = ("^".join(group.split("^")[:5]) for group in value.split("=")[:3])
    return "=".join(text_value(group, _NAME_GROUP_LENGTH_MAX) for group in groups)


def _identifier(length_max: int) -> Callable[[str], str]:
    """Empty where it is too long: a part of an identifier could be another patient's."""
    return lambda value: text_value(value, len(value)) if len(value) <= length_max else ""


def _matching(pattern: re.Pattern[str]) -> Callable[[str], str]:
    return lambda value: value if pattern.fullmatch(value) else ""


_ATTRIBUTES: dict[str, Callable[[str], str]] = {
    "PatientID": _identifier(64),
    "IssuerOfPatientID": _identifier(64),
    "PatientName": _name,
    "PatientBirthDate": _date,
    "PatientSex": _matching(re.compile("[MFO]")),
    "PatientAge": _matching(_AGE),
    "AccessionNumber": _identifier(16),
    "StudyID": _identifier(16),
    "StudyDate": _date,
    "StudyTime": _time,
    "StudyDescription": text_value,
    "ReferringPhysicianName": _name,
}
_OPTIONAL = ("IssuerOfPatientID", "PatientAge", "StudyDescription")
