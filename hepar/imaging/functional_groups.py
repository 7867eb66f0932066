"""Elements of one frame of a DICOM object."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag

from hepar.imaging.errors import UnreadableImage


def frame_groups(dataset: Dataset, index: int, sequence: str) -> list[Dataset]:
    """Where a frame's element may be: its own functional group, the shared one, the object itself, in this order.

    sequence: the functional group's sequence, for example "PixelMeasuresSequence" (PS3.3, C.7.6.16).
    """
    groups = []
    for name, place in (("PerFrameFunctionalGroupsSequence", index), ("SharedFunctionalGroupsSequence", 0)):
        items = element(dataset, name)
        inner = element(items[place], sequence) if items and place < len(items) else None
        if inner:
            groups.append(inner[0])
    return [*groups, dataset]


def frame_element(dataset: Dataset, index: int, sequence: str, name: str) -> Any:  # noqa: ANN401  any element
    """An element of a frame: what is stated for the frame outranks the top level. None where it is missing or empty.

    Raises UnreadableImage, with the element's name, where its value cannot be read.
    """
    for group in frame_groups(dataset, index, sequence):
        if (value := element(group, name)) is not None:
            return value
    return None


def element(dataset: Dataset, name: str) -> Any:  # noqa: ANN401  any element
    """The value of an element, or None where it is missing or empty. Raises UnreadableImage with its name."""
    tag = _tag(name)
    if tag not in dataset:
        return None
    try:
        found = dataset[tag]
        value = None if found.value in ("", b"") else found.value
        if found.VR == "DS" and value is not None:
            _ = [float(number) for number in (value if isinstance(value, MultiValue) else [value])]
    except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError):
        raise UnreadableImage(f"{name} cannot be read; a decimal number has a point, not a comma") from None
    return value


@cache
def _tag(keyword: str) -> BaseTag:
    """Each of the few keywords that we read is looked up once: pydicom would do it with every access."""
    return Tag(keyword)


def whole_number(dataset: Dataset, name: str) -> int:
    """Raises UnreadableImage where the element is missing or not a whole number."""
    value = element(dataset, name)
    if value is None:
        raise UnreadableImage(f"{name} is missing")
    try:
        return int(value)
    except (ValueError, TypeError, OverflowError):
        raise UnreadableImage(f"{name} is not a whole number") from None
