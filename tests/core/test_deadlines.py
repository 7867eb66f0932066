"""Time limits of requests."""

from __future__ import annotations

import pytest

from hepar.core.deadlines import Deadline


@pytest.mark.parametrize(("timeout_ms", "low", "high"), [(2000, 1.5, 2.0), (600_000, 5, 10), (None, 5, 10)])
def test_a_caller_can_shorten_the_deadline_but_not_extend_it(timeout_ms: int | None, low: float, high: float) -> None:
    assert low < Deadline.within(timeout_ms, 10).remaining_s() < high


def test_an_expired_deadline_leaves_one_millisecond() -> None:
    assert Deadline.after(-5).remaining_s() == 0.001
