"""The table of processor times."""

from __future__ import annotations

from bench.processor_time import processor_time_lines


def test_a_process_has_the_median_of_its_rounds_and_one_without_work_is_left_out() -> None:
    measured = [{"gateway": 4.0, "auth_service": 0.0}, {"gateway": 3.0, "auth_service": 0.04}, {"gateway": 3.24}]
    assert processor_time_lines(measured)[2:] == ["| gateway | 3.2 | 3.0 | 4.0 |"]
