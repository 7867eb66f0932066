"""Calls of Triton for one classification: one for each model, the combined model, or one merged graph."""

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
from hepar.core.combined_model import GRAPHS_PARAMETER, CombinedModel, CombinedPart, find_combined_model, output_name
from hepar.core.deadlines import Deadline
from hepar.inference import TritonClient
from hepar.inference.outputs import ExpectedOutput, Tensor

MERGED = "merged_graph"
_IMAGES = 60
_TOLERANCE = 1e-5
_LOADED_WITHIN_S = 60.0
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


def write_candidate(repository: Path, folder: Path) -> Path:
    """A copy of the repository in `folder`, which is replaced, with the merged graph. Raises MeasurementFailed."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(repository, folder)
    combined = combined_model(repository)
    (folder / MERGED / "1").mkdir(parents=True)
    lines = combined.configuration.replace(combined.name, MERGED).splitlines(keepends=True)
    (folder / MERGED / "config.pbtxt").write_text(
        "".join(line for line in lines if f'"{GRAPHS_PARAMETER}"' not in line)
    )
    onnx.save(merged_graph(combined), folder / MERGED / "1" / "model.onnx")
    return folder


def merged_graph(combined: CombinedModel) -> onnx.ModelProto:
    """One graph with one input and the outputs of all models."""
    merged = onnx.ModelProto()
    for part in combined.parts:
        model = onnx.load(part.graph)
        own = model.graph.input[0].name
        prefixed = compose.add_prefix(model, f"{part.model}/")
        for node in prefixed.graph.node:
            node.input[:] = ["image" if name == f"{part.model}/{own}" else name for name in node.input]
        if not merged.graph.node:
            merged.CopyFrom(prefixed)
            merged.graph.input[0].name = "image"
        else:
            merged.graph.node.extend(prefixed.graph.node)
            merged.graph.initializer.extend(prefixed.graph.initializer)
            merged.graph.output.extend(prefixed.graph.output)
            known = {opset.domain for opset in merged.opset_import}
            merged.opset_import.extend(opset for opset in prefixed.opset_import if opset.domain not in known)
    return merged


def combined_model(repository: Path) -> CombinedModel:
    """Raises MeasurementFailed."""
    if (combined := find_combined_model(repository)) is None:
        raise MeasurementFailed(f"the models of {repository} cannot be combined")
    return combined


def measure_hops(stack: RunningStack, rounds: int) -> list[HopCost]:
    """Raises MeasurementFailed where one way gives other outputs than the models."""
    return asyncio.run(_measured(stack, rounds))


async def _measured(stack: RunningStack, rounds: int) -> list[HopCost]:
    combined = combined_model(stack.settings.triton_model_repository)
    image = np.random.default_rng(0).integers(0, 255, combined.parts[0].size).astype(np.uint8)
    costs: dict[tuple[str, int], HopCost] = {}
    async with TritonClient(f"127.0.0.1:{stack.settings.triton_grpc_port}") as client:
        await _wait_for(client, combined.name)
        ways = _ways(client, combined, image)
        reference = await ways["one call a model"]()
        for way, call in ways.items():
            if not np.allclose(await call(), reference, atol=_TOLERANCE):
                raise MeasurementFailed(f"{way} gives other outputs")
        for _ in range(rounds):
            for way, call in ways.items():
                for clients in (1, 4):
                    await _add(costs.setdefault((way, clients), HopCost(way, clients)), stack, call)
    return list(costs.values())


async def _wait_for(client: TritonClient, model: str) -> None:
    """Raises MeasurementFailed."""
    deadline = time.monotonic() + _LOADED_WITHIN_S
    while not await client.ready(model):
        if time.monotonic() > deadline:
            raise MeasurementFailed(f"Triton has no {model}")
        await asyncio.sleep(0.5)


def _ways(client: TritonClient, combined: CombinedModel, image: Tensor) -> Mapping[str, Call]:
    together = {
        output_name(part.model, name): expected
        for part in combined.parts
        for name, expected in _expected_outputs(part).items()
    }

    async def of_model(part: CombinedPart) -> list[Tensor]:
        result = await client.infer(part.model, image, _expected_outputs(part), Deadline.after(60))
        return [value.ravel() for value in result.outputs.values()]

    async def each() -> Tensor:
        answers = await asyncio.gather(*map(of_model, combined.parts))
        return np.concatenate([value for answer in answers for value in answer])

    async def one(model: str) -> Tensor:
        result = await client.infer(model, image, together, Deadline.after(60))
        return np.concatenate([value.ravel() for value in result.outputs.values()])

    return {
        "one call a model": each,
        "combined model": lambda: one(combined.name),
        "merged graph": lambda: one(MERGED),
    }


def _expected_outputs(part: CombinedPart) -> dict[str, ExpectedOutput]:
    return {name: ExpectedOutput(tuple(shape), "f") for name, shape in part.outputs.items()}


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
