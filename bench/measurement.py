"""The measurements and their order; returns numbers and prints nothing."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import numpy as np
import psutil

from bench.processes import command_line, cpu_s, family
from local_stack.settings import StackSettings

IMAGE = Path("samples/metastasis.png")
Workload = Literal["classification", "detection"]
TARGETS = ("triton", "service", "gateway")
WARM_UP_S = 1.0
WARM_UP_IMAGES = 5
START_AND_STOP_S = 180.0
"""Of a load generator, on a machine that does other work as well."""


class MeasurementFailed(Exception):
    """A load generator failed, or a target returned errors; the message names it."""


@dataclass(frozen=True)
class Setting:
    """A setting of ONNX Runtime alone: models in parallel, threads per model, and whether threads spin."""

    workers: int
    threads: int
    spinning: bool

    def __str__(self) -> str:
        spinning = "spinning" if self.spinning else "no spinning"
        return f"{self.workers} at a time, {self.threads} thread(s) each, {spinning}"


SETTINGS = (Setting(1, 2, True), Setting(1, 2, False), Setting(2, 1, False))


@dataclass
class Cell:
    """One target with one number of clients, over all rounds. images: of a request."""

    workload: Workload
    target: str
    clients: int
    images_per_s: list[float] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)
    images: int = 1

    def add(self, answer: dict[str, Any]) -> None:
        """Adds one round. answer: the result of `load`."""
        self.images_per_s.append(self.images * len(answer["latencies_ms"]) / answer["seconds"])
        self.latencies_ms += answer["latencies_ms"]

    def percentile_ms(self, share: float) -> float:
        return float(np.percentile(self.latencies_ms, share))

    @property
    def throughput(self) -> float:
        """Images per second, median of the rounds."""
        return statistics.median(self.images_per_s)


@dataclass(frozen=True)
class RunningStack:
    """A running stack: its addresses, its root process, and the models by task."""

    settings: StackSettings
    process: psutil.Process
    models: dict[Workload, list[str]]

    def memory_bytes(self) -> dict[str, int]:
        """Proportional set size by process name (Triton: its keeper, server and stubs): shared pages are divided."""
        sizes: dict[str, int] = {}
        for name, members in self.families():
            sizes[name] = sizes.get(name, 0) + sum(one.memory_full_info().pss for one in members)
        return sizes

    def families(self) -> Iterator[tuple[str, list[psutil.Process]]]:
        """Each process of the stack by name, with what it started; see `memory_bytes`."""
        for child in self.process.children():
            members = family(child)
            yield next((found for one in members if (found := _module(command_line(one).split()))), "starter"), members

    def cpu_s(self) -> dict[str, float]:
        """Processor time that each process of the stack has used, by name; see `memory_bytes`."""
        spent: dict[str, float] = {}
        for name, members in self.families():
            spent[name] = spent.get(name, 0) + cpu_s(members)
        return spent

    def sign_up(self) -> tuple[str, str]:
        email, password = f"bench-{secrets.token_hex(4)}@example.org", secrets.token_urlsafe(24)
        with httpx.Client(base_url=self.settings.gateway_url, timeout=30, trust_env=False) as client:
            client.post("/v1/users", json={"email": email, "password": password}).raise_for_status()
        return email, password

    def token(self, account: tuple[str, str]) -> str:
        """A new access token: they expire after ten minutes, and a benchmark takes longer."""
        with httpx.Client(base_url=self.settings.gateway_url, timeout=30, trust_env=False) as client:
            answer = client.post("/v1/token", data={"username": account[0], "password": account[1]}).raise_for_status()
        return str(answer.json()["access_token"])


def _module(command: Sequence[str]) -> str | None:
    """The module that `python -m` runs; None for the local stack itself."""
    words = [word for flag, word in itertools.pairwise(command) if flag == "-m"]
    return next((word for word in words if word != "local_stack"), None)


def models_of(repository: Path) -> dict[Workload, list[str]]:
    found: dict[Workload, list[str]] = {"classification": [], "detection": []}
    for card in sorted(repository.glob("*/card.json")):
        task = json.loads(card.read_bytes())["task"]
        if task in found:
            found[task].append(card.parent.name)
    return found


def measure(stack: RunningStack, clients: Sequence[int], seconds: float, rounds: int) -> Iterator[tuple[int, Cell]]:
    """Yields (round, cell) as each is measured. All targets alternate in every round and meet the same noise."""
    cells: dict[tuple[str, str, int], Cell] = {}
    account = stack.sign_up()
    for number in range(rounds):
        for workload in stack.models:
            for count in clients:
                for target in (*map(str, SETTINGS), *TARGETS):
                    cell = cells.setdefault((workload, target, count), Cell(workload, target, count))
                    _add(cell, stack, account, seconds)
                    yield number, cell


def _add(cell: Cell, stack: RunningStack, account: tuple[str, str], seconds: float) -> None:
    alone = {str(setting): setting for setting in SETTINGS}
    if cell.target in alone:
        answer = load_alone(alone[cell.target], stack, cell, seconds)
    else:
        order = load_order(cell.target, cell.workload, stack, account)
        answer = load(order | {"clients": cell.clients, "seconds": seconds}, seconds + START_AND_STOP_S)
    cell.add(answer)


def load_order(
    target: str, workload: Workload, stack: RunningStack, account: tuple[str, str], images: int = 1
) -> dict[str, Any]:
    """The arguments of bench.load for a target. images: of a request; more than one are a batch."""
    settings = stack.settings
    if target == "triton":
        return {"kind": "triton", "host": f"127.0.0.1:{settings.triton_grpc_port}", "models": stack.models[workload]}
    services = {"classification": settings.classify_port, "detection": settings.detect_port}
    at_gateway = target == "gateway"
    return {
        "kind": "http",
        "host": settings.gateway_url if at_gateway else f"http://127.0.0.1:{services[workload]}",
        "path": f"/v1/{workload}s" + ("/batch" if images > 1 else ""),
        "image": str(IMAGE),
        "images": images,
        "headers": {"Authorization": f"Bearer {stack.token(account)}"},
    }


def load(order: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    """Raises MeasurementFailed."""
    return _answer([sys.executable, "-m", "bench.load", json.dumps({"warm_up_s": WARM_UP_S, **order})], timeout_s)


def load_alone(setting: Setting, stack: RunningStack, cell: Cell, seconds: float) -> dict[str, Any]:
    """ONNX Runtime alone with the models of the stack and the clients of the cell. Raises MeasurementFailed."""
    repository = stack.settings.triton_model_repository
    order = {
        **asdict(setting),
        "files": [str(repository / name / "1" / "model.onnx") for name in stack.models[cell.workload]],
        "clients": cell.clients,
        "seconds": seconds,
        "warm_up": WARM_UP_IMAGES,
    }
    python = stack.settings.triton_environment / "bin" / "python"
    return _answer(
        [str(python), str(Path(__file__).parent / "onnxruntime_alone.py"), json.dumps(order)],
        seconds + START_AND_STOP_S,
    )


def _answer(command: list[str], timeout_s: float) -> dict[str, Any]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise MeasurementFailed(f"not done after {timeout_s:.0f} s: {' '.join(command[:3])}") from error
    if done.returncode:
        raise MeasurementFailed(done.stderr[-2000:])
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if answer["errors"]:
        raise MeasurementFailed(f"answered with errors: {answer['errors'][0]}")
    if not answer["latencies_ms"]:
        raise MeasurementFailed("not one image was answered: give it more --seconds")
    return answer
