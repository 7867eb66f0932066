"""Signals that end the process wait until a token renewal in progress is stored."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
EXIT_CODE_BASE = 128
"""The exit code of a process that a signal ends is 128 plus the signal's number."""


class Interrupted(KeyboardInterrupt):
    """A signal asks the process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = EXIT_CODE_BASE + number


class Interruption:
    """Raises Interrupted in the main thread for the first signal, and ends the process at once for the second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deferrals = 0
        self._waiting: int | None = None
        self._raised = False

    def install(self) -> None:
        """Call it in the main thread. A signal that is ignored, as SIGHUP under nohup, stays ignored."""
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """For any thread: signals are handled after the block."""
        with self._lock:
            self._deferrals += 1
        try:
            yield
        finally:
            with self._lock:
                self._deferrals -= 1
                waiting, self._waiting = (None, self._waiting) if self._deferrals else (self._waiting, None)
            if waiting is not None:
                signal.raise_signal(waiting)  # handled in the main thread

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self._deferrals:
            self._waiting = number
        elif self._raised:
            os._exit(EXIT_CODE_BASE + number)
        else:
            self._raised = True
            raise Interrupted(number)
