"""CT images that state an identifying value in every attribute of the table of PS3.15, at the top and deeper."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.config import disable_value_validation
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataset import FileDataset
from pydicom.tag import BaseTag, Tag

from hepar.imaging.deidentification.profile import table
from tests.support.pictures import ct_dataset, dicom_bytes

NAME, NUMBER, UID, DAY, TIME = "KANARI4711", "98765432123", "1.2.98765432123.4", "19560413", "041356"
CANARIES = tuple(value.encode() for value in (NAME, NUMBER, DAY, TIME))
_TEXT = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "AS")
_VALUES: dict[str, Any] = {
    **dict.fromkeys(_TEXT, NAME), "DS": NUMBER, "IS": NUMBER, "UI": UID, "DA": DAY, "TM": TIME, "DT": DAY + TIME,
    **dict.fromkeys(("OB", "OW", "OB or OW", "UN"), NAME.encode()),
}  # fmt: skip
_SEQUENCES = (
    "ReferencedImageSequence",
    "AnatomicRegionSequence",
    "SharedFunctionalGroupsSequence",
    "SourceImageSequence",
)
_HU = np.tile(np.linspace(-200, 400, 64).astype(np.int32), (48, 1))
_NEVER = (0x00020000, 0x7FE00010)
_FIRST_OF_DATA_SET = 0x00080000


def image_of(*parts: Dataset) -> FileDataset:
    """A CT image that also has the elements of `parts`, without those that the image itself needs."""
    image = ct_dataset(_HU)
    for part in parts:
        for element in part:
            if element.tag not in image and element.tag >= _FIRST_OF_DATA_SET:
                image.add(element)
    return image


def listed_attributes() -> Dataset:
    """Every attribute of the table that pydicom knows, with a canary of its VR; in sequences too, and overlays."""
    found = Dataset()
    for tag in table():
        if tag >= _FIRST_OF_DATA_SET and dictionary_has_tag(tag):
            _put(found, Tag(tag), dictionary_VR(tag))
    _put(found, Tag(0x60003000), "OB")
    _put(found, Tag(0x60004000), "LT")
    _put(found, Tag(0x50003000), "OB")
    return found


def private_attributes() -> Dataset:
    block = (found := Dataset()).private_block(0x0029, NAME, create=True)
    for number, vr in enumerate(("LO", "PN", "OB", "UN", "UT", "DA")):
        block.add_new(number, vr, _VALUES[vr])
    return found


def nested(*parts: Dataset) -> Dataset:
    """The elements in items of sequences that images have, in three depths."""
    found = Dataset()
    for keyword in _SEQUENCES:
        item, deeper, deepest = Dataset(), Dataset(), Dataset()
        for part in parts:
            for level in (item, deeper, deepest):
                level.update(part)
        deeper.PurposeOfReferenceCodeSequence = [deepest]
        item.PurposeOfReferenceCodeSequence = [deeper]
        setattr(found, keyword, [item])
    return found


def elements_with(content: bytes, *canaries: bytes) -> set[str]:
    """The keywords of elements of a DICOM file, nested ones too, that hold one of the canaries."""
    found = set()
    for element in pydicom.dcmread(io.BytesIO(content)).iterall():
        if element.VR == "SQ":
            continue
        value = element.value if isinstance(element.value, bytes) else str(element.value).encode()
        if any(canary in value for canary in canaries):
            found.add(element.keyword)
    return found


def file_of(image: Dataset) -> bytes:
    with warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        return dicom_bytes(image)


def dictionary_attributes(entries: Iterator[tuple[int, str]]) -> Dataset:
    """entries: tag and VR."""
    found = Dataset()
    for tag, vr in entries:
        if tag >= _FIRST_OF_DATA_SET and tag not in _NEVER:
            _put(found, Tag(tag), vr)
    return found


def _put(dataset: Dataset, tag: BaseTag, vr: str) -> None:
    with disable_value_validation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if vr == "SQ":
            item = Dataset()
            item.PatientName, item.StudyDate, item.PatientID, item.ReferencedSOPInstanceUID = NAME, DAY, NAME, UID
            dataset.add_new(tag, vr, [item])
        elif vr in _VALUES:
            dataset.add_new(tag, vr.partition(" ")[0], _VALUES[vr])
