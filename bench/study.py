"""The model work of one study: through the model services, and by ONNX Runtime alone, in alternating rounds."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.measurement import SETTINGS, MeasurementFailed, RunningStack, Setting
from hepar.contracts.cards import ModelCard
from hepar.core.deadlines import Deadline
from hepar.ensemble.masks import LIVER, LIVER_SEEN_PX, LIVER_THRESHOLD
from hepar.imaging.ct_image import GreyImage
from hepar.imaging.letterbox import letterbox
from study_service.slice_models import SliceLimits, SliceModels, slice_models

BATCHES = (1, 8)
"""Slices of one run of ONNX Runtime alone; the fastest counts."""
_SETTINGS = tuple(setting for setting in SETTINGS if not setting.spinning)
"""Spinning is several times slower: `make bench`."""
_CLIENT = "worker"
_TIME_LIMIT_S = 300.0
_FULL = 255


@dataclass
class Cost:
    """Of one kind of work, by round. wall_s: until it was done.  cpu_s: processor time of all processes."""

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    def add(self, wall_s: float, cpu_s: float) -> None:
        self.wall_s.append(wall_s)
        self.cpu_s.append(cpu_s)


@dataclass
class StudyCosts:
    """slices, liver_slices: numbers of them.  alone: by setting of ONNX Runtime.

    process_cpu_s: of the services, by process and round.
    """

    slices: int
    liver_slices: int
    alone: dict[str, Cost] = field(default_factory=dict)
    services: Cost = field(default_factory=Cost)
    process_cpu_s: dict[str, list[float]] = field(default_factory=dict)

    @property
    def fastest_alone(self) -> str:
        return min(self.alone, key=lambda setting: statistics.median(self.alone[setting].wall_s))

    @property
    def wall_ratio(self) -> float:
        """Time through the services to that of ONNX Runtime alone at its fastest."""
        return statistics.median(self.services.wall_s) / statistics.median(self.alone[self.fastest_alone].wall_s)

    @property
    def cpu_ratio(self) -> float:
        """The same with processor time, of which other work on the machine takes none."""
        return statistics.median(self.services.cpu_s) / statistics.median(self.alone[self.fastest_alone].cpu_s)


def measure_study(stack: RunningStack, slices: GreyImage, limits: SliceLimits, rounds: int, folder: Path) -> StudyCosts:
    """folder: for the slices in the size of the networks. Raises MeasurementFailed."""
    return asyncio.run(_measured(stack, slices, limits, rounds, folder))


async def _measured(
    stack: RunningStack, slices: GreyImage, limits: SliceLimits, rounds: int, folder: Path
) -> StudyCosts:
    settings = stack.settings
    auth, classify, detect = (
        f"http://127.0.0.1:{port}" for port in (settings.auth_port, settings.classify_port, settings.detect_port)
    )
    async with slice_models(auth, classify, detect, settings.study_worker_secret, limits) as models:
        liver = await _analysed(models, slices)  # warms up, and finds the liver's slices
        costs = StudyCosts(len(slices), len(liver))
        alone = _Alone(settings.triton_environment, _files(settings.triton_model_repository, slices, folder), liver)
        for _ in range(rounds):
            for setting in _SETTINGS:
                for batch in BATCHES:
                    cost = costs.alone.setdefault(f"{setting}, {batch} slice(s) a run", Cost())
                    cost.add(*await asyncio.to_thread(alone.seconds, setting, batch))
            before, started = stack.cpu_s() | {_CLIENT: time.process_time()}, time.perf_counter()
            await _analysed(models, slices)
            wall_s = time.perf_counter() - started
            after = stack.cpu_s() | {_CLIENT: time.process_time()}
            spent = {name: after[name] - before[name] for name in after}
            costs.services.add(wall_s, sum(spent.values()))
            for name, cpu_s in spent.items():
                costs.process_cpu_s.setdefault(name, []).append(cpu_s)
    return costs


async def _analysed(models: SliceModels, slices: GreyImage) -> NDArray[np.intp]:
    """What the worker has the services do: the liver first, then both of them on its slices. Returns their indices."""
    deadline = Deadline.after(_TIME_LIMIT_S)
    masks = await models.liver(slices, deadline)
    liver_px = (masks.shares[:, LIVER] >= LIVER_THRESHOLD * _FULL).sum(axis=(1, 2))
    liver = np.flatnonzero(liver_px >= LIVER_SEEN_PX)
    if not len(liver):
        raise MeasurementFailed("there is no liver in these slices")
    of_liver = masks.of(liver)
    await asyncio.gather(
        models.classify(slices[liver], deadline, of_liver), models.detect(slices[liver], deadline, of_liver)
    )
    return liver


@dataclass(frozen=True)
class _Files:
    """slices: in the size of the networks.  segmenter, models: ONNX files."""

    slices: Path
    segmenter: str
    models: list[str]


def _files(repository: Path, slices: GreyImage, folder: Path) -> _Files:
    """Raises MeasurementFailed where the networks have inputs of several sizes: the baseline has one."""
    cards = [ModelCard.model_validate_json(file.read_bytes()) for file in sorted(repository.glob("*/card.json"))]
    sizes = {(card.input.height, card.input.width) for card in cards}
    if len(sizes) != 1:
        raise MeasurementFailed(f"the networks have inputs of {len(sizes)} sizes")
    (size,) = sizes
    file = folder / "slices.npy"
    np.save(file, np.stack([letterbox(pixels, *size)[0] for pixels in slices]), allow_pickle=False)
    by_task: dict[str, list[str]] = {}
    for card in cards:
        by_task.setdefault(card.task, []).append(str(repository / card.name / "1" / "model.onnx"))
    (segmenter,) = by_task.pop("segmentation")
    return _Files(file, segmenter, [model for models in by_task.values() for model in models])


@dataclass(frozen=True)
class _Alone:
    environment: Path
    files: _Files
    liver: NDArray[np.intp]

    def seconds(self, setting: Setting, batch: int) -> tuple[float, float]:
        """Time and processor time of one round. Raises MeasurementFailed."""
        order: dict[str, Any] = asdict(setting) | {
            "slices": str(self.files.slices),
            "liver": self.liver.tolist(),
            "segmenter": self.files.segmenter,
            "models": self.files.models,
            "batch": batch,
        }
        script = Path(__file__).parent / "onnxruntime_study.py"
        command = [str(self.environment / "bin" / "python"), str(script), json.dumps(order)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIME_LIMIT_S)
        if done.returncode:
            raise MeasurementFailed(done.stderr[-2000:])
        answer = json.loads(done.stdout.splitlines()[-1])
        return float(answer["seconds"]), float(answer["cpu_s"])


def lines_of(name: str, costs: StudyCosts) -> list[str]:
    """Markdown."""
    rows = {f"ONNX Runtime alone: {setting}": cost for setting, cost in costs.alone.items()}
    rows["through the services"] = costs.services
    ratios = f"{costs.wall_ratio:.2f} by time, {costs.cpu_ratio:.2f} by processor time"
    by_process = ", ".join(
        f"{process} {statistics.median(spent):.2f} s" for process, spent in costs.process_cpu_s.items()
    )
    return [
        f"{name}: {costs.slices} slices, {costs.liver_slices} of them with liver.",
        "",
        "| work | s | processor s | s by round |",
        "|---|---|---|---|",
        *(_row(work, cost) for work, cost in rows.items()),
        "",
        f"Processor time through the services: {by_process}.",
        "",
        f"Ratio of the services to ONNX Runtime alone: {ratios}.",
    ]


def _row(work: str, cost: Cost) -> str:
    wall_s, cpu_s = statistics.median(cost.wall_s), statistics.median(cost.cpu_s)
    return f"| {work} | {wall_s:.2f} | {cpu_s:.2f} | {', '.join(f'{value:.2f}' for value in cost.wall_s)} |"
