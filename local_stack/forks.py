"""Python processes of the Procfile as forks of this one: what they have in common is imported once, in memory shared.

Started by themselves, as in containers, the services import it each (docs/decisions/0077).
"""

from __future__ import annotations

import atexit
import gc
import importlib
import multiprocessing
import os
import runpy
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence

from setproctitle import setproctitle

_COMMAND = ["exec", "python", "-m"]
_FOR_NEW_DATABASES = ("alembic.command", "alembic.config")
"""Of three services, which would import 12 MB each; where databases exist, none needs it (docs/decisions/0077)."""


class ForkedProcess:
    """A module that runs as `python -m` runs it, in a session of its own, with standard error in its output."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        """words: the module and its arguments."""
        gc.freeze()  # a collection in the new process would write to every object, and so copy the pages that it is on
        context = multiprocessing.get_context("fork")
        self._process = context.Process(target=_run, args=(words, environment))
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None  # noqa: S101  it was started
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
        return self._process.exitcode


def python_module(command: str) -> list[str] | None:
    """The module and its arguments, where a command of the Procfile is `exec python -m MODULE ...` and nothing else."""
    words = shlex.split(command)
    return words[len(_COMMAND) :] if words[: len(_COMMAND)] == _COMMAND else None


def import_modules(modules: Sequence[str]) -> None:
    """What `python -m` imports for them before it runs them, so that their processes share it."""
    gc.disable()  # nothing of it is garbage
    for name in (*(f"{module}.__main__" for module in modules), *_FOR_NEW_DATABASES):
        importlib.import_module(name)
    gc.enable()


def _run(words: Sequence[str], environment: Mapping[str, str]) -> None:
    os.setsid()
    os.dup2(sys.stdout.fileno(), sys.stderr.fileno())
    for stream in (sys.stdout, sys.stderr):  # a line is one write: the pipe is shared with the other processes
        stream.reconfigure(line_buffering=True, write_through=False)  # type: ignore[union-attr]
    setproctitle(shlex.join(["python", "-m", *words]))  # before the environment changes: its memory holds the title
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = list(words)
    sys.modules.pop(f"{words[0]}.__main__", None)  # imported before the fork; runpy warns of modules that it runs twice
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # noqa: SLF001  multiprocessing leaves them out
