"""Documents by Typst from templates of this folder and data. The data is never read as markup."""

from __future__ import annotations

import json
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Any

import typst

Data = dict[str, Any]

_PDF_A: list[typst.PDFStandard] = ["a-2b"]
_PT_PER_INCH = 72.0
_UNPRINTABLE = "□"
_FONT_BLOCKS = ((0x20, 0x17F), (0x391, 0x3C9), (0x400, 0x45F), (0x2010, 0x2026))
"""First and last code point of what the font that comes with Typst can print."""
_FONT_EXTRA = frozenset("\N{MULTIPLICATION SIGN}≥≤□€")
_RAW = "svg"
"""Drawings are no text."""


def typeset_pdf(template: str, data: Data, created_at_s: int, pdf_a: bool) -> bytes:
    """template: name of a file of this folder.  data: what JSON can hold.  created_at_s: Unix time."""
    return bytes(
        typst.compile(
            _source(template),
            format="pdf",
            sys_inputs=_inputs(data),
            font_paths=_fonts(),
            pdf_standards=_PDF_A if pdf_a else [],
            timestamp=created_at_s,
        )
    )


def typeset_png(template: str, data: Data, px_per_pt: float = 1.0) -> bytes:
    """px_per_pt: resolution. Raises TypeError where the document has more than one page."""
    return bytes(
        typst.compile(
            _source(template),
            format="png",
            sys_inputs=_inputs(data),
            font_paths=_fonts(),
            ppi=px_per_pt * _PT_PER_INCH,
        )
    )


def _source(template: str) -> bytes:
    return files(__name__.rpartition(".")[0]).joinpath(template).read_bytes()


def _inputs(data: Data | list[str]) -> dict[str, str]:
    return {"data": json.dumps(_printable(data))}


@cache
def _fonts() -> typst.Fonts:
    """Only those that come with Typst, so that the same result gives the same bytes on every machine."""
    return typst.Fonts(include_system_fonts=False)


def _printable(value: Any) -> Any:  # noqa: ANN401
    """The same data with a box for each character that the font cannot print, and without invisible ones."""
    if isinstance(value, dict):
        return {key: item if key == _RAW else _printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(item) for item in value]
    return "".join(map(_glyph, unicodedata.normalize("NFC", value))) if isinstance(value, str) else value


def _glyph(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cc", "Cf", "Zl", "Zp"):
        return " "
    in_block = any(first <= ord(character) <= last for first, last in _FONT_BLOCKS) and category != "Cn"
    return character if in_block or character in _FONT_EXTRA else _UNPRINTABLE
