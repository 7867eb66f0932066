"""Headers in the DICOM JSON model (PS3.18, annex F), from files that may state anything."""

from __future__ import annotations

import contextlib
import math
import warnings
from typing import Any

from pydicom import Dataset
from pydicom.dataelem import DataElement
from pydicom.filewriter import correct_ambiguous_vr
from pydicom.valuerep import AMBIGUOUS_VR, VR

JsonHeader = dict[str, dict[str, Any]]
"""Elements by tag, eight hexadecimal digits each."""
PIXEL_DATA = "7FE00010"
_INLINE_BYTES_MAX = 1024
_TEXT_CHARACTERS_MAX = 16 * 1024
_DEPTH_MAX = 8
_BINARY = {VR.OB, VR.OD, VR.OF, VR.OL, VR.OV, VR.OW, VR.UN}
_NUMBERS = {VR.DS, VR.FL, VR.FD}
_UTF_8 = "ISO_IR 192"


def json_header(dataset: Dataset, *, pixels_vr: str | None) -> JsonHeader:
    """All elements but those of the file's own form (groups 0002 and lengths of groups).

    pixels_vr: of the pixel data, which the data set does not hold; None where there are none. Binary values of over a
    kibibyte have a BulkDataURI, which is their tag. An element whose value has no form in JSON is left out, and so is a
    longer binary value within a sequence.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values
        with contextlib.suppress(Exception):  # ambiguous elements are left out then
            correct_ambiguous_vr(dataset, dataset.file_meta.TransferSyntaxUID.is_little_endian)
        found = _elements(dataset, depth=0)
    if "00080005" in found:
        found["00080005"] = {"vr": "CS", "Value": [_UTF_8]}  # JSON is in UTF-8, whatever the file was in
    if pixels_vr is not None:
        found[PIXEL_DATA] = {"vr": pixels_vr, "BulkDataURI": PIXEL_DATA}
    return found


def _elements(dataset: Dataset, depth: int) -> JsonHeader:
    found: JsonHeader = {}
    for tag in sorted(dataset.keys()):
        if tag.group != 2 and tag.element != 0:
            try:
                stated = _element(dataset[tag], depth)
            except Exception:  # noqa: BLE001, S112  pydicom raises many classes for values that it cannot read
                continue
            if stated is not None:
                found[f"{tag.group:04X}{tag.element:04X}"] = stated
    return found


def _element(element: DataElement, depth: int) -> dict[str, Any] | None:
    if element.VR == VR.SQ:
        items = [_elements(item, depth + 1) for item in element.value] if depth < _DEPTH_MAX else []
        return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
    if element.VR in AMBIGUOUS_VR:
        return None
    if element.VR in _BINARY:
        return _binary(element, depth)
    stated: dict[str, Any] = element.to_json_dict(None, _INLINE_BYTES_MAX)
    values = stated.get("Value", [])
    if element.VR in _NUMBERS and not all(math.isfinite(value) for value in values if value is not None):
        return None
    return None if len(str(values)) > _TEXT_CHARACTERS_MAX else stated


def _binary(element: DataElement, depth: int) -> dict[str, Any] | None:
    if len(element.value or b"") <= _INLINE_BYTES_MAX:
        return dict(element.to_json_dict(None, _INLINE_BYTES_MAX))
    tag = f"{element.tag.group:04X}{element.tag.element:04X}"
    return {"vr": str(element.VR), "BulkDataURI": tag} if depth == 0 else None
