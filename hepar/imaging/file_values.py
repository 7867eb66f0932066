"""Values of a file in messages: a value may be a patient's name, so only what is known in advance is quoted."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

_MESSAGE_CHARACTERS_MAX: Final = 300
_NUMBER_MAX: Final = 65_535
"""Of an element of two bytes, as the sizes of a DICOM image are."""
MODALITIES: Final = frozenset({
    "CR", "DOC", "DX", "ECG", "ES", "GM", "IO", "IVUS", "KO", "MG", "MR", "NM", "OCT", "OP", "OPT", "OT", "PR", "PT",
    "PX", "REG", "RF", "RTDOSE", "RTIMAGE", "RTPLAN", "RTSTRUCT", "RWV", "SC", "SEG", "SM", "SR", "US", "XA", "XC",
})  # fmt: skip
"""The usual terms of Modality besides CT (PS3.3 C.7.3.1.1.1)."""


def quoted_term(value: object, terms: Collection[str]) -> str:
    """The value where it is one of the known terms, otherwise `unknown`."""
    return value if isinstance(value, str) and value in terms else "unknown"


def quoted_number(value: int) -> str:
    """The number where it has the size of a small count."""
    return str(value) if 0 <= value <= _NUMBER_MAX else "unknown"


def bounded_message(text: str) -> str:
    """One short line of printable ASCII: anything else is escaped."""
    escaped = text.encode("unicode_escape").decode("ascii")
    return escaped if len(escaped) <= _MESSAGE_CHARACTERS_MAX else escaped[: _MESSAGE_CHARACTERS_MAX - 3] + "..."
