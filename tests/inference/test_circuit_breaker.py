"""The circuit breaker, with a clock controlled by the test."""

from __future__ import annotations

import pytest

from hepar.core.deadlines import Deadline
from hepar.core.errors import BadUpstream, DeadlineExceeded, HeparError, Unavailable
from hepar.inference.circuit_breaker import CircuitBreaker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("a_model", failures_max=3, open_s=2.0, now=clock)


def fail(breaker: CircuitBreaker, error: HeparError | None = None, seconds: float = 10.0) -> None:
    with pytest.raises(HeparError), breaker.call(Deadline.after(seconds)):
        raise error or Unavailable


def is_open(breaker: CircuitBreaker) -> bool:
    try:
        with breaker.call(Deadline.after(10)):
            return False
    except Unavailable:
        return True


@pytest.mark.parametrize("error", [Unavailable(), BadUpstream(), DeadlineExceeded()])
def test_failures_in_a_row_open_the_breaker_and_a_probe_is_allowed_later(
    breaker: CircuitBreaker, clock: Clock, error: HeparError
) -> None:
    for _ in range(3):
        fail(breaker, error)
    assert is_open(breaker)
    clock.now += 2.1
    with breaker.call(Deadline.after(10)):
        assert is_open(breaker), "one call at a time while it is half open"
    assert not is_open(breaker)
    fail(breaker, error)
    assert not is_open(breaker), "it takes as many failures as before"


def test_a_failed_probe_opens_the_breaker_again(breaker: CircuitBreaker, clock: Clock) -> None:
    for _ in range(3):
        fail(breaker)
    clock.now += 2.1
    fail(breaker)
    assert is_open(breaker)
    clock.now += 2.1
    assert not is_open(breaker)


def test_a_success_resets_the_failure_count(breaker: CircuitBreaker) -> None:
    for _ in range(4):
        fail(breaker)
        fail(breaker)
        assert not is_open(breaker)


def test_a_missed_short_deadline_is_not_a_failure_of_the_model(breaker: CircuitBreaker) -> None:
    for _ in range(10):
        fail(breaker, DeadlineExceeded(), seconds=0.2)
    assert not is_open(breaker)


def test_a_cancelled_probe_allows_another(breaker: CircuitBreaker, clock: Clock) -> None:
    for _ in range(3):
        fail(breaker)
    clock.now += 2.1
    with pytest.raises(KeyboardInterrupt), breaker.call(Deadline.after(10)):
        raise KeyboardInterrupt
    assert not is_open(breaker)
