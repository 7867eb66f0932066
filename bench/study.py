"""The model work of one study: through the model services, and by ONNX Runtime alone, in alternating rounds."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
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
_TIME_LIMIT_S = 300.0
_FULL = 255


@dataclass
class StudyTimes:
    """slices, liver_slices: numbers of them.  alone_s: of each setting of ONNX Runtime alone, by round.

    services_s: of the whole work, by round.  stages_s: medians.  cpu_s: processor time a study, by process.
    """

    slices: int
    liver_slices: int
    alone_s: dict[str, list[float]] = field(default_factory=dict)
    services_s: list[float] = field(default_factory=list)
    stages_s: dict[str, list[float]] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)

    @property
    def fastest_alone(self) -> str:
        return min(self.alone_s, key=lambda setting: statistics.median(self.alone_s[setting]))

    @property
    def ratio(self) -> float:
        """Time through the services to that of ONNX Runtime alone at its fastest."""
        return statistics.median(self.services_s) / statistics.median(self.alone_s[self.fastest_alone])


def measure_study(stack: RunningStack, slices: GreyImage, limits: SliceLimits, rounds: int, folder: Path) -> StudyTimes:
    """folder: for the slices in the size of the networks. Raises MeasurementFailed."""
    return asyncio.run(_measured(stack, slices, limits, rounds, folder))


async def _measured(
    stack: RunningStack, slices: GreyImage, limits: SliceLimits, rounds: int, folder: Path
) -> StudyTimes:
    settings = stack.settings
    urls = [f"http://127.0.0.1:{port}" for port in (settings.auth_port, settings.classify_port, settings.detect_port)]
    async with slice_models(*urls, settings.study_worker_secret, limits) as models:
        liver = await _analysed(models, slices, {})  # warms up, and finds the liver's slices
        times = StudyTimes(len(slices), len(liver))
        alone = _Alone(stack.settings.triton_environment, _files(settings.triton_model_repository, slices, folder), liver)
        before = stack.cpu_s()
        for _ in range(rounds):
            for setting in SETTINGS:
                for batch in BATCHES:
                    key = f"{setting}, {batch} slice(s) a run"
                    times.alone_s.setdefault(key, []).append(await asyncio.to_thread(alone.seconds, setting, batch))
            started = time.perf_counter()
            await _analysed(models, slices, times.stages_s)
            times.services_s.append(time.perf_counter() - started)
        times.cpu_s = {name: (spent - before[name]) / rounds for name, spent in stack.cpu_s().items()}
    return times


async def _analysed(models: SliceModels, slices: GreyImage, stages_s: dict[str, list[float]]) -> NDArray[np.intp]:
    """What the worker has the services do: the liver first, then both of them on its slices. Returns their indices."""
    deadline = Deadline.after(_TIME_LIMIT_S)
    started = time.perf_counter()
    masks = await models.liver(slices, deadline)
    liver_px = (masks.shares[:, LIVER] >= LIVER_THRESHOLD * _FULL).sum(axis=(1, 2))
    liver = np.flatnonzero(liver_px >= LIVER_SEEN_PX)
    stages_s.setdefault("segmenter", []).append(time.perf_counter() - started)
    if not len(liver):
        raise MeasurementFailed("there is no liver in these slices")
    started = time.perf_counter()
    of_liver = masks.of(liver)
    await asyncio.gather(
        models.classify(slices[liver], deadline, of_liver), models.detect(slices[liver], deadline, of_liver)
    )
    stages_s.setdefault("classifiers and detectors", []).append(time.perf_counter() - started)
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

    def seconds(self, setting: Setting, batch: int) -> float:
        """Of one round. Raises MeasurementFailed."""
        order: Mapping[str, Any] = asdict(setting) | {
            "slices": str(self.files.slices),
            "liver": self.liver.tolist(),
            "segmenter": self.files.segmenter,
            "models": self.files.models,
            "batch": batch,
            "rounds": 1,
        }
        script = Path(__file__).parent / "onnxruntime_study.py"
        command = [str(self.environment / "bin" / "python"), str(script), json.dumps(order)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIME_LIMIT_S)
        if done.returncode:
            raise MeasurementFailed(done.stderr[-2000:])
        return float(json.loads(done.stdout.splitlines()[-1])["seconds"][0])


def lines_of(name: str, times: StudyTimes) -> list[str]:
    """Markdown."""
    best = times.fastest_alone
    lines = [f"{name}: {times.slices} slices, {times.liver_slices} of them with liver.", ""]
    lines += ["| work | seconds, median | of the fastest | rounds |", "|---|---|---|---|"]
    limit = statistics.median(times.alone_s[best])
    rows = {f"ONNX Runtime alone: {key}": seconds for key, seconds in times.alone_s.items()}
    rows |= {"through the services": times.services_s}
    rows |= {f"of it: {stage}": seconds for stage, seconds in times.stages_s.items()}
    lines += [_row(key, seconds, limit) for key, seconds in rows.items()]
    lines += ["", "Processor time a study: " + ", ".join(f"{key} {spent:.2f} s" for key, spent in times.cpu_s.items()) + "."]
    return [*lines, "", f"Ratio of the services to ONNX Runtime alone: {times.ratio:.2f}."]


def _row(name: str, seconds: Sequence[float], limit_s: float) -> str:
    median = statistics.median(seconds)
    return f"| {name} | {median:.2f} | {median / limit_s:.2f} | {', '.join(f'{value:.2f}' for value in seconds)} |"
