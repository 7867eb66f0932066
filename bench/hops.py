"""Calls of Triton for one classification: one for each model, Triton's ensemble scheduling, or one merged graph."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import compose

from bench.measurement import MeasurementFailed, RunningStack
from hepar.contracts.cards import ModelCard
from hepar.core.deadlines import Deadline
from hepar.inference import TritonClient
from hepar.inference.outputs import ExpectedOutput, Tensor

ENSEMBLE, MERGED = "ensemble_of_classifiers", "merged_classifiers"
_TASKS = {"classification": "logits", "input_check": "typicality"}
"""Output by task."""
_MERGED_INSTANCES = 2
_IMAGES = 60
_TOLERANCE = 1e-5
_PARAMETERS = "".join(
    f'parameters {{ key: "{key}" value: {{ string_value: "{value}" }} }}\n'
    for key, value in (("intra_op_thread_count", 1), ("session.intra_op.allow_spinning", 0))
)
Call = Callable[[], Awaitable[Tensor]]


@dataclass
class HopCost:
    """Milliseconds an image, by round. server, stubs: processor time of tritonserver and of its model processes.

    client: processor time of this process, which calls as a model service does.
    """

    way: str
    clients: int
    wall_ms: list[float] = field(default_factory=list)
    server_ms: list[float] = field(default_factory=list)
    stubs_ms: list[float] = field(default_factory=list)
    client_ms: list[float] = field(default_factory=list)

    @property
    def cpu_ms(self) -> float:
        return sum(statistics.median(part) for part in (self.server_ms, self.stubs_ms, self.client_ms))


def write_candidates(repository: Path, folder: Path) -> Path:
    """A copy of the repository in `folder`, which is replaced, with both candidates."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(repository, folder)
    cards = classification_cards(repository)
    height, width = cards[0].input.height, cards[0].input.width
    outputs = ", ".join(
        f'{{ name: "{_output(card)}" data_type: TYPE_FP32 dims: [ {_length(card)} ] }}' for card in cards
    )
    tensors = (
        f'max_batch_size: 8\ninput [ {{ name: "image" data_type: TYPE_UINT8 dims: [ {height}, {width}, 1 ] }} ]\n'
        f"output [ {outputs} ]\n"
    )
    steps = ", ".join(
        f'{{ model_name: "{card.name}" model_version: -1 input_map {{ key: "image" value: "image" }} '
        f'output_map {{ key: "{_TASKS[card.task]}" value: "{_output(card)}" }} }}'
        for card in cards
    )
    for name in (ENSEMBLE, MERGED):
        (folder / name / "1").mkdir(parents=True)
    (folder / ENSEMBLE / "config.pbtxt").write_text(
        f'name: "{ENSEMBLE}"\nplatform: "ensemble"\n{tensors}ensemble_scheduling {{ step [ {steps} ] }}\n'
    )
    (folder / MERGED / "config.pbtxt").write_text(
        f'name: "{MERGED}"\nbackend: "onnxruntime"\n{tensors}dynamic_batching {{ }}\n'
        f"instance_group [ {{ count: {_MERGED_INSTANCES} kind: KIND_CPU }} ]\n{_PARAMETERS}"
    )
    onnx.save(merged_graph(repository, cards), folder / MERGED / "1" / "model.onnx")
    return folder


def merged_graph(repository: Path, cards: list[ModelCard]) -> onnx.ModelProto:
    """One graph with one input and the outputs of all models, without activation maps."""
    merged = onnx.ModelProto()
    for card in cards:
        model = onnx.load(repository / card.name / "1" / "model.onnx")
        own = model.graph.input[0].name
        prefixed = compose.add_prefix(model, f"{card.name}/")
        for node in prefixed.graph.node:
            node.input[:] = ["image" if name == f"{card.name}/{own}" else name for name in node.input]
        wanted = [output for output in prefixed.graph.output if output.name == _output(card)]
        if not merged.graph.node:
            merged.CopyFrom(prefixed)
            merged.graph.input[0].name = "image"
            del merged.graph.output[:]
        else:
            merged.graph.node.extend(prefixed.graph.node)
            merged.graph.initializer.extend(prefixed.graph.initializer)
            known = {opset.domain for opset in merged.opset_import}
            merged.opset_import.extend(opset for opset in prefixed.opset_import if opset.domain not in known)
        merged.graph.output.extend(wanted)
    return merged


def classification_cards(repository: Path) -> list[ModelCard]:
    cards = [ModelCard.model_validate_json(file.read_bytes()) for file in sorted(repository.glob("*/card.json"))]
    return [card for card in cards if card.task in _TASKS]


def measure_hops(stack: RunningStack, rounds: int) -> list[HopCost]:
    """Raises MeasurementFailed where the candidates give other outputs than the models."""
    return asyncio.run(_measured(stack, rounds))


async def _measured(stack: RunningStack, rounds: int) -> list[HopCost]:
    cards = classification_cards(stack.settings.triton_model_repository)
    height, width = cards[0].input.height, cards[0].input.width
    image = np.random.default_rng(0).integers(0, 255, (height, width)).astype(np.uint8)
    costs: dict[tuple[str, int], HopCost] = {}
    async with TritonClient(f"127.0.0.1:{stack.settings.triton_grpc_port}") as client:
        ways = _ways(client, cards, image)
        reference = await ways["one call a model"]()
        for way, call in ways.items():
            if not np.allclose(await call(), reference, atol=_TOLERANCE):
                raise MeasurementFailed(f"{way} gives other outputs")
        for _ in range(rounds):
            for way, call in ways.items():
                for clients in (1, 4):
                    await _add(costs.setdefault((way, clients), HopCost(way, clients)), stack, call)
    return list(costs.values())


def _ways(client: TritonClient, cards: list[ModelCard], image: Tensor) -> Mapping[str, Call]:
    expected = {card.name: ExpectedOutput((_length(card),), "f") for card in cards}
    together = {_output(card): expected[card.name] for card in cards}

    async def of_model(card: ModelCard) -> Tensor:
        name = _TASKS[card.task]
        result = await client.infer(card.name, image, {name: expected[card.name]}, Deadline.after(60))
        return result.outputs[name]

    async def each() -> Tensor:
        return np.concatenate(await asyncio.gather(*map(of_model, cards)))

    async def one(model: str) -> Tensor:
        result = await client.infer(model, image, together, Deadline.after(60))
        return np.concatenate([result.outputs[name] for name in together])

    return {
        "one call a model": each,
        "ensemble scheduling": lambda: one(ENSEMBLE),
        "one merged graph": lambda: one(MERGED),
    }


async def _add(cost: HopCost, stack: RunningStack, call: Call) -> None:
    async def client() -> None:
        for _ in range(_IMAGES // cost.clients):
            await call()

    server, stubs, own = *_triton_cpu_s(stack), time.process_time()
    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(cost.clients)))
    wall_s, own_s = time.perf_counter() - started, time.process_time() - own
    server_after, stubs_after = _triton_cpu_s(stack)
    for samples, spent_s in (
        (cost.wall_ms, wall_s),
        (cost.server_ms, server_after - server),
        (cost.stubs_ms, stubs_after - stubs),
        (cost.client_ms, own_s),
    ):
        samples.append(spent_s / _IMAGES * 1000)


def _triton_cpu_s(stack: RunningStack) -> tuple[float, float]:
    """Processor time of tritonserver, and of the processes of its models."""
    spent = {False: 0.0, True: 0.0}
    for process in stack.process.children(recursive=True):
        name = process.name()
        if name.startswith("triton"):
            times = process.cpu_times()
            spent["stub" in name] += times.user + times.system
    return spent[False], spent[True]


def lines_of(costs: list[HopCost]) -> list[str]:
    """Markdown."""
    lines = [
        "| way | clients | ms an image | processor ms | of it tritonserver | model processes | client | ratio |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for cost in costs:
        first = next(other for other in costs if other.clients == cost.clients)
        parts = [statistics.median(part) for part in (cost.server_ms, cost.stubs_ms, cost.client_ms)]
        lines.append(
            f"| {cost.way} | {cost.clients} | {statistics.median(cost.wall_ms):.1f} | {cost.cpu_ms:.1f} | "
            f"{parts[0]:.1f} | {parts[1]:.1f} | {parts[2]:.1f} | {cost.cpu_ms / first.cpu_ms:.2f} |"
        )
    return lines


def _output(card: ModelCard) -> str:
    """Its name in both candidates."""
    return f"{card.name}/{_TASKS[card.task]}"


def _length(card: ModelCard) -> int:
    return len(card.labels)
