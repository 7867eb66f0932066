"""Queries of QIDO-RS: which attributes must match, how, and what is returned (PS3.18, 8.3.4; PS3.4, C.2.2.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import dictionary_has_tag, dictionary_VR, tag_for_keyword

from hepar.core.errors import ClientError, InvalidField
from hepar.imaging.dicom_json import JsonHeader

LIMIT_DEFAULT, LIMIT_MAX = 200, 1000
_TAG = re.compile("[0-9A-Fa-f]{8}")
_RANGE_VRS = {"DA", "TM", "DT"}
_WILDCARD_VRS = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}
_DATE = re.compile("[0-9]{8}")
_OPTIONS = {"limit", "offset", "includefield", "fuzzymatching", "emptyvaluematching", "accept"}
_VALUE_LENGTH_MAX = 4096


class InvalidDicomWebRequest(ClientError):
    """A query parameter or a part of the path is not one of DICOMweb, or not one that is supported."""

    status, title, slug = 400, "The DICOMweb request is not valid", "invalid-dicomweb-request"


def invalid_query(name: str, message: str) -> InvalidDicomWebRequest:
    return InvalidDicomWebRequest(f"{name[:64]}: {message}", InvalidField("query", f"/{name[:64]}", "invalid", message))


@dataclass(frozen=True)
class Query:
    """keys: values to match by tag, none of them empty.  fields: further tags to return; None for all.

    limit, offset: of the matches.  is_fuzzy: whether fuzzy matching was asked for, which is not supported.
    """

    keys: dict[str, str]
    fields: frozenset[str] | None
    limit: int
    offset: int
    is_fuzzy: bool

    def matches(self, header: JsonHeader) -> bool:
        return all(_matches(tag, wanted, header.get(tag, {})) for tag, wanted in self.keys.items())

    def chosen(self, header: JsonHeader, returned: Iterable[str]) -> JsonHeader:
        """returned: tags that are always there, empty where they are not known."""
        if self.fields is None:
            return header
        tags = sorted({*returned, *self.keys, *self.fields})
        always = set(returned)
        return {tag: header.get(tag) or {"vr": vr_of(tag)} for tag in tags if tag in header or tag in always}


def parsed_query(parameters: Sequence[tuple[str, str]]) -> Query:
    """Raises InvalidDicomWebRequest."""
    keys: dict[str, str] = {}
    fields: set[str] | None = set()
    options: dict[str, str] = {}
    for name, value in parameters:
        if len(value) > _VALUE_LENGTH_MAX:
            raise invalid_query(name, "the value is too long")
        if name == "includefield":
            if "all" in value.split(","):
                fields = None
            elif fields is not None:
                fields.update(_tag(name, field.strip()) for field in value.split(",") if field.strip())
        elif name in _OPTIONS:
            options[name] = value
        elif value:
            keys[_tag(name, name)] = value
        elif fields is not None:
            fields.add(_tag(name, name))  # universal matching
    return Query(
        keys=keys,
        fields=None if fields is None else frozenset(fields),
        limit=min(_number(options, "limit", LIMIT_DEFAULT), LIMIT_MAX),
        offset=_number(options, "offset", 0),
        is_fuzzy=options.get("fuzzymatching", "false").lower() == "true",
    )


def vr_of(tag: str) -> str:
    number = int(tag, 16)
    return dictionary_VR(number)[:2] if dictionary_has_tag(number) else "UN"


def dates_of(name: str, wanted: str) -> tuple[str | None, str | None]:
    """First and last day, `YYYYMMDD`, of a date or a range of dates. Raises InvalidDicomWebRequest."""
    first, dash, last = wanted.partition("-")
    if not all(_DATE.fullmatch(day) for day in (first, last) if day) or not (first or last):
        raise invalid_query(name, "a date is written YYYYMMDD, a range YYYYMMDD-YYYYMMDD")
    return first or None, (last or None) if dash else first


def text_values(attribute: dict[str, Any]) -> list[str]:
    """As text; of names all forms."""
    found: list[str] = []
    for value in attribute.get("Value", []):
        if isinstance(value, dict):
            found += [str(form) for form in value.values() if isinstance(form, str)]
        elif value is not None:
            found.append(str(value))
    return found


def _tag(name: str, field: str) -> str:
    if _TAG.fullmatch(field):
        return field.upper()
    number = tag_for_keyword(field) if field else None  # some tags have an empty keyword
    if number is None:
        raise invalid_query(name, "this is neither a keyword nor a tag of DICOM that can be searched for")
    return f"{number:08X}"


def _number(options: dict[str, str], name: str, default: int) -> int:
    value = options.get(name, "")
    if not value:
        return default
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise invalid_query(name, "this is not a whole number")
    return int(value)


def _matches(tag: str, wanted: str, attribute: dict[str, Any]) -> bool:
    vr = vr_of(tag)
    values = text_values(attribute)
    if vr == "UI":
        return any(uid in re.split(r"[,\\]", wanted) for uid in values)
    if vr == "DA":
        first, last = dates_of(tag, wanted)
        return any((first or "") <= value and (last is None or value <= last) for value in values)
    if vr in _RANGE_VRS and "-" in wanted:
        first, _, last = wanted.partition("-")
        return any((first or "") <= value and (not last or value[: len(last)] <= last) for value in values)
    if vr in _WILDCARD_VRS:
        compare = _pattern(wanted, ignore_case=vr == "PN")
        return any(compare(value) for value in values)
    return wanted in values


def _pattern(wanted: str, *, ignore_case: bool) -> Callable[[str], bool]:
    """`*` for any characters, `?` for one. Without backtracking, whatever the pattern is."""
    parts = [part.casefold() if ignore_case else part for part in wanted.split("*")]

    def compare(value: str) -> bool:
        return _glob(parts, value.casefold() if ignore_case else value)

    return compare


def _glob(parts: list[str], text: str) -> bool:
    """parts: of a pattern, between the asterisks."""
    head, *rest = parts
    if not _same(head, text[: len(head)]):
        return False
    if not rest:
        return len(text) == len(head)
    *middle, tail = rest
    place = len(head)
    for part in middle:
        starts = range(place, len(text) - len(part) + 1)
        found = next((start for start in starts if _same(part, text[start : start + len(part)])), None)
        if found is None:
            return False
        place = found + len(part)
    return len(text) - len(tail) >= place and _same(tail, text[len(text) - len(tail) :])


def _same(part: str, text: str) -> bool:
    return len(part) == len(text) and all(want in ("?", have) for want, have in zip(part, text, strict=True))
