"""Protection of an overloaded Triton: a circuit breaker per model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hepar.core.deadlines import Deadline
from hepar.core.errors import BadUpstream, DeadlineExceeded, Unavailable

FAILURES_MAX = 5
OPEN_S = 2.0
SUFFICIENT_DEADLINE_S = 1.0


class CircuitBreaker:
    """Circuit breaker of one model (Nygard, "Release It!", 2nd ed., chapter 5): closed, open, or half open.

    After `failures_max` failures in a row, calls are rejected for `open_s`; then one probe is allowed, and its result
    decides. A missed deadline is a failure only if the call had a second or more: a shorter deadline is the caller's
    choice.
    """

    def __init__(
        self,
        model: str,
        failures_max: int = FAILURES_MAX,
        open_s: float = OPEN_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model, self._failures_max, self._open_s = model, failures_max, open_s
        self._now = now
        self._failures = 0
        self._probe_allowed_at = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Open or half open: only a probe is allowed."""
        return self._failures >= self._failures_max

    @property
    def refuses(self) -> bool:
        """Whether a call would be rejected now."""
        return self.is_open and (self._probing or self._now() < self._probe_allowed_at)

    @contextmanager
    def call(self, deadline: Deadline) -> Iterator[None]:
        """Around one call. Raises Unavailable, without the call, while open; errors of the call pass unchanged."""
        if self.refuses:
            raise Unavailable(f"{self._model} is not available at the moment")
        self._probing = probe = self.is_open
        sufficient = deadline.remaining_s() >= SUFFICIENT_DEADLINE_S
        try:
            yield
        except (Unavailable, BadUpstream):
            self._failed()
            raise
        except DeadlineExceeded:
            if sufficient:
                self._failed()
            raise
        else:
            self._failures = 0
        finally:
            if probe:
                self._probing = False

    def _failed(self) -> None:
        self._failures += 1
        self._probe_allowed_at = self._now() + self._open_s
