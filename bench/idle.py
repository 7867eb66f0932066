"""Start and memory of the idle stack: what each process costs before anybody sends an image."""

from __future__ import annotations

import shutil
import socket
import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.measurement import MeasurementFailed
from bench.processes import command_line, cpu_s, family
from local_stack.demo import running_stack
from local_stack.settings import LOOPBACK, StackSettings, on_free_ports

MEMORY_MAX_BYTES = 1_300_000_000
"""The stack takes 1.0 GB on the machine of docs/bench/idle.md; other kernels and libraries differ."""
_PORTS = {
    "triton_runtime": "triton_grpc_port",
    "auth_service": "auth_port",
    "classify_service": "classify_port",
    "detect_service": "detect_port",
    "gateway": "gateway_port",
    "study_service api": "study_port",
    "study_service worker": "study_worker_metrics_port",
}
_POLL_S = 0.05
_BACKEND_STUB = "triton_python_backend_stub"


@dataclass
class ProcessCost:
    """Of one process of the Procfile and what it started, or of one kind of process that it started.

    listening_s: from the start of the stack until its port takes connections; None for those without one.
    cpu_s: when the stack was ready.  idle_share: of one core, of the idle stack.  pss_bytes, rss_bytes: likewise.
    """

    listening_s: float | None = None
    processes: int = 0
    cpu_s: float = 0.0
    idle_share: float = 0.0
    pss_bytes: int = 0
    rss_bytes: int = 0


@dataclass
class IdleStack:
    """One start. costs: by process."""

    ready_s: float
    costs: dict[str, ProcessCost] = field(default_factory=dict)

    @property
    def cpu_s(self) -> float:
        return sum(cost.cpu_s for cost in self.costs.values())

    @property
    def idle_share(self) -> float:
        return sum(cost.idle_share for cost in self.costs.values())

    @property
    def pss_bytes(self) -> int:
        return sum(cost.pss_bytes for cost in self.costs.values())


def measure_idle(folder: Path, starts: int, settle_s: float) -> Iterator[IdleStack]:
    """The first start finds no state, as after an installation; the others find that of the ones before.

    folder: for the state; replaced.  settle_s: between readiness and the measurement of memory.  The processor time of
    the idle stack is that of its second half.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for _ in range(starts):
        settings = on_free_ports()
        began = time.monotonic()
        with _listening(settings, began) as listening, running_stack(settings, folder) as root:
            measured = IdleStack(time.monotonic() - began)
            stack = psutil.Process(root.pid)
            started = _cpu_by_process(stack)
            time.sleep(settle_s / 2)
            settled, settled_at = _cpu_by_process(stack), time.monotonic()
            time.sleep(settle_s / 2)
            idle, idle_s = _cpu_by_process(stack), time.monotonic() - settled_at
            for name, process in _named(stack):
                cost = measured.costs.setdefault(name, ProcessCost(listening.get(name)))
                memory = process.memory_full_info()
                cost.processes += 1
                cost.cpu_s += started.get(process.pid, 0.0)
                cost.idle_share += (idle.get(process.pid, 0.0) - settled.get(process.pid, 0.0)) / idle_s
                cost.pss_bytes += memory.pss
                cost.rss_bytes += memory.rss
        yield measured


def check_idle(measured: Sequence[IdleStack]) -> None:
    """Raises MeasurementFailed above MEMORY_MAX_BYTES."""
    if measured[-1].pss_bytes > MEMORY_MAX_BYTES:
        size, most = measured[-1].pss_bytes / 1e6, MEMORY_MAX_BYTES / 1e6
        raise MeasurementFailed(f"the idle stack takes {size:.0f} MB; at most {most:.0f} MB is accepted")


def idle_lines(measured: Sequence[IdleStack]) -> list[str]:
    """Markdown: all starts, and the processes of the last one."""
    lines = [
        "| start | seconds to ready | CPU s of all processes | idle: share of a core | MB (PSS) |",
        "|---|---|---|---|---|",
    ]
    for number, start in enumerate(measured):
        name = "new databases" if number == 0 else "existing databases"
        used = f"{start.cpu_s:.1f} | {start.idle_share:.1%} | {start.pss_bytes / 1e6:.0f}"
        lines.append(f"| {name} | {start.ready_s:.1f} | {used} |")
    last = measured[-1]
    columns = ("process", "number", "listens after s", "CPU s", "idle: share of a core", "MB (PSS)", "MB (RSS)")
    lines += ["", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for name, cost in last.costs.items():
        listening = "" if cost.listening_s is None else f"{cost.listening_s:.1f}"
        sizes = f"{cost.pss_bytes / 1e6:.0f} | {cost.rss_bytes / 1e6:.0f}"
        lines.append(
            f"| {name} | {cost.processes} | {listening} | {cost.cpu_s:.1f} | {cost.idle_share:.1%} | {sizes} |"
        )
    later = [start.cpu_s for start in measured[1:]]
    if later:
        lines += ["", f"Median CPU time of the starts with existing databases: {statistics.median(later):.1f} s."]
    return lines


def _cpu_by_process(stack: psutil.Process) -> dict[int, float]:
    """Seconds by process id."""
    return {process.pid: cpu_s([process]) for process in family(stack)}


def _named(stack: psutil.Process) -> Iterator[tuple[str, psutil.Process]]:
    yield "local_stack", stack
    for child in stack.children():
        name = command_line(child).partition("-m ")[2]
        for process in family(child):
            command = command_line(process)
            if process == child:
                yield name, process
            elif "bin/tritonserver" in command:
                yield "tritonserver", process
            elif _BACKEND_STUB in command:
                yield "model processes of Triton", process
            else:
                yield f"{name}: decode workers", process


@contextmanager
def _listening(settings: StackSettings, began: float) -> Iterator[Mapping[str, float]]:
    """Seconds until each port took a connection, filled in while the stack starts."""
    found: dict[str, float] = {}
    stopping = threading.Event()

    def watch() -> None:
        while not stopping.wait(_POLL_S) and len(found) < len(_PORTS):
            for name, port in _PORTS.items():
                if name not in found:
                    with suppress(OSError), socket.create_connection((LOOPBACK, getattr(settings, port)), _POLL_S):
                        found[name] = time.monotonic() - began

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield found
    finally:
        stopping.set()
        watching.join()
