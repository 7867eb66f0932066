"""Table E.1-1 of DICOM PS3.15 (edition 2026c), and what it asks for in each class of CT images.

The data files state facts of the standard; docs/decisions/0062-deidentification.md says where they come from.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from pydicom.datadict import keyword_for_tag
from pydicom.tag import BaseTag
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage

Action = Literal["remove", "empty", "dummy", "uid", "items", "keep", "shift"]
"""keep, items: of a sequence, its items are copied by the same rules.  shift: a date, by the patient's days."""

IODS: Mapping[str, str] = {
    CTImageStorage: "ct",
    EnhancedCTImageStorage: "enhanced",
    LegacyConvertedEnhancedCTImageStorage: "legacy",
}
"""Columns of ct_attributes.csv by SOP Class UID."""
_NOT_EMPTY, _EMPTY = ("1", "1C"), ("2", "2C")
_PRESENT = _NOT_EMPTY + _EMPTY
"""Types of attributes (PS3.5, 7.4)."""


@dataclass(frozen=True)
class Options:
    """What is retained beyond the Basic Application Level Confidentiality Profile.

    shifted_dates: Retain Longitudinal Temporal Information with Modified Dates Option; dates are removed otherwise.
    characteristics: Retain Patient Characteristics Option.
    """

    shifted_dates: bool = False
    characteristics: bool = False


@dataclass(frozen=True)
class Rule:
    """A row of the table: the basic profile's action, and those of the two options, empty where they have none."""

    basic: str
    modified_dates: str
    characteristics: str


class Profile:
    """Actions for the attributes of one SOP class. Raises KeyError for a class that is not in IODS."""

    def __init__(self, sop_class_uid: str, options: Options) -> None:
        self._iod = IODS[sop_class_uid]
        self._options = options

    def action(self, tag: BaseTag, *, nested: bool) -> Action:
        """What CT images do not have is removed, and so is what we do not know: also private attributes."""
        keyword = keyword_for_tag(tag)
        if tag.is_private or keyword not in attribute_types():
            return "remove"
        rule = table().get(tag)
        if rule is None:
            return "keep"
        if self._options.shifted_dates and rule.modified_dates == "C":
            return "shift"
        if self._options.characteristics and rule.characteristics == "K":
            return "keep"
        return self.basic_action(tag, nested=nested)

    def basic_action(self, tag: BaseTag, *, nested: bool) -> Action:
        """Without the options, and of an unlisted attribute whose value is none of its VR."""
        stated = attribute_types()[keyword_for_tag(tag)]
        kinds = [stated[f"{self._iod}_{place}"] for place in ("top", "nested")]
        kind = next((found for found in (kinds[::-1] if nested else kinds) if found), "")
        if tag not in table():
            return "empty" if kind in _EMPTY else "remove"
        return _basic_action(table()[tag].basic, kind) if kind else "remove"


@cache
def table() -> Mapping[int, Rule]:
    """By tag. Without the rows of repeating groups and of private attributes, which are removed like all unknown."""
    return {
        int(row["tag"], 16): Rule(row["basic"], row["modified_dates"], row["patient_characteristics"])
        for row in _rows("confidentiality_profile.csv")
        if "x" not in row["tag"]
    }


@cache
def attribute_types() -> Mapping[str, Mapping[str, str]]:
    """By keyword: the types in each class, at the top and in sequences.

    Of the attributes that the classes define, these are the listed ones, and of the others those that describe the
    image: numbers, coded values, and a few texts of the scanner. Free text is not among them.
    """
    return {row.pop("attribute"): row for row in _rows("ct_attributes.csv")}


def _basic_action(code: str, kind: str) -> Action:
    """code: of the table. `X/Z/D` means: X unless Z or D is needed for an object that conforms (PS3.15, E.1)."""
    actions = code.split("/")
    if kind in _NOT_EMPTY and "D" in actions:
        return "dummy"
    if "U*" in actions and kind in _PRESENT:
        return "items"
    if kind in _PRESENT and "Z" in actions:
        return "empty"
    first: dict[str, Action] = {"X": "remove", "Z": "empty", "D": "dummy", "U": "uid"}
    return first[actions[0]]


def _rows(name: str) -> Iterator[dict[str, str]]:
    with files(__name__.rpartition(".")[0]).joinpath(name).open(encoding="utf-8") as file:
        yield from csv.DictReader(file)
