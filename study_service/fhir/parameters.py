"""Search parameters (FHIR R4, search.html): which are known, what they hold, and what is ignored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, SQLColumnExpression

from study_service.fhir.errors import InvalidSearch

COUNT_DEFAULT, COUNT_MAX = 20, 50
CONTROL = ("_count", "_after", "_format", "_pretty")
"""Parameters that select nothing. `_after` is in the links of a Bundle only."""
_VALUES_MAX, _PAIRS_MAX = 50, 30
_PREFIXED = re.compile(r"(eq|ne|gt|lt|ge|le)?(\d.*)")
_DAY = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")
_STRICT = re.compile(r"(?:^|[;,\s])handling\s*=\s*\"?strict\"?(?:$|[;,\s])", re.IGNORECASE)


@dataclass(frozen=True)
class Token:
    """`system|value`, `|value` (system empty), or `value` (system None: any)."""

    system: str | None
    value: str


@dataclass(frozen=True)
class DateRange:
    """A comparison with a date of some precision: start <= date < end for `eq`."""

    prefix: str
    start: datetime
    end: datetime

    def condition(self, moment: SQLColumnExpression[datetime]) -> ColumnElement[bool]:
        """Of a column."""
        return {
            "eq": (moment >= self.start) & (moment < self.end),
            "ne": (moment < self.start) | (moment >= self.end),
            "gt": moment >= self.end,
            "ge": moment >= self.start,
            "lt": moment < self.start,
            "le": moment < self.end,
        }[self.prefix]


@dataclass(frozen=True)
class SearchRequest:
    """used: in the order of the request, without what was ignored."""

    used: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...]

    def alternatives(self, *names: str) -> Iterable[tuple[str, list[str]]]:
        """Of each use of these parameters, its name and the values of which one must match."""
        for name, value in self.used:
            if name in names:
                yield name, split_values(value)

    def one(self, name: str) -> str | None:
        """Raises InvalidSearch where it is there more than once."""
        values = [value for used, value in self.used if used == name]
        if len(values) > 1:
            raise InvalidSearch.of(name, "it may be there once")
        return values[0] if values else None

    @property
    def count(self) -> int:
        """Resources of a page. Raises InvalidSearch."""
        text = self.one("_count")
        if text is None:
            return COUNT_DEFAULT
        if not text.isascii() or not text.isdigit() or int(text) < 1:
            raise InvalidSearch.of("_count", "a number from 1 on is expected")
        return min(int(text), COUNT_MAX)


def search_request(pairs: Sequence[tuple[str, str]], known: Mapping[str, str], *, prefer: str | None) -> SearchRequest:
    """known: the parameters of the type, modifiers included.  prefer: the header of the request.

    Raises InvalidSearch for an unknown modifier of a known parameter, and with `handling=strict` for any unknown one.
    """
    if len(pairs) > _PAIRS_MAX:
        raise InvalidSearch(f"a search may have {_PAIRS_MAX} parameters")
    for name, value in pairs:
        if _CONTROL_CHARACTERS.search(name + value):
            raise InvalidSearch("a parameter has control characters")
    names = {*known, *CONTROL}
    bases = {_base(name) for name in known}
    used, ignored = [], []
    for name, value in pairs:
        if name in names:
            used.append((name, value))
        elif _base(name) in bases:
            raise InvalidSearch.of(name, f"use one of {', '.join(sorted(n for n in known if _base(n) == _base(name)))}")
        else:
            ignored.append(name)
    if ignored and prefer and _STRICT.search(prefer):
        raise InvalidSearch.of(ignored[0], "there is no such search parameter")
    return SearchRequest(tuple(used), tuple(dict.fromkeys(ignored)))


def split_values(value: str) -> list[str]:
    """At commas that are not escaped. Raises InvalidSearch for too many values."""
    values = [part.replace("\\,", ",") for part in re.split(r"(?<!\\),", value)]
    if len(values) > _VALUES_MAX:
        raise InvalidSearch(f"a parameter may have {_VALUES_MAX} values")
    return [value for value in values if value]


def parsed_token(value: str) -> Token:
    system, bar, code = value.rpartition("|")
    return Token(system if bar else None, code)


def parsed_date(name: str, value: str) -> DateRange:
    """Raises InvalidSearch."""
    match = _PREFIXED.fullmatch(value)
    if match is None:
        raise InvalidSearch.of(name, "a date such as ge2026-11-26 or lt2026-11-26T09:30:00Z is expected")
    try:
        start, end = _interval(match[2])
    except (ValueError, OverflowError) as error:
        raise InvalidSearch.of(name, "this is no date") from error
    return DateRange(match[1] or "eq", start, end)


def _interval(text: str) -> tuple[datetime, datetime]:
    """Raises ValueError. A date without a time zone is one of UTC."""
    day = _DAY.fullmatch(text)
    if day is None:
        moment = datetime.fromisoformat(text)
        start = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = len(text.partition("T")[2].split("+")[0].split("-")[0].rstrip("Z").split(":"))
        return start, start + (timedelta(minutes=1) if seconds < 3 else timedelta(seconds=1))
    year, month = int(day[1]), int(day[2] or 1)
    start = datetime(year, month, int(day[3] or 1), tzinfo=UTC)
    if day[3]:
        return start, start + timedelta(days=1)
    if day[2]:
        return start, datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return start, datetime(year + 1, 1, 1, tzinfo=UTC)


def dates_of(search: SearchRequest, name: str) -> list[list[DateRange]]:
    """Of each use, the ranges of which one must hold. Raises InvalidSearch."""
    return [[parsed_date(name, value) for value in values] for _, values in search.alternatives(name)]


def tokens_of(search: SearchRequest, *names: str) -> list[list[Token]]:
    return [[parsed_token(value) for value in values] for _, values in search.alternatives(*names)]


def _base(name: str) -> str:
    return name.partition(":")[0].partition(".")[0]
