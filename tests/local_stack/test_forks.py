"""Processes of the Procfile as forks of the supervisor: they behave as `python -m` does, and start together."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from local_stack.forks import python_module
from local_stack.supervisor import processes

ROOT = Path(__file__).parents[2]
_MODULE = """
import atexit, gc, os, sys, time, psutil, shared_by_both
from pathlib import Path

if __name__ == "__main__":
    name, other = sys.argv[1:]
    atexit.register(print, name, "ended")
    Path(f"{name}.here").touch()
    while not Path(f"{other}.here").exists():  # for ever, where one would start after the other
        time.sleep(0.02)
    title = " ".join(psutil.Process().cmdline()).strip()
    print(title, sys.argv[0].endswith("__main__.py"), os.environ["GREETING"], os.getsid(0) == os.getpid())
    for _ in range(20_000):
        print(name, "to standard output")
    print("to standard error", file=sys.stderr)
    print("shared" if shared_by_both.IMPORTED_BY != os.getpid() and gc.get_freeze_count() else "imported again")
    sys.exit(3)
"""
_PROGRAM = """
import os, sys
from local_stack.supervisor import Stack

commands = {"first": "exec python -m probe one two", "second": "exec python -m probe two one"}
sys.exit(Stack(commands, os.environ | {"GREETING": "hello"}).wait())
"""


def test_a_module_runs_as_python_would_run_it_and_all_start_together(tmp_path: Path) -> None:
    package = tmp_path / "probe"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(_MODULE)
    (tmp_path / "shared_by_both.py").write_text("import os\nIMPORTED_BY = os.getpid()\n")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    lines = done.stdout.splitlines()
    for name, other in (("one", "two"), ("two", "one")):
        assert f"python -m probe {name} {other} True hello True" in lines
        assert f"{name} ended" in lines
        assert lines.count(f"{name} to standard output") == 20_000, "lines of one process are not within another's"
    assert lines.count("shared") == lines.count("to standard error") == 2
    assert "ended with status 3" in done.stderr


def test_all_processes_of_the_procfile_are_forked() -> None:
    commands = processes(ROOT / "Procfile", {"HEPAR_STUDY_LISTEN_PEERS": "[...]"})
    assert [python_module(command) for command in commands.values()] == [
        ["triton_runtime"],
        ["auth_service"],
        ["classify_service"],
        ["detect_service"],
        ["gateway"],
        ["study_service", "api"],
        ["study_service", "worker"],
        ["study_service", "listen"],
    ]
    assert python_module("sleep 60 & wait") is None


def test_importing_the_services_starts_no_thread_and_opens_nothing() -> None:
    """A fork has neither the threads of its parent nor connections of its own."""
    program = """
import threading, psutil
from local_stack.forks import import_modules
import_modules(["auth_service", "classify_service", "detect_service", "gateway", "study_service"])
process = psutil.Process()
print(threading.active_count(), process.net_connections(), len(process.children()))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["1", "[]", "0"]
