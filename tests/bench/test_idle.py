"""The tables of an idle stack, and its limit."""

from __future__ import annotations

import pytest

from bench.idle import MEMORY_MAX_BYTES, IdleStack, ProcessCost, check_idle, idle_lines
from bench.measurement import MeasurementFailed

FIRST = IdleStack(9.04, {"gateway": ProcessCost(3.2, 1, 2.0, 0.02, 100_000_000, 150_000_000)})
LATER = IdleStack(
    5.5,
    {
        "gateway": ProcessCost(2.96, 1, 1.25, 0.011, 60_000_000, 150_000_000),
        "gateway: decode workers": ProcessCost(None, 4, 0.5, 0.004, 40_400_000, 90_000_000),
    },
)


def test_all_starts_are_listed_and_the_processes_of_the_last_one() -> None:
    lines = idle_lines([FIRST, LATER])
    assert lines[2:4] == [
        "| new databases | 9.0 | 2.0 | 2.0% | 100 |",
        "| existing databases | 5.5 | 1.8 | 1.5% | 100 |",
    ]
    assert lines[7:9] == [
        "| gateway | 1 | 3.0 | 1.2 | 1.1% | 60 | 150 |",
        "| gateway: decode workers | 4 |  | 0.5 | 0.4% | 40 | 90 |",
    ]
    assert lines[-1] == "Median CPU time of the starts with existing databases: 1.8 s."


def test_far_more_memory_than_expected_fails() -> None:
    check_idle([FIRST, LATER])
    large = IdleStack(5.0, {"gateway": ProcessCost(pss_bytes=MEMORY_MAX_BYTES + 1)})
    with pytest.raises(MeasurementFailed, match="1300 MB"):
        check_idle([large])
