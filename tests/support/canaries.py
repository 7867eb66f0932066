"""DICOM objects with a canary in their elements: a text that stands for a patient's name, undamaged and damaged."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import numpy as np
import pydicom
from pydicom._dicom_dict import DicomDictionary
from pydicom.config import disable_value_validation
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataset import FileDataset
from pydicom.tag import BaseTag, Tag

from tests.support.pictures import ct_dataset, dicom_bytes, multi_frame

CANARY = "KANARI4711"
"""Fits every VR of characters."""
DIGITS = "98765432123"
"""In numbers as text."""
FORGED = '{"level": "ERROR", "message": "forged"}'
CANARIES = (CANARY, DIGITS, "forged")
_TEXT = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "UI", "AS", "DA", "DT", "TM")
_NUMBERS = ("DS", "IS")
_DAMAGED_COPIES = 24
_HU = np.tile(np.linspace(-200, 400, 64).astype(np.int32), (48, 1))
_READ = (
    "BitsAllocated", "BitsStored", "Columns", "CTAcquisitionTypeSequence", "FrameOfReferenceUID", "FrameType",
    "HighBit", "ImageOrientationPatient", "ImagePositionPatient", "ImageType", "Modality", "NumberOfFrames",
    "PatientID", "PatientName", "PatientOrientation", "PatientPosition", "PhotometricInterpretation",
    "PixelAspectRatio", "PixelPaddingRangeLimit", "PixelPaddingValue", "PixelRepresentation", "PixelSpacing",
    "PlanarConfiguration", "RescaleIntercept", "RescaleSlope", "RescaleType", "Rows", "SOPClassUID", "SamplesPerPixel",
    "SpecificCharacterSet", "SliceThickness", "WindowCenter", "WindowWidth",
)  # fmt: skip
"""Elements that decoding may read, and those that name a patient."""


def canary_files() -> dict[str, bytes]:
    """By what was done to the file."""
    whole = dict(_whole())
    return whole | dict(_each_read_element()) | dict(_damaged()) | dict(_whole_damaged(whole))


def _whole() -> Iterator[tuple[str, bytes]]:
    """A canary in every element of the standard's dictionary that holds text, all in one object."""
    for name, dataset in (("slice", ct_dataset(_HU)), ("frames", multi_frame(2))):
        for number, (vr, *_others) in DicomDictionary.items():
            tag = Tag(number)
            value = CANARY if vr in _TEXT else DIGITS if vr in _NUMBERS else None
            if value and tag not in dataset and tag.group > 2 and keyword_for_tag(tag) != "SpecificCharacterSet":
                _put(dataset, tag, vr, value)
        yield f"every element, {name}", dicom_bytes(dataset)


def _whole_damaged(whole: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """The same objects, cut anywhere, and with bytes changed in every part of them. The same in every run."""
    chance = random.Random(20)  # noqa: S311
    for name, content in whole.items():
        for number in range(_DAMAGED_COPIES):
            yield f"{name}, cut {number}", content[: chance.randrange(200, len(content))]
            changed = bytearray(content)
            for _ in range(4 * (number + 1)):
                changed[chance.randrange(132, len(changed))] ^= chance.randrange(1, 256)
            yield f"{name}, changed {number}", bytes(changed)


def _each_read_element() -> Iterator[tuple[str, bytes]]:
    """The canary in one element at a time, in its own VR and as text; also with a forged line of a log."""
    for keyword in _READ:
        for kind, value in (("canary", CANARY), ("digits", DIGITS), ("line", f"{CANARY}\n{FORGED}\n")):
            yield f"{kind} in {keyword}", _with_text(keyword, value)


def _damaged() -> Iterator[tuple[str, bytes]]:
    """A patient's name in front of, in and after each element that is read, under damaged headers of elements."""
    for keyword in _READ:
        content = _with_text("PatientName", CANARY)
        named = content.index(CANARY.encode()) - 8
        number = tag_for_keyword(keyword)
        assert number is not None
        tag = struct.pack("<HH", Tag(number).group, Tag(number).element)
        yield f"the name under the tag of {keyword}", content[:named] + tag + content[named + 4 :]
        for vr in (b"IS", b"US", b"CS", b"SQ", b"\n{"):
            renamed = content[:named] + tag + vr + content[named + 6 :]
            yield f"the name as {vr!r} under the tag of {keyword}", renamed
    whole = dicom_bytes(_named_patient())
    named = whole.index(CANARY.encode())
    for place in range(named - 40, named + 40):
        changed = bytearray(whole)
        changed[place] ^= 0x2A
        yield f"byte {place - named} from the name changed", bytes(changed)
    for cut in range(named - 16, named + 48, 4):
        yield f"cut {cut - named} from the name", whole[:cut]


def _named_patient() -> FileDataset:
    dataset = ct_dataset(_HU)
    for keyword in ("PatientName", "PatientID", "StudyDescription", "InstitutionName"):
        setattr(dataset, keyword, CANARY)
    return dataset


def _with_text(keyword: str, value: str) -> bytes:
    """The element as bytes of our own: pydicom would refuse the text of most."""
    dataset = ct_dataset(_HU)
    number = tag_for_keyword(keyword)
    assert number is not None
    dataset.pop(number, None)
    content = dicom_bytes(dataset)
    vr = dictionary_VR(number)
    text = value.encode().ljust(len(value) + len(value) % 2)
    head = struct.pack("<HH", Tag(number).group, Tag(number).element) + (vr if vr in _TEXT else "LO").encode()
    if vr in ("UC", "UR", "UT"):
        head += struct.pack("<HI", 0, len(text))
    else:
        head += struct.pack("<H", len(text))
    place = content.index(struct.pack("<HH", 8, 0x18))  # SOPInstanceUID: near the start of the data set
    return content[:place] + head + text + content[place:]


def _put(dataset: pydicom.Dataset, tag: BaseTag, vr: str, value: str) -> None:
    with disable_value_validation():
        dataset.add_new(tag, vr, value)
