"""Every wait has an end, and the end is the caller's."""

from __future__ import annotations

import time
from dataclasses import dataclass

DEADLINE_HEADER = "x-hepar-timeout-ms"
_RESERVE_S = 0.05


@dataclass(frozen=True)
class Deadline:
    """A moment on this process's monotonic clock."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    @classmethod
    def from_header(cls, value: str | None, longest_s: float) -> Deadline:
        """What the caller grants in milliseconds, at most `longest_s`; that, too, where it says nothing sensible."""
        if value is not None and value.isascii() and value.isdigit() and len(value) <= 9:
            return cls.after(min(int(value) / 1000, longest_s))
        return cls.after(longest_s)

    def remaining_s(self) -> float:
        """Seconds left for a call, less what our own answer needs; at least a millisecond."""
        return max(self.at - time.monotonic() - _RESERVE_S, 0.001)

    def header(self) -> dict[str, str]:
        """For the next hop."""
        return {DEADLINE_HEADER: str(int(self.remaining_s() * 1000))}
