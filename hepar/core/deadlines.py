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
    def from_header(cls, value: str | None, longest_s: float) -> Deadline:
        """From the caller's milliseconds, at most `longest_s` seconds; otherwise `longest_s`."""
        if value is not None and value.isascii() and value.isdigit() and len(value) <= 9:
            return cls.after(min(int(value) / 1000, longest_s))
        return cls.after(longest_s)

    def remaining_s(self) -> float:
        """Seconds left for a call, less a reserve for the own response; at least one millisecond."""
        return max(self.at - time.monotonic() - _RESERVE_S, 0.001)

    def header(self) -> dict[str, str]:
        """The header for the next hop."""
        return {DEADLINE_HEADER: str(int(self.remaining_s() * 1000))}
