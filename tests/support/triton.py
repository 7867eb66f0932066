"""A real Triton server as a process, for tests."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from local_stack.settings import StackSettings, on_free_ports
from tests.support.processes import unmeasured

READY_WITHIN_S = 90
SHIPPED = Path("triton_models")
COMBINED = r"combined_\w+"
"""The combined model, as `RunningTriton.runs` takes it."""
INVALID_DETECTORS: dict[str, tuple[tuple[float, float, float, float], float, int]] = {
    "score_over_one": ((0.1, 0.1, 0.5, 0.5), 1.5, 0),
    "score_below_zero": ((0.1, 0.1, 0.5, 0.5), -0.1, 0),
    "unknown_label": ((0.1, 0.1, 0.5, 0.5), 0.5, 2),
    "negative_label": ((0.1, 0.1, 0.5, 0.5), 0.5, -1),
    "far_outside": ((0.1, 0.1, 7.0, 0.5), 0.5, 0),
}
"""Detectors with invalid outputs."""


@dataclass(frozen=True)
class RunningTriton:
    """pid: of the keeper process.  log_file: of Triton itself."""

    settings: StackSettings
    repository: Path
    pid: int
    log_file: Path

    @property
    def grpc(self) -> str:
        return f"127.0.0.1:{self.settings.triton_grpc_port}"

    def runs(self, model: str) -> tuple[int, int]:
        """How many images a model has run, and in how many runs: by Triton's metrics. model: a regular expression."""
        url = f"http://127.0.0.1:{self.settings.triton_metrics_port}/metrics"
        text = httpx.get(url, timeout=10, trust_env=False).text
        images, runs = (
            sum(map(float, re.findall(rf'(?m)^nv_inference_{name}{{model="(?:{model})",version="\d+"}} (\d+)', text)))
            for name in ("count", "exec_count")
        )
        return int(images), int(runs)

    def model_ready(self, model: str) -> bool:
        with grpcclient.InferenceServerClient(self.grpc) as client:
            return bool(client.is_model_ready(model, client_timeout=5))


@contextmanager
def running_triton(folder: Path, repository: Path) -> Iterator[RunningTriton]:
    """folder: for its log and state."""
    settings = on_free_ports().model_copy(update={"triton_model_repository": repository})
    log_file = folder / "triton.log"
    environment = unmeasured(settings.environment())
    environment |= {"HEPAR_TRITON_LOG_FILE": str(log_file), "HEPAR_TRITON_STATE_FOLDER": str(folder / "state")}
    # A bare base: only the PATH that Triton's own environment gives leads its Python to onnxruntime.
    environment["PATH"] = "/usr/bin:/bin"
    keeper = subprocess.Popen([sys.executable, "-m", "triton_runtime"], env=environment)
    running = RunningTriton(settings, repository, keeper.pid, log_file)
    try:
        wait_for_triton(running, keeper)
        yield running
    finally:
        keeper.send_signal(signal.SIGTERM)
        keeper.wait(30)


def wait_for_triton(running: RunningTriton, keeper: subprocess.Popen[bytes]) -> None:
    """Until it answers and serves its metrics, which start last."""
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        assert keeper.poll() is None, running.log_file.read_text()[-3000:]
        waiting = suppress(InferenceServerException, httpx.TransportError)
        with grpcclient.InferenceServerClient(running.grpc) as client, waiting:
            if client.is_server_ready(client_timeout=2):
                running.runs("any")
                return
        time.sleep(0.2)
    raise AssertionError(running.log_file.read_text()[-3000:])
