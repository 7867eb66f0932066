"""A model by itself: perf_analyzer or our own load tool through Triton; trtexec or ONNX Runtime without it."""

from __future__ import annotations

import csv
import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.gpu.tools import GpuTools
from bench.gpu.variants import GpuVariant, Provider
from bench.measurement import IMAGE, START_AND_STOP_S, MeasurementFailed, load
from triton_runtime.lint import batched, parsed

_TRTEXEC_TIMEOUT_S = 900
_THROUGHPUT = re.compile(r"Throughput: ([0-9.]+) qps")


@dataclass(frozen=True)
class Alone:
    """A model without Triton, with batches of the variant's size: by trtexec in FP16, or ONNX Runtime with CUDA.

    differences: the largest from the CPU provider, of each output for the sample image; empty where not measured.
    """

    tool: str
    images_per_s: float
    differences: dict[str, float]


@dataclass(frozen=True)
class ModelResult:
    """images_per_s: through Triton with `concurrency` requests in flight, measured by `tool`.

    alone: None where it was not measured.
    """

    model: str
    variant: GpuVariant
    concurrency: int
    tool: str
    images_per_s: float
    alone: Alone | None


def through_triton(
    tools: GpuTools, address: str, model: str, concurrency: int, seconds: float, folder: Path
) -> tuple[str, float]:
    """The tool, and images a second. Raises MeasurementFailed."""
    if tools.perf_analyzer is None:
        order = {"kind": "triton", "host": address, "models": [model], "clients": concurrency, "seconds": seconds}
        answer = load(order, seconds + START_AND_STOP_S)
        return "bench.load", len(answer["latencies_ms"]) / answer["seconds"]
    file = folder / f"{model}.csv"
    _output(
        perf_analyzer_command(tools.perf_analyzer, address, model, concurrency, seconds, file), START_AND_STOP_S * 5
    )
    return "perf_analyzer", inferences_per_s(file.read_text())


def perf_analyzer_command(
    program: str, address: str, model: str, concurrency: int, seconds: float, file: Path
) -> list[str]:
    interval_ms = str(round(seconds * 1000))
    target = ["-m", model, "-i", "grpc", "-u", address, "--concurrency-range", str(concurrency)]
    return [program, *target, "--measurement-interval", interval_ms, "-f", str(file)]


def inferences_per_s(text: str) -> float:
    """From the CSV of perf_analyzer. Raises MeasurementFailed."""
    rows = list(csv.DictReader(text.splitlines()))
    if not rows or "Inferences/Second" not in rows[-1]:
        raise MeasurementFailed("perf_analyzer wrote no measurement")
    return float(rows[-1]["Inferences/Second"])


def alone(tools: GpuTools, repository: Path, model: str, provider: Provider, seconds: float) -> Alone | None:
    """With the batch size of the model's configuration, when Triton does not use the GPU.

    None where there is no tool for this provider: trtexec, or onnxruntime-gpu. Raises MeasurementFailed.
    """
    configuration = parsed(repository / model / "config.pbtxt")
    graph = max((repository / model).glob("*/model.onnx"), key=lambda path: int(path.parent.name))
    if provider == "tensorrt" and tools.trtexec is not None:
        command = tools.command(trtexec_command(tools.trtexec, graph, configuration), repository)
        return Alone("trtexec", throughput(_output(command, _TRTEXEC_TIMEOUT_S)) * _batch(configuration), {})
    if provider == "cuda" and tools.environment is not None:
        (tensor,) = configuration["input"]
        height, width, _ = map(int, tensor["dims"])
        image = repository.with_name("image.npy")
        np.save(image, np.asarray(Image.open(IMAGE).convert("L").resize((width, height)))[..., None])
        order = {"file": str(graph), "image": str(image), "batch": _batch(configuration), "seconds": seconds}
        python, script = tools.environment / "bin" / "python", Path(__file__).parent / "onnxruntime_cuda.py"
        answer = json.loads(_output([str(python), str(script), json.dumps(order)], seconds + START_AND_STOP_S))
        return Alone("ONNX Runtime", **answer)
    return None


def trtexec_command(program: str, graph: Path, configuration: dict[str, Any]) -> list[str]:
    command = [program, f"--onnx={graph}", "--fp16"]
    if batched(configuration):
        (image,) = configuration["input"]
        shape = "x".join([str(_batch(configuration)), *image["dims"]])
        command += [f"--{kind}Shapes=image:{shape}" for kind in ("min", "opt", "max")]
    return command


def throughput(output: str) -> float:
    """Queries a second in the output of trtexec. Raises MeasurementFailed."""
    found = _THROUGHPUT.search(output)
    if found is None:
        raise MeasurementFailed(f"trtexec printed no throughput: {output[-500:]}")
    return float(found[1])


def models_in(repository: Path) -> list[str]:
    return sorted(json.loads(card.read_bytes())["name"] for card in repository.glob("*/card.json"))


def _batch(configuration: dict[str, Any]) -> int:
    return max(int(configuration.get("max_batch_size", 0)), 1)


def _output(command: Sequence[str], timeout_s: float) -> str:
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, timeout=timeout_s, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MeasurementFailed(f"{command[0]}: {error}") from error
    if done.returncode:
        raise MeasurementFailed(f"{command[0]} failed: {(done.stderr or done.stdout)[-1000:]}")
    return done.stdout
