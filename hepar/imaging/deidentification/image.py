"""De-identified CT images: new data sets, which contain only elements that a rule of the profile allows."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from hepar.imaging.decoding import check_size, decoder_errors
from hepar.imaging.deidentification.profile import IODS, Action, Options, Profile
from hepar.imaging.deidentification.pseudonyms import Pseudonyms
from hepar.imaging.deidentification.refusal import check_can_be_deidentified
from hepar.imaging.deidentification.values import dummy, kept
from hepar.imaging.dicom import check_pixels, frame_count
from hepar.imaging.dicom_file import read_dicom
from hepar.imaging.pixel_data import frame_values
from hepar.imaging.stored_values import padding_mask, stored_format

_UTF_8 = "ISO_IR 192"
_PATIENT = ("PatientName", "PatientID")
_BASIC = ("113100", "Basic Application Confidentiality Profile")
_MODIFIED_DATES = ("113107", "Retain Longitudinal Temporal Information Modified Dates Option")
_CHARACTERISTICS = ("113108", "Retain Patient Characteristics Option")


def deidentified_file(content: bytes, pseudonyms: Pseudonyms, options: Options) -> bytes:
    """A CT image as a new DICOM file, Explicit VR Little Endian and not compressed.

    The pixels are decoded: codec comments, unused bits of pixels and bytes after the last frame are removed.
    Raises NotDeidentifiable, and the errors of `read_dicom` and `frame_values`.
    """
    with decoder_errors():
        source = read_dicom(content)
        check_can_be_deidentified(source)
        check_pixels(source, check_size, len(source.PixelData))
        found = deidentified_header(source, pseudonyms, options)
        _put_pixels(found, source)
        found.file_meta = FileMetaDataset()
        found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        found.file_meta.MediaStorageSOPClassUID = UID(found.SOPClassUID)
        found.file_meta.MediaStorageSOPInstanceUID = UID(found.SOPInstanceUID)
        buffer = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote values
            found.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def deidentified_header(source: Dataset, pseudonyms: Pseudonyms, options: Options) -> Dataset:
    """The elements of a CT image without its pixels. `source` is left as it is.

    Whoever calls this for a file from outside uses `decoder_errors`.
    """
    sop_class_uid = _identity(source, "SOPClassUID") or CTImageStorage
    profile = Profile(sop_class_uid if sop_class_uid in IODS else CTImageStorage, options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values
        found = _Copier(profile, pseudonyms).copied(source, nested=False)
        found.SOPClassUID = sop_class_uid
        if instance_uid := _identity(source, "SOPInstanceUID"):
            found.SOPInstanceUID = pseudonyms.uid(instance_uid)
        for keyword in _PATIENT:
            setattr(found, keyword, pseudonyms.patient)
        mark_deidentified(found, options)
    return found


def mark_deidentified(dataset: Dataset, options: Options) -> None:
    """States what was done (PS3.15, E.1.1 and E.3)."""
    dataset.SpecificCharacterSet = _UTF_8
    dataset.PatientIdentityRemoved = "YES"
    dataset.LongitudinalTemporalInformationModified = "MODIFIED" if options.shifted_dates else "REMOVED"
    methods = [_BASIC]
    methods += [_MODIFIED_DATES] if options.shifted_dates else []
    methods += [_CHARACTERISTICS] if options.characteristics else []
    dataset.DeidentificationMethod = "Hepar: DICOM PS3.15 2026c, Annex E"
    dataset.DeidentificationMethodCodeSequence = [_code(*method) for method in methods]


class _Copier:
    """Builds data sets that have only what the profile allows."""

    def __init__(self, profile: Profile, pseudonyms: Pseudonyms) -> None:
        self._profile = profile
        self._pseudonyms = pseudonyms

    def copied(self, source: Dataset, *, nested: bool) -> Dataset:
        found = Dataset()
        for tag in source.keys():  # noqa: SIM118  iterating over a Dataset reads all values
            action = self._profile.action(tag, nested=nested)
            if action == "remove" or source[tag].VR not in dictionary_VR(tag).split(" or "):
                continue
            value = self._value(action, source[tag])
            if value is None and action in ("keep", "shift"):
                value = self._value(self._profile.basic_action(tag, nested=nested), source[tag])
            if value is not None:
                found.add_new(tag, source[tag].VR, value)
        return found

    def _value(self, action: Action, element: DataElement) -> Any:  # noqa: ANN401  of any VR
        """None for an element that is left out."""
        if element.VR == "SQ":
            return self._items(action, element)
        if element.VR == "UI":
            return self._uids(element) if action in ("uid", "keep") else None
        values: dict[Action, Callable[[DataElement], Any]] = {
            "keep": kept,
            "shift": self._shifted,
            "empty": lambda _: "",
            "dummy": lambda element: dummy(element.VR),
        }
        return values[action](element) if action in values else None

    def _items(self, action: Action, element: DataElement) -> Sequence | None:
        """Without items of which nothing is left."""
        if action == "empty" or not element.value:
            return Sequence() if action in ("empty", "items", "keep") else None
        if action not in ("items", "keep"):
            return None
        items = [self.copied(item, nested=True) for item in element.value]
        return Sequence(item for item in items if len(item)) if any(map(len, items)) else None

    def _uids(self, element: DataElement) -> list[str]:
        return [self._pseudonyms.uid(value) for value in _texts(element)]

    def _shifted(self, element: DataElement) -> list[str] | None:
        """None for what is no date or time; an empty one stays."""
        if element.VR not in ("DA", "DT", "TM"):
            return None
        shifted = [self._pseudonyms.shifted(element.VR, value) if value else "" for value in _texts(element)]
        known = [value for value in shifted if value is not None]
        return known if known and len(known) == len(shifted) else None


def _texts(element: DataElement) -> list[str]:
    """Of an element with one value or several."""
    value = element.value
    return [str(item) for item in value] if isinstance(value, MultiValue | list) else [str(value or "")]


def _identity(source: Dataset, keyword: str) -> str:
    """Some files state their class and their UID in the meta information only."""
    meta = getattr(source, "file_meta", Dataset())
    return str(source.get(keyword) or meta.get(f"MediaStorage{keyword}") or "")


def _put_pixels(found: Dataset, source: Dataset) -> None:
    form = stored_format(source)
    stored_type = np.dtype(f"<{'i' if form.signed else 'u'}{form.allocated // 8}")
    frames = [_stored(source, index).astype(stored_type) for index in range(frame_count(source))]
    content = b"".join(frame.tobytes() for frame in frames)
    found.HighBit = form.stored - 1
    found.add_new("PixelData", "OW" if form.allocated > 8 else "OB", content + b"\0" * (len(content) % 2))


def _stored(source: Dataset, index: int) -> NDArray[np.int32]:
    """(rows, columns) of one frame. Padding may need more bits than are stored, and is the same value everywhere."""
    form, container = stored_format(source), frame_values(source, index)
    values = form.values(container)
    padding = padding_mask(source, form, container)
    values[padding] = container[padding]
    return values


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code
