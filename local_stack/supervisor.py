"""Runs Triton and the four services under one supervisor (honcho): when one ends, all are stopped.

The exception is Triton itself: triton_runtime restarts it while the services keep running.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import honcho.manager
from honcho.environ import parse_procfile
from honcho.printer import Printer

from local_stack.checks import CannotStart, check_all
from local_stack.readiness import NotReady, wait_until_ready
from local_stack.settings import StackSettings

PROCFILE = Path("Procfile")
_STARTED_WITH = {"study_listener": "HEPAR_STUDY_LISTEN_PEERS"}
"""Processes that are started only where a variable is set."""
START_TIMEOUT_S = 120
# honcho kills after five seconds; requests in flight and Triton's shared memory need more time.
honcho.manager.KILL_WAIT = 30


def run_stack(settings: StackSettings, *, hints: bool) -> int:
    """Starts all processes and returns when all have ended, with the exit status of the first failure.

    Raises CannotStart. Must run in the main thread: honcho installs its signal handlers there.
    """
    check_all(settings)
    if not PROCFILE.is_file():
        raise CannotStart("no Procfile in this folder: start from the root of the repository")
    manager = honcho.manager.Manager(Printer(sys.stdout, colour=sys.stdout.isatty()))
    environment = settings.environment()
    for name, command in processes(PROCFILE, environment).items():
        manager.add_process(name, command, env=environment)
    if hints:
        threading.Thread(target=_announce, args=(settings, manager), daemon=True).start()
    manager.loop()
    return int(manager.returncode or 0)


def processes(procfile: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Commands by name."""
    found: dict[str, str] = parse_procfile(procfile.read_text()).processes
    return {
        name: command
        for name, command in found.items()
        if name not in _STARTED_WITH or environment.get(_STARTED_WITH[name])
    }


def _announce(settings: StackSettings, manager: honcho.manager.Manager) -> None:
    try:
        wait_until_ready(settings, START_TIMEOUT_S, lambda: manager.returncode is None)
    except NotReady as error:
        print(f"\nHepar did not start: {error}. See the lines above.", file=sys.stderr, flush=True)
        manager.terminate()
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
