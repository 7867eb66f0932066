"""Which packages use the processor time of a service's event loop, for one image."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench.measurement import START_AND_STOP_S, MeasurementFailed, RunningStack, load, load_order
from bench.stack_process import UNLIMITED
from local_stack.settings import on_free_ports

SERVICES = {
    "gateway": ("gateway_port", "gateway_metrics_port"),
    "classify_service": ("classify_port", "classify_metrics_port"),
}
"""What can be profiled, with the settings of its ports; the first is that of its routes."""
CLIENTS = 4
_SLOWEST_IMAGE_S = 2.0
"""Under the profiler."""
_WAIT_S = 60.0
_SHOWN_SHARE = 0.01


def package_profile(stack: RunningStack, service: str, images: int, folder: Path) -> dict[str, float]:
    """Starts a second instance of the service and returns its milliseconds per classification, by package.

    folder: for files of the measurement.  Raises MeasurementFailed.
    """
    target = "gateway" if service == "gateway" else "service"
    order = load_order(target, "classification", stack, stack.sign_up()) | {"clients": CLIENTS, "warm_up_s": 0}
    with _profiled(stack, service, folder / "profile.json") as (process, url):
        order["host"] = url
        _load(order, images // 4)  # warms up
        process.send_signal(signal.SIGUSR2)
        answered = _load(order, images)
        process.send_signal(signal.SIGUSR2)
        spent_s = _read(folder / "profile.json")
    return {name: seconds / answered * 1000 for name, seconds in spent_s.items()}


@contextmanager
def _profiled(stack: RunningStack, service: str, file: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The process and its address."""
    free = on_free_ports()
    own = stack.settings.model_copy(update={name: getattr(free, name) for name in SERVICES[service]})
    url = f"http://127.0.0.1:{getattr(own, SERVICES[service][0])}"
    state = {"HEPAR_GATEWAY_DATABASE_URL": f"sqlite+aiosqlite:///{file.absolute()}.sqlite3"}
    environment = os.environ | own.environment() | UNLIMITED | state
    command = [sys.executable, "-m", "bench.profiled_service", service, str(file)]
    with (file.with_suffix(".log")).open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _wait_until_ready(process, url)
            yield process, url
        finally:
            process.terminate()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    ends = time.monotonic() + _WAIT_S
    while time.monotonic() < ends and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz", timeout=5, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise MeasurementFailed(f"the profiled service at {url} is not ready")


def _load(order: dict[str, Any], images: int) -> int:
    """Answered images."""
    answer = load(order | {"requests": images}, images * _SLOWEST_IMAGE_S + START_AND_STOP_S)
    return len(answer["latencies_ms"])


def _read(file: Path) -> dict[str, float]:
    ends = time.monotonic() + _WAIT_S
    while not file.exists():
        if time.monotonic() > ends:
            raise MeasurementFailed("the service wrote no profile")
        time.sleep(0.1)
    spent: dict[str, float] = json.loads(file.read_bytes())
    return spent


def profile_lines(service: str, spent_ms: Mapping[str, float]) -> list[str]:
    """Markdown."""
    total_ms = sum(spent_ms.values())
    shares = sorted(((spent / total_ms, name) for name, spent in spent_ms.items()), reverse=True)
    shown = [(share, name) for share, name in shares if share >= _SHOWN_SHARE]
    rest = 1 - sum(share for share, _ in shown)
    return [
        f"Event loop of {service}: {total_ms:.1f} ms an image under the profiler, which slows down calls of functions.",
        "",
        "| package | share |",
        "|---|---|",
        *(f"| {name} | {share:.0%} |" for share, name in shown),
        f"| others | {rest:.0%} |",
    ]
