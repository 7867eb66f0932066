"""Values of de-identified elements: checked ones that are kept, and those that replace others."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.multival import MultiValue

REMOVED = "REMOVED"
DAY, TIME = "19000101", "000000"
"""Stand for dates and times that have been removed, where an object must state some."""
_DUMMIES: Mapping[str, Any] = {
    **dict.fromkeys(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"), REMOVED),
    **dict.fromkeys(("DS", "IS"), "0"),
    **dict.fromkeys(("FD", "FL", "SL", "SS", "UL", "US"), 0),
    "AS": "000Y", "DA": DAY, "TM": TIME, "DT": DAY + TIME, "OB": b"\0\0", "UR": "about:blank",
}  # fmt: skip
_LENGTHS = {"LO": 64, "SH": 16}
_TERMS = {
    "PatientSex": {"M", "F", "O"},
    "PatientSexNeutered": {"ALTERED", "UNALTERED"},
    "SmokingStatus": {"YES", "NO", "UNKNOWN"},
}
"""All values of characteristics (PS3.3, C.7.1.1 and C.7.2.2)."""
_AGE = re.compile(r"\d{3}[DWMY]")
_AGE_YEARS_MAX = 90
_CODE = re.compile(r"[A-Z0-9_ ]{0,16}")
_NUMBER = re.compile(r" *[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? *")
_WHOLE_NUMBER = re.compile(r" *[+-]?\d{1,11} *")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")


def dummy(vr: str) -> Any:  # noqa: ANN401  of any VR
    """None for a VR without one: the element is removed."""
    return _DUMMIES.get(vr)


def kept(element: DataElement) -> Any:  # noqa: ANN401  of any VR
    """The value where it is one of its VR; None for anything else, which a file from outside may hide there."""
    values = list(element.value) if isinstance(element.value, MultiValue | list) else [element.value]
    check = _CHECKS.get(element.VR)
    if check is None or not values:
        return None
    checked = [check(value) for value in values]
    terms = _TERMS.get(element.keyword)
    if any(value is None or (terms and value not in terms) for value in checked):
        return None
    return checked if len(checked) > 1 else checked[0]


def _text(pattern: re.Pattern[str]) -> Callable[[Any], str | None]:
    def check(value: Any) -> str | None:  # noqa: ANN401
        text = "" if value is None else str(value)
        return text if pattern.fullmatch(text) else None

    return check


def _free_text(length_max: int) -> Callable[[Any], str | None]:
    return lambda value: _CONTROL.sub(" ", str(value or "")).strip()[:length_max]


def _decimal(value: Any) -> str | None:  # noqa: ANN401
    """As the file states it."""
    text = str(getattr(value, "original_string", value) if value is not None else "")
    return text if not text or (len(text) <= 16 and _NUMBER.fullmatch(text)) else None


def _whole(value: Any) -> str | None:  # noqa: ANN401
    text = str(getattr(value, "original_string", value) if value is not None else "")
    return text if not text or _WHOLE_NUMBER.fullmatch(text) else None


def _binary_number(value: Any) -> int | float | None:  # noqa: ANN401
    return value if isinstance(value, int | float) else None


def _age(value: Any) -> str | None:  # noqa: ANN401
    """From 90 years on, ages identify: all of them become 90 years."""
    text = str(value or "")
    if not _AGE.fullmatch(text):
        return None
    return f"{min(int(text[:3]), _AGE_YEARS_MAX):03}Y" if text.endswith("Y") else text


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "AS": _age,
    "AT": _binary_number,
    "CS": _text(_CODE),
    "DS": _decimal,
    "IS": _whole,
    **dict.fromkeys(("FD", "FL", "SL", "SS", "UL", "US"), _binary_number),
    **{vr: _free_text(length) for vr, length in _LENGTHS.items()},
    "UC": _free_text(64),
}
