"""One study: its model work by ONNX Runtime alone and through the services, and all of it, in alternating rounds."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from obstore.store import MemoryStore

from bench.measurement import SETTINGS, MeasurementFailed, RunningStack, Setting
from bench.stored_study import analyse_study, upload_of
from bench.study_volume import volume_of
from hepar.contracts.cards import ModelCard
from hepar.core.freed_memory import keep_freed_memory
from hepar.imaging.ct_image import LIVER_WINDOW
from hepar.imaging.input_frame import bodies_of_volume
from hepar.imaging.letterbox import letterbox
from hepar.imaging.volume import CtVolume, grey_levels
from hepar.storage.encryption import DataKey
from hepar.storage.objects import ObjectStore
from study_service.analysed_volume import AnalysedVolume, StoredLiver, StoredVolume
from study_service.slice_arrays import SliceArray
from study_service.slice_models import SliceLimits, SliceModels, slice_models
from study_service.volume_inference import STEP_SLICES, VolumeInference

BATCHES = (1, 8)
"""Slices of one run of ONNX Runtime alone; the fastest counts."""
_SETTINGS = tuple(setting for setting in SETTINGS if not setting.spinning)
"""Spinning is several times slower: `make bench`."""
_CLIENT = "worker"
_TIME_LIMIT_S = 300.0
_NOT_STORED = SliceArray(key="", dtype="<i2", shape=(0, 0), first=0, offsets=(0,))


@dataclass
class Cost:
    """Of one kind of work, by round. wall_s: until it was done.  cpu_s: processor time of all processes.

    process_cpu_s: the same by process, of work through the services.
    """

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    process_cpu_s: dict[str, list[float]] = field(default_factory=dict)

    def add(self, wall_s: float, cpu_s: float) -> None:
        self.wall_s.append(wall_s)
        self.cpu_s.append(cpu_s)


@dataclass
class StudyCosts:
    """slices, liver_slices: numbers of them.  alone: by setting of ONNX Runtime.  services: the model work alone.

    stored: from the upload at the gateway to the stored result.
    """

    slices: int
    liver_slices: int
    alone: dict[str, Cost] = field(default_factory=dict)
    services: Cost = field(default_factory=Cost)
    stored: Cost = field(default_factory=Cost)

    @property
    def fastest_alone(self) -> str:
        return min(self.alone, key=lambda setting: statistics.median(self.alone[setting].wall_s))

    def ratios(self, cost: Cost) -> tuple[float, float]:
        """Of time and of processor time, to ONNX Runtime alone at its fastest. Other work takes no processor time."""
        alone = self.alone[self.fastest_alone]
        return (
            statistics.median(cost.wall_s) / statistics.median(alone.wall_s),
            statistics.median(cost.cpu_s) / statistics.median(alone.cpu_s),
        )


def measure_study(stack: RunningStack, source: Path, limits: SliceLimits, rounds: int, folder: Path) -> StudyCosts:
    """source: a folder, ZIP or NIfTI volume.  folder: for files of the measurement.  Raises MeasurementFailed."""
    return asyncio.run(_measured(stack, source, limits, rounds, folder))


async def _measured(stack: RunningStack, source: Path, limits: SliceLimits, rounds: int, folder: Path) -> StudyCosts:
    keep_freed_memory()  # as the worker does, in whose place this process calls the services
    volume, upload, account = volume_of(source), upload_of(source, folder), stack.sign_up()
    settings = stack.settings
    auth, classify, detect = (
        f"http://127.0.0.1:{port}" for port in (settings.auth_port, settings.classify_port, settings.detect_port)
    )
    async with slice_models(auth, classify, detect, settings.study_worker_secret, limits) as models:
        liver = await _analysed(models, volume)  # warms up, and finds the liver's slices
        costs = StudyCosts(len(volume.hu), len(liver))
        alone = _Alone(settings.triton_environment, _files(settings.triton_model_repository, volume, folder), liver)
        for _ in range(rounds):
            for setting in _SETTINGS:
                for batch in BATCHES:
                    cost = costs.alone.setdefault(f"{setting}, {batch} slice(s) a run", Cost())
                    cost.add(*await asyncio.to_thread(alone.seconds, setting, batch))
            with _measuring(stack, costs.services):
                await _analysed(models, volume)
            token = stack.token(account)
            with _measuring(stack, costs.stored) as spent:
                spent.wall_s = await asyncio.to_thread(analyse_study, stack, upload, token)
    return costs


@dataclass
class _Round:
    """wall_s: where the work itself knows it better."""

    wall_s: float | None = None


@contextmanager
def _measuring(stack: RunningStack, cost: Cost) -> Iterator[_Round]:
    """Adds a round to `cost`."""
    spent = _Round()
    before, started = stack.cpu_s() | {_CLIENT: time.process_time()}, time.perf_counter()
    yield spent
    wall_s, after = time.perf_counter() - started, stack.cpu_s() | {_CLIENT: time.process_time()}
    by_process = {name: after[name] - before[name] for name in after}
    cost.add(wall_s if spent.wall_s is None else spent.wall_s, sum(by_process.values()))
    for name, cpu_s in by_process.items():
        cost.process_cpu_s.setdefault(name, []).append(cpu_s)


async def _analysed(models: SliceModels, volume: CtVolume) -> NDArray[np.intp]:
    """What the worker has the services do, from the voxels on. Returns the indices of the liver's slices."""
    bodies = bodies_of_volume(volume.hu, volume.geometry.spacing_mm[0])
    described = StoredVolume(
        slices=_NOT_STORED,
        geometry=volume.geometry,
        sources=volume.sources,
        thickness_mm=None,
        series=(),
        unreadable=(),
        warnings=(),
        bodies=bodies,
    )
    stored = AnalysedVolume(ObjectStore(MemoryStore(), None), DataKey(bytes(32)), "", 1)
    inference = VolumeInference(models, stored, _TIME_LIMIT_S)
    async with aclosing(inference):
        inference.begin(volume, bodies)
        found = await inference.found_liver(described)
        if found.extent is None:
            raise MeasurementFailed("there is no liver in these slices")
        inference.keep(found.masks)
        masks, (first, last) = found.masks, found.extent
        liver = StoredLiver(
            extent=found.extent,
            segmenter=masks.segmenter,
            lesion_threshold=masks.lesion_threshold,
            shares=None,
            frame=masks.frame,
        )
        starts = range(first, last + 1, STEP_SLICES)
        await asyncio.gather(*(inference.answers(described, liver, start) for start in starts))
    return np.arange(first, last + 1)


@dataclass(frozen=True)
class _Files:
    """slices: in the size of the networks.  segmenter, models: ONNX files."""

    slices: Path
    segmenter: str
    models: list[str]


def _files(repository: Path, volume: CtVolume, folder: Path) -> _Files:
    """Raises MeasurementFailed where the networks have inputs of several sizes: the baseline has one."""
    cards = [ModelCard.model_validate_json(file.read_bytes()) for file in sorted(repository.glob("*/card.json"))]
    sizes = {(card.input.height, card.input.width) for card in cards}
    if len(sizes) != 1:
        raise MeasurementFailed(f"the networks have inputs of {len(sizes)} sizes")
    (size,) = sizes
    file = folder / "slices.npy"
    slices = [letterbox(pixels, *size)[0] for pixels in grey_levels(volume.hu, LIVER_WINDOW)]
    np.save(file, np.stack(slices), allow_pickle=False)
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
    works = {"model work through the services": costs.services, "upload to stored result": costs.stored}
    ratios = [
        f"Ratio of {work} to ONNX Runtime alone: {wall:.2f} by time, {cpu:.2f} by processor time."
        for work, (wall, cpu) in ((work, costs.ratios(cost)) for work, cost in works.items())
    ]
    return [
        f"{name}: {costs.slices} slices, {costs.liver_slices} of them with liver.",
        "",
        "| work | s | processor s | s by round |",
        "|---|---|---|---|",
        *(_row(work, cost) for work, cost in (rows | works).items()),
        "",
        *(f"Processor time of {work}: {_by_process(cost)}." for work, cost in works.items()),
        "",
        *ratios,
    ]


def _by_process(cost: Cost) -> str:
    return ", ".join(f"{process} {statistics.median(spent):.2f} s" for process, spent in cost.process_cpu_s.items())


def _row(work: str, cost: Cost) -> str:
    wall_s, cpu_s = statistics.median(cost.wall_s), statistics.median(cost.cpu_s)
    return f"| {work} | {wall_s:.2f} | {cpu_s:.2f} | {', '.join(f'{value:.2f}' for value in cost.wall_s)} |"
