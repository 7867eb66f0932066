"""Texts for people."""

from __future__ import annotations

import pytest

from hepar.contracts.wording import probability_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "< 0.01"),
        (0.0099, "< 0.01"),
        (0.01, "0.01"),
        (0.4, "0.40"),
        (0.99, "0.99"),
        (0.997, "> 0.99"),
        (1.0, "> 0.99"),
    ],
)
def test_no_probability_is_rounded_to_certainty(value: float, text: str) -> None:
    assert probability_text(value) == text
