"""What a message may quote of a file."""

from __future__ import annotations

import pytest

from hepar.imaging.errors import UnreadableImage
from hepar.imaging.file_values import MODALITIES, bounded_message, quoted_number, quoted_term


@pytest.mark.parametrize(
    ("value", "quoted"),
    [("MR", "MR"), ("Jane^Doe", "unknown"), (["MR", "US"], "unknown"), ("", "unknown"), (None, "unknown")],
)
def test_only_a_term_of_the_standard_is_quoted(value: object, quoted: str) -> None:
    assert quoted_term(value, MODALITIES) == quoted


@pytest.mark.parametrize(
    ("value", "quoted"), [(0, "0"), (65_535, "65535"), (65_536, "unknown"), (-1, "unknown"), (19610304, "unknown")]
)
def test_only_a_number_of_the_size_of_a_count_is_quoted(value: int, quoted: str) -> None:
    assert quoted_number(value) == quoted


def test_a_message_is_one_short_line_of_ascii() -> None:
    assert str(UnreadableImage("a\n\x1b[31m\u00e9")) == "a\\n\\x1b[31m\\xe9"
    long = bounded_message("x" * 10_000)
    assert (len(long), long[-4:]) == (300, "x...")
    assert bounded_message("x" * 300) == "x" * 300
