"""What slices without a liver cost: the same study with many of them around it, and the memory that it takes."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import psutil

from bench.measurement import MeasurementFailed, RunningStack
from bench.processes import command_line
from bench.stored_study import analyse_study
from bench.study_volume import volume_of
from hepar.imaging.volume import CtVolume

_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")
_WORKER = "study_service worker"


@dataclass
class LongStudyCosts:
    """Of one length. worker_bytes, reader_bytes: most memory of the worker and of its process that reads files."""

    slices: int
    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    worker_bytes: int = 0
    reader_bytes: int = 0


def measure_lengths(
    stack: RunningStack, source: Path, lengths: Sequence[int], rounds: int, folder: Path
) -> list[LongStudyCosts]:
    """The study as it is, then with the slice at its foot repeated up to each length. Raises MeasurementFailed."""
    volume = volume_of(source)
    counts = [len(volume.hu), *sorted(length for length in lengths if length > len(volume.hu))]
    measured = [LongStudyCosts(count) for count in counts]
    files = [_written(volume, count, folder / f"{count}.nii") for count in counts]
    account = stack.sign_up()
    analyse_study(stack, files[0], stack.token(account))  # warms up
    for _ in range(rounds):
        for costs, file in zip(measured, files, strict=True):
            before = stack.cpu_s()
            costs.wall_s.append(analyse_study(stack, file, stack.token(account)))
            after = stack.cpu_s()
            costs.cpu_s.append(sum(after[name] - before[name] for name in after))
            costs.worker_bytes, costs.reader_bytes = _peaks(stack)
    return measured


def _written(volume: CtVolume, count: int, file: Path) -> Path:
    """As NIfTI, uncompressed: reading it costs the same for each slice."""
    before = np.repeat(volume.hu[:1], count - len(volume.hu), axis=0)
    voxels = np.concatenate([before, volume.hu]).transpose(2, 1, 0)
    affine = volume.geometry.affine[:, [2, 1, 0, 3]]
    affine[:3, 3] -= len(before) * affine[:3, 2]
    to_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    nib.save(nib.Nifti1Image(voxels, to_ras @ affine), file)
    return file


def _peaks(stack: RunningStack) -> tuple[int, int]:
    """Of the worker and of its largest child, since their start."""
    children = _process(stack, _WORKER).children(recursive=True)
    return peak_bytes(stack, _WORKER), max((_peak_bytes(child.pid) for child in children), default=0)


def peak_bytes(stack: RunningStack, command: str) -> int:
    """The most memory of a process of the stack since its start. command: how its command line ends."""
    return _peak_bytes(_process(stack, command).pid)


def _process(stack: RunningStack, command: str) -> psutil.Process:
    for process in stack.process.children(recursive=True):
        if command_line(process).endswith(command):
            return process
    raise MeasurementFailed(f"{command} is not there")


def _peak_bytes(pid: int) -> int:
    found = _PEAK.search(Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def length_lines(name: str, measured: Sequence[LongStudyCosts]) -> list[str]:
    """Markdown."""
    rows = [
        f"| {costs.slices} | {_with_ratio(costs.wall_s, measured[0].wall_s)} "
        f"| {_with_ratio(costs.cpu_s, measured[0].cpu_s)} "
        f"| {costs.worker_bytes / 1e6:.0f} | {costs.reader_bytes / 1e6:.0f} |"
        for costs in measured
    ]
    return [
        f"{name} as NIfTI, with slices without a liver added at its foot:",
        "",
        "| slices | s | ratio | processor s | ratio | worker, most MB | reader, most MB |",
        "|---|---|---|---|---|---|---|",
        *rows,
    ]


def _with_ratio(values: Sequence[float], short: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} | {statistics.median(values) / statistics.median(short):.2f}"
