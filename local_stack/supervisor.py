"""Runs Triton and the services of the Procfile: when one ends, all are stopped.

The exception is Triton itself: triton_runtime restarts it while the services keep running.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from local_stack.checks import CannotStart, check_all
from local_stack.forks import ForkedProcess, import_modules, python_module
from local_stack.readiness import NotReady, wait_until_ready
from local_stack.settings import StackSettings

PROCFILE = Path("Procfile")
_STARTED_WITH = {"study_listener": "HEPAR_STUDY_LISTEN_PEERS"}
"""Processes that are started only where a variable is set."""
_FIRST = "triton"
"""Loads its models while this process imports what the others share."""
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 30
"""For requests in flight and Triton's shared memory."""
_POLL_S = 0.1


_Process = subprocess.Popen[bytes] | ForkedProcess


class Stack:
    """The running processes. They write all lines to the output of this process, which reads none of them."""

    def __init__(self, commands: Mapping[str, str], environment: Mapping[str, str]) -> None:
        self.exit_status: int | None = None
        self._processes: dict[str, _Process] = {}
        modules = {name: words for name, command in commands.items() if (words := python_module(command)) is not None}
        for name, command in commands.items():
            if name in modules:
                if name != _FIRST:
                    import_modules([words[0] for words in modules.values()])
                self._processes[name] = ForkedProcess(modules[name], environment)
                continue
            # Sessions of their own: Ctrl-C reaches this process alone, which stops the others in its own way.
            shell = ["/bin/sh", "-c", command]
            self._processes[name] = subprocess.Popen(
                shell, stderr=subprocess.STDOUT, env=environment, start_new_session=True
            )

    def stop(self, exit_status: int) -> None:
        """Makes `wait` stop all processes and return. The first status counts."""
        if self.exit_status is None:
            self.exit_status = exit_status

    def wait(self) -> int:
        """Returns when all processes have ended, with the exit status of the first that did."""
        while self.exit_status is None:
            for name, process in self._processes.items():
                if (status := process.poll()) is not None:
                    print(f"{name} ended with status {status}", file=sys.stderr, flush=True)
                    self.stop(status)
            time.sleep(_POLL_S)
        _end(list(self._processes.values()))
        return self.exit_status


def _end(processes: Sequence[_Process]) -> None:
    """Terminates the processes with all that they started; kills what runs on after STOP_TIMEOUT_S."""
    ends_at = time.monotonic() + STOP_TIMEOUT_S
    for process in processes:
        if process.poll() is None:
            _signal(process, signal.SIGTERM)
    for process in processes:
        try:
            process.wait(max(ends_at - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            _signal(process, signal.SIGKILL)
            process.wait()


def _signal(process: _Process, number: signal.Signals) -> None:
    """To its session, or to the process alone where it has not begun one yet."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        os.kill(process.pid, number)


def run_stack(settings: StackSettings, *, hints: bool) -> int:
    """Starts all processes and returns when all have ended, with the exit status of the first that did.

    Raises CannotStart. Must run in the main thread, because it handles SIGTERM and Ctrl-C.
    """
    check_all(settings)
    if not PROCFILE.is_file():
        raise CannotStart("no Procfile in this folder: start from the root of the repository")
    environment = settings.environment()
    stack = Stack(processes(PROCFILE, environment), environment)

    def stop(received: int, _frame: FrameType | None) -> None:
        stack.stop(128 + received)  # as shells report it

    for handled in (signal.SIGTERM, signal.SIGINT):
        signal.signal(handled, stop)
    if hints:
        threading.Thread(target=_announce, args=(settings, stack), daemon=True).start()
    return stack.wait()


def processes(procfile: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Commands by name."""
    lines = (line.partition(":") for line in procfile.read_text().splitlines() if line.strip())
    found = {name.strip(): command.strip() for name, _, command in lines}
    return {
        name: command
        for name, command in found.items()
        if name not in _STARTED_WITH or environment.get(_STARTED_WITH[name])
    }


def _announce(settings: StackSettings, stack: Stack) -> None:
    try:
        wait_until_ready(settings, START_TIMEOUT_S, lambda: stack.exit_status is None)
    except NotReady as error:
        print(f"\nHepar did not start: {error}. See the lines above.", file=sys.stderr, flush=True)
        stack.stop(1)
        return
    print(_hints(settings), file=sys.stderr, flush=True)


def _hints(settings: StackSettings) -> str:
    url = settings.gateway_url
    return f"""
Hepar is ready at {url} (API pages: {url}/docs). Ctrl-C stops it.
Research software, not a medical device. Try it in another terminal:

  curl -s {url}/v1/users -H 'Content-Type: application/json' \\
       -d '{{"email": "you@example.org", "password": "a long enough password"}}'
  TOKEN=$(curl -s {url}/v1/token -d username=you@example.org -d password='a long enough password' \\
          | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
  curl -s {url}/v1/analyses -H "Authorization: Bearer $TOKEN" -F image=@samples/metastasis.png
"""
