"""A service whose event loop is profiled from one SIGUSR2 to the next: `python -m bench.profiled_service MODULE FILE`.

The second signal writes FILE: processor time of the loop's thread by package, in seconds, as JSON.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import runpy
import signal
import sys
import sysconfig
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

OUTSIDE = "uvloop and system calls"
"""What the thread used outside of functions that Python calls."""
STANDARD_LIBRARY, OWN = "Python's standard library", "Hepar"
Function = tuple[str, int, str]
"""File, line and name; the file of a built-in function is "~"."""


def by_package(stats: Mapping[Function, tuple[int, int, float, float, Mapping[Function, Any]]]) -> dict[str, float]:
    """Seconds in each package. Those of a built-in function count for the functions that called it.

    stats: of pstats: calls, primitive calls, time in the function itself, with what it called, and the same by caller.
    """
    spent: dict[str, float] = {}
    for function, (_, _, own_s, _, callers) in stats.items():
        from_outside = own_s
        if function[0] == "~":
            for caller, (_, _, called_s, _) in callers.items():
                name = OUTSIDE if caller[0] == "~" else _package(caller[0])
                spent[name] = spent.get(name, 0) + called_s
                from_outside -= called_s
        name = OUTSIDE if function[0] == "~" else _package(function[0])
        spent[name] = spent.get(name, 0) + from_outside
    return spent


def _package(file: str) -> str:
    _, found, inside = file.rpartition("/site-packages/")
    if found:
        return inside.split("/")[0].removesuffix(".py")
    is_standard = not file.startswith("/") or file.startswith(sysconfig.get_path("stdlib"))
    return STANDARD_LIBRARY if is_standard else OWN


class ProfileToggle:
    """A handler of a signal: the first call begins the profile of this thread, the second one writes it to `file`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._profile = cProfile.Profile(time.thread_time)
        self._began_s: float | None = None

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        if self._began_s is None:
            self._began_s = time.thread_time()
            self._profile.enable()
            return
        self._profile.disable()
        thread_s = time.thread_time() - self._began_s
        spent = by_package(pstats.Stats(self._profile).stats)  # type: ignore[attr-defined]  # documented, not declared
        spent[OUTSIDE] = spent.get(OUTSIDE, 0) + thread_s - sum(spent.values())
        draft = self._file.with_suffix(".draft")
        draft.write_text(json.dumps(spent))
        draft.rename(self._file)


def main() -> None:
    module, file = sys.argv[1:]
    signal.signal(signal.SIGUSR2, ProfileToggle(Path(file)))
    runpy.run_module(module, run_name="__main__")


if __name__ == "__main__":
    main()
