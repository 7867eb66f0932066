"""The measurements of all targets in alternating rounds; returns numbers and prints nothing."""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench.measurement import (
    IMAGE,
    SETTINGS,
    START_AND_STOP_S,
    Cell,
    MeasurementFailed,
    RunningStack,
    Workload,
    load,
    load_alone,
    load_order,
)
from bench.peers.agreement import check_classification, check_detection
from bench.peers.processes import RunningPeer, only_awake

ALONE = "ONNX Runtime alone, networks only"
SAME_WORK, AS_SHIPPED = "Hepar, the same networks", "Hepar, as shipped"
BATCH, MOST_WITH_BATCHES = 8, 4
BATCHES = {f"{name}, batches of {BATCH}": name for name in (SAME_WORK, AS_SHIPPED)}
SAMPLES = (IMAGE, IMAGE.with_name("cholangiocarcinoma.png"), IMAGE.with_name("no_tumour.png"))
_TASKS = ("classification", "detection")


@dataclass
class PeerCell(Cell):
    """cpu_ms: processor time an image of all processes of the target, by round."""

    cpu_ms: list[float] = field(default_factory=list)

    def add(self, answer: dict[str, Any]) -> None:
        super().add(answer)
        self.cpu_ms.append(answer["cpu_s"] / (self.images * len(answer["latencies_ms"])) * 1e3)

    @property
    def median_cpu_ms(self) -> float:
        return statistics.median(self.cpu_ms)


@dataclass(frozen=True)
class Targets:
    """Everything that runs. hepar: by name. folder: for the bodies of the requests."""

    peers: Sequence[RunningPeer]
    hepar: dict[str, RunningStack]
    folder: Path

    @property
    def roots(self) -> list[psutil.Process]:
        return [peer.process for peer in self.peers] + [stack.process for stack in self.hepar.values()]


def write_same_networks(repository: Path, folder: Path) -> Path:
    """A copy of the model repository with classifiers and detectors only: the networks that the peers run.

    All of them see the whole image, as in the peers: without the detectors' closer view (docs/decisions/0079).
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for card in repository.glob("*/card.json"):
        document = json.loads(card.read_bytes())
        if document["task"] in _TASKS:
            shutil.copytree(card.parent, folder / card.parent.name)
            document["input"].pop("field_mm", None)
            (folder / card.parent.name / card.name).write_text(json.dumps(document))
    return folder


def check_answers(targets: Targets) -> None:
    """Raises MeasurementFailed unless every peer answers every sample as Hepar does with the same networks."""
    stack = targets.hepar[SAME_WORK]
    headers = {"Authorization": f"Bearer {stack.token(stack.sign_up())}", "Content-Type": "image/png"}
    checks = {"classification": check_classification, "detection": check_detection}
    with httpx.Client(base_url=stack.settings.gateway_url, headers=headers, timeout=60, trust_env=False) as client:
        for sample in SAMPLES:
            image = sample.read_bytes()
            for workload, check in checks.items():
                expected = client.post(f"/v1/{workload}s", content=image).raise_for_status().json()
                for running in targets.peers:
                    if path := running.peer.paths.get(workload):  # type: ignore[call-overload]
                        check(running.peer.name, sample.name, running.peer.answer(running.post(image, path)), expected)


def measure(
    targets: Targets, clients: dict[Workload, Sequence[int]], seconds: float, rounds: int
) -> Iterator[tuple[int, PeerCell]]:
    """Yields (round, cell) as each is measured. All targets alternate in every round and meet the same noise."""
    cells: dict[tuple[Workload, str, int], PeerCell] = {}
    accounts = {name: stack.sign_up() for name, stack in targets.hepar.items()}
    for number in range(rounds):
        for workload, counts in clients.items():
            for count in counts:
                for name in names_of(targets, workload, count):
                    images = BATCH if name in BATCHES else 1
                    cell = cells.setdefault((workload, name, count), PeerCell(workload, name, count, images=images))
                    cell.add(_measured(targets, cell, accounts, seconds))
                    yield number, cell


def names_of(targets: Targets, workload: Workload, clients: int) -> list[str]:
    """Of the targets that do this work. More clients with batches would be refused: the queue is full."""
    peers = [running.peer.name for running in targets.peers if workload in running.peer.paths]
    batches = [name for name, hepar in BATCHES.items() if hepar in targets.hepar and clients <= MOST_WITH_BATCHES]
    return [ALONE, *peers, *targets.hepar, *batches]


def _measured(targets: Targets, cell: PeerCell, accounts: dict[str, tuple[str, str]], seconds: float) -> dict[str, Any]:
    if cell.target == ALONE:
        with only_awake(None, targets.roots):
            return load_alone(SETTINGS[-1], targets.hepar[SAME_WORK], cell, seconds)
    hepar = BATCHES.get(cell.target, cell.target)
    if stack := targets.hepar.get(hepar):
        root = stack.process
        with only_awake(root, targets.roots):
            _wait_until_awake(stack, accounts[hepar], cell.workload)
            order = load_order("gateway", cell.workload, stack, accounts[hepar], cell.images)
            return _load(order, root, cell, seconds * (3 if cell.images > 1 else 1))  # fewer answers, each later
    running = next(one for one in targets.peers if one.peer.name == cell.target)
    with only_awake(running.process, targets.roots):
        return _load(_order(running, cell.workload, targets.folder), running.process, cell, seconds)


def _wait_until_awake(stack: RunningStack, account: tuple[str, str], workload: Workload) -> None:
    """A stack that was suspended needs seconds for its connections and circuit breakers. Raises MeasurementFailed."""
    headers = {"Authorization": f"Bearer {stack.token(account)}", "Content-Type": "image/png"}
    with httpx.Client(base_url=stack.settings.gateway_url, headers=headers, timeout=60, trust_env=False) as client:
        ends_at = time.monotonic() + 60
        while (answer := client.post(f"/v1/{workload}s", content=IMAGE.read_bytes())).is_error:
            if time.monotonic() > ends_at:
                raise MeasurementFailed(f"{workload}: the gateway answers {answer.status_code}")
            time.sleep(1)


def _order(running: RunningPeer, workload: Workload, folder: Path) -> dict[str, Any]:
    """The arguments of bench.load for a peer."""
    body, file = running.peer.body(IMAGE.read_bytes()), folder / f"{running.peer.name}.body"
    file.write_bytes(body.content)
    return {
        "kind": "http",
        "host": running.url,
        "path": running.peer.paths[workload],
        "image": str(file),
        "headers": {"Content-Type": body.content_type},
    }


def _load(order: dict[str, Any], root: psutil.Process, cell: PeerCell, seconds: float) -> dict[str, Any]:
    whole = order | {"clients": cell.clients, "seconds": seconds, "root": root.pid}
    return load(whole, seconds + START_AND_STOP_S)
