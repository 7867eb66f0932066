"""What keeps a struggling Triton from being asked too much: a budget of retries and a circuit breaker a model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hepar.core.deadlines import Deadline
from hepar.core.errors import BadUpstream, DeadlineExceeded, Unavailable

RETRY_SHARE = 0.1
RETRIES_SAVED_MAX = 10.0
FAILURES_MAX = 5
OPEN_S = 2.0
FAIR_DEADLINE_S = 1.0


class RetryBudget:
    """Every call earns a tenth of a retry: however broken the server is, it gets at most 1.1 times its usual calls."""

    def __init__(self, share: float = RETRY_SHARE, saved_max: float = RETRIES_SAVED_MAX) -> None:
        self._share, self._saved_max, self._saved = share, saved_max, 0.0

    def earn(self) -> None:
        self._saved = min(self._saved + self._share, self._saved_max)

    def spend(self) -> bool:
        """Is there a retry left? If so it is taken."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True


class CircuitBreaker:
    """Of one model (Nygard, "Release It!", 2nd ed., chapter 5). Closed, open, and half open for one call.

    After `failures_max` failures in a row calls are refused for `open_s`; then one is let through, and its end decides.
    A deadline that was missed counts only where the call had a second or more: a hasty caller is no fault of the model.
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
        self._opens_again_at = 0.0
        self._probing = False

    @property
    def refusing(self) -> bool:
        """Open, or half open: calls but a probe are refused."""
        return self._failures >= self._failures_max

    @contextmanager
    def call(self, deadline: Deadline) -> Iterator[None]:
        """Raises Unavailable without a call while open, and passes on what the call raises."""
        probe = self._failures >= self._failures_max
        if probe and (self._probing or self._now() < self._opens_again_at):
            raise Unavailable(f"{self._model} is not available at the moment")
        self._probing = probe
        fair = deadline.remaining_s() >= FAIR_DEADLINE_S
        try:
            yield
        except (Unavailable, BadUpstream):
            self._failed()
            raise
        except DeadlineExceeded:
            if fair:
                self._failed()
            raise
        else:
            self._failures = 0
        finally:
            if probe:
                self._probing = False

    def _failed(self) -> None:
        self._failures += 1
        self._opens_again_at = self._now() + self._open_s
