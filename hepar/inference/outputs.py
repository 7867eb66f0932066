"""Outputs of a model, checked like any other input: shape, type, and range of every image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[Any]


@dataclass(frozen=True)
class ExpectedOutput:
    """What an output must be.

    shape: without the batch axis, -1 for any length.  kind: 'f' (float), 'i' (integer) or 'u' (unsigned).  low, high:
    allowed range.
    """

    shape: tuple[int, ...]
    kind: str
    low: float = -1e6
    high: float = 1e6


def has_expected_form(value: Tensor, count: int, expected: ExpectedOutput) -> bool:
    """Whether an output for `count` images, with a batch axis, has the expected shape and type."""
    shape = (count, *expected.shape)
    if value.ndim != len(shape) or value.dtype.kind != expected.kind:
        return False
    return all(wanted in (-1, actual) for wanted, actual in zip(shape, value.shape, strict=True))


def valid_images(values: Mapping[str, Tensor], expected: Mapping[str, ExpectedOutput], count: int) -> NDArray[np.bool_]:
    """(count,): whether all outputs of an image are finite and in range. values: of the expected form."""
    rows_by_range: dict[tuple[float, float], list[Tensor]] = {}
    for name, output in expected.items():
        rows_by_range.setdefault((output.low, output.high), []).append(values[name].reshape(count, -1))
    valid = np.ones(count, dtype=np.bool_)
    for (low, high), rows in rows_by_range.items():
        together = rows[0] if len(rows) == 1 else np.concatenate(rows, axis=1)
        if together.size:  # a value that is not a number is in no range
            valid &= (together.min(axis=1) >= low) & (together.max(axis=1) <= high)
    return valid
