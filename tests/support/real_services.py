"""Triton with tiny models, sign-in and the model services as processes that can be killed one by one."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil

from local_stack.demo import state_variables
from local_stack.settings import on_free_ports
from tests.support.processes import unmeasured
from tests.support.stack import tiny_repository
from tests.support.tiny_models import write_segmenter

_READY_S = 120.0
_NAMES = ("triton_runtime", "auth_service", "classify_service", "detect_service")


class RealServices:
    """One that dies is started again, as an orchestrator does it; Triton is restarted by its own keeper."""

    def __init__(self, folder: Path) -> None:
        write_segmenter(tiny_repository(folder / "models"), "segment_grey")
        settings = on_free_ports().model_copy(update={"triton_model_repository": folder / "models"})
        self._environment = unmeasured(settings.environment() | state_variables(folder))
        self._log = (folder / "services.log").open("ab")
        self._running = {name: self._started(name) for name in _NAMES}
        self._urls = [f"http://127.0.0.1:{port}/readyz" for port in (settings.classify_port, settings.detect_port)]

    @property
    def variables(self) -> dict[str, str]:
        names = ("AUTH_URL", "CLASSIFY_URL", "DETECT_URL", "WORKER_SECRET")
        return {f"HEPAR_STUDY_{name}": self._environment[f"HEPAR_STUDY_{name}"] for name in names}

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_S
        while not all(map(_is_ready, self._urls)):
            assert time.monotonic() < deadline
            assert all(process.poll() is None for process in self._running.values())
            time.sleep(0.2)

    def kill(self, name: str) -> None:
        """Kill -9."""
        if name == "triton_runtime":
            family = psutil.Process(self._running[name].pid).children(recursive=True)
            for process in family:
                with suppress(psutil.NoSuchProcess):  # one of a model, which ended by itself and waits for its parent
                    if "bin/tritonserver" in " ".join(process.cmdline()):
                        process.send_signal(signal.SIGKILL)
            return
        self._running[name].kill()
        self._running[name].wait()
        self._running[name] = self._started(name)

    def close(self) -> None:
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            process.wait(60)
        self._log.close()

    def _started(self, name: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", name]
        return subprocess.Popen(command, env=self._environment, stdout=self._log, stderr=self._log)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False


@contextmanager
def real_services(folder: Path) -> Iterator[RealServices]:
    """Ready on entry. folder: for models, state and logs."""
    services = RealServices(folder)
    try:
        services.wait_until_ready()
        yield services
    finally:
        services.close()
