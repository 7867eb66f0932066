"""What every test here shares."""

from __future__ import annotations

from tests.event_loop import one_event_loop

__all__ = ["one_event_loop"]
