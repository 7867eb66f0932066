"""Which processes of the Procfile are started, and how they end."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from local_stack import supervisor
from local_stack.supervisor import Stack, processes

PROCFILE = Path(__file__).parents[2] / "Procfile"


def test_the_dicom_listener_is_started_where_somebody_may_send() -> None:
    without = processes(PROCFILE, {})
    assert {"triton", "auth", "classify", "detect", "gateway", "study", "study_worker"} == without.keys()
    assert processes(PROCFILE, {"HEPAR_STUDY_LISTEN_PEERS": ""}) == without
    added = processes(PROCFILE, {"HEPAR_STUDY_LISTEN_PEERS": "[...]"}).keys() - without.keys()
    assert added == {"study_listener"}


def test_when_one_process_ends_all_are_stopped_with_what_they_started(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pid = tmp_path / "pid"
    commands = {
        "failing": f"until [ -s {pid} ]; do sleep 0.1; done; exit 7",
        "other": f"sleep 60 & echo $! > {pid}; wait",
    }
    assert Stack(commands, os.environ).wait() == 7
    assert "failing ended with status 7" in capfd.readouterr().err
    ends_at = time.monotonic() + 10
    while is_running(int(pid.read_text())):  # it was killed, which takes effect when it is scheduled next
        assert time.monotonic() < ends_at
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    """A zombie is not: nobody waits for an orphan in some containers."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    return False


def test_a_process_that_ignores_sigterm_is_killed_and_output_is_inherited(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervisor, "STOP_TIMEOUT_S", 0.2)
    stack = Stack({"stubborn": "trap '' TERM; echo a line; echo an error >&2; sleep 60"}, os.environ)
    threading.Timer(0.5, stack.stop, (143,)).start()
    assert stack.wait() == 143
    assert capfd.readouterr().out == "a line\nan error\n"
