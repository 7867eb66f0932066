"""Derived images of CT whose values are not the attenuation of a slice: perfusion, subtraction, dual energy.

A virtual monoenergetic image is none of them: its values are Hounsfield units.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# Terms of derived images: PS3.3, C.8.15.2 and C.8.16.1, and those of scanners. Their sources may be perfusion scans.
_RESULTS = {
    "PERFUSION", "CBF", "CBV", "RCBF", "RCBV", "MTT", "TTP", "TMAX", "TTD", "TTS", "BF", "BV", "PS", "PBV",
    "FLOW_EXTRACTION", "BLOOD_FLOW", "BLOOD_VOLUME", "PERMEABILITY", "SUBTRACTION", "DIVISION", "MULTIPLICATION",
    "STD_DEVIATION",
}  # fmt: skip
_RESULT_WORDS = {"PERFUSION", "CBF", "CBV", "RCBF", "RCBV", "MTT", "TTP", "TMAX"}
"""As parts of a term, as in PERFUSION_BF."""
# Dual energy: PS3.3, C.8.15.2.1.1.5, and terms of scanners. VUE, VNC and VNCA: without contrast agent or calcium.
_MATERIALS = re.compile(
    r"\b(MAT SPECIFIC|MAT REMOVED|MAT FRACTIONAL|MAT VALUE BASED|MAT MODIFIED|EFF ATOMIC NUM|EFFECTIVE ATOMIC NUMBER"
    r"|Z ?EFF|Z ?EFFECTIVE|EFF(?:ECTIVE)? Z|ELECTRON DENSITY|RHO ?Z|VNC|VNCA|VUE"
    r"|VIRTUAL (?:NON|UN) ?(?:CONTRAST|ENHANCED)"
    r"|IODINE|URIC ACID|CALCIUM SUPPRESS(?:ION|ED)|FAT FRACTION|WATER DENSITY|MATERIAL DENSITY)\b"
)
_MAP_OF_IODINE = re.compile(r"\bIODINE (?:MAPS?|DENSITY|NO WATER|WATER|OVERLAY|CONCENTRATION|IMAGES?)\b|\bMD IODINE\b")
"""In a description, where iodine alone is the contrast agent."""
_UNITS = {"MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"}
"""RescaleType (PS3.3, C.11.1.1.2)."""
_DERIVED = "DERIVED"


@dataclass(frozen=True)
class MapTerm:
    """What tells that an image is a derived map. element: its keyword in DICOM.  term: of the lists above only."""

    element: str
    term: str


def map_term(terms: Sequence[str], description: str | None = None, unit: str | None = None) -> MapTerm | None:
    """None for a slice.

    terms: of ImageType or FrameType, in upper case.  description: SeriesDescription, free text that counts for derived
    images only.  unit: RescaleType, in upper case.
    """
    derived = bool(terms) and terms[0] == _DERIVED
    kinds = [_words(term) for term in terms[2:]]
    if derived and (found := _RESULTS.intersection(terms[2:]) | _RESULT_WORDS.intersection(" ".join(kinds).split())):
        return MapTerm("ImageType", min(found))
    if material := next(filter(None, map(_MATERIALS.search, kinds)), None):
        return MapTerm("ImageType", material[0])
    if unit in _UNITS:
        return MapTerm("RescaleType", unit)
    text = _words((description or "").upper())
    if derived and (named := _MAP_OF_IODINE.search(text) or _MATERIALS.search(text)) and named[0] != "IODINE":
        return MapTerm("SeriesDescription", named[0])
    return None


def _words(text: str) -> str:
    """The words of a text in upper case, separated by spaces."""
    return " ".join(re.findall(r"[A-Z0-9]+", text))
