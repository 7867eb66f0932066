"""Deadlines: every wait ends when the caller's time is over."""

from __future__ import annotations

import time
from dataclasses import dataclass

DEADLINE_HEADER = "x-hepar-timeout-ms"
_RESERVE_S = 0.05


@dataclass(frozen=True)
class Deadline:
    """A point in time on this process's monotonic clock, in seconds."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    @classmethod
    def within(cls, timeout_ms: int | None, longest_s: float) -> Deadline:
        """After the caller's milliseconds, where it gives them, and at most after `longest_s` seconds."""
        return cls.after(longest_s if timeout_ms is None else min(timeout_ms / 1000, longest_s))

    def remaining_s(self) -> float:
        """Seconds left for a call, less a reserve for the own response; at least one millisecond."""
        return max(self.at - time.monotonic() - _RESERVE_S, 0.001)

    def header(self) -> dict[str, str]:
        """The header for the next hop."""
        return {DEADLINE_HEADER: str(int(self.remaining_s() * 1000))}
