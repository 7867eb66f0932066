"""What the segmenter's call costs: images per second of a model service with and without it, in one run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.measurement import START_AND_STOP_S, Cell, RunningStack, Workload, load, load_order

TARGET = "service"
WITH, WITHOUT = "with the segmenter", "without it"


class StartStack(Protocol):
    """Starts the whole stack with the models of a repository."""

    def __call__(self, repository: Path | None = None) -> AbstractContextManager[RunningStack]: ...


@dataclass(frozen=True)
class SegmenterCost:
    """A kind of work with one number of clients, measured alternately with and without the segmenter."""

    with_segmenter: Cell
    without: Cell

    @property
    def ratio(self) -> float:
        """Throughput with the segmenter, relative to that without it."""
        return self.with_segmenter.throughput / self.without.throughput

    def row(self) -> dict[str, str | int | float]:
        cell = self.with_segmenter
        return {
            "workload": cell.workload,
            "clients": cell.clients,
            "images_per_s": round(cell.throughput, 2),
            "images_per_s_without": round(self.without.throughput, 2),
            "ratio": round(self.ratio, 3),
            "p50_ms": round(cell.percentile_ms(50), 1),
            "p50_ms_without": round(self.without.percentile_ms(50), 1),
        }


def write_repository_without(repository: Path, folder: Path) -> Path:
    """A copy of the model repository without its segmenters."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(repository, folder)
    for card in folder.glob("*/card.json"):
        if json.loads(card.read_bytes())["task"] == "segmentation":
            shutil.rmtree(card.parent)
    return folder


def measure_segmenter(
    start: StartStack, repositories: dict[str, Path], clients: Sequence[int], seconds: float, rounds: int
) -> Iterator[tuple[int, str, Cell]]:
    """Yields (round, WITH or WITHOUT, cell) as each is measured; the two alternate in every round.

    repositories: by WITH and WITHOUT.
    """
    cells: dict[tuple[str, Workload, int], Cell] = {}
    for number in range(rounds):
        for name, repository in repositories.items():
            with start(repository) as stack:
                account = stack.sign_up()
                for workload in stack.models:
                    for count in clients:
                        cell = cells.setdefault((name, workload, count), Cell(workload, TARGET, count))
                        order = load_order(TARGET, workload, stack, account) | {"clients": count, "seconds": seconds}
                        cell.add(load(order, seconds + START_AND_STOP_S))
                        yield number, name, cell


def costs_of(measured: Sequence[tuple[str, Cell]]) -> list[SegmenterCost]:
    """measured: WITH or WITHOUT, and the cell; each cell once or more."""
    pairs: dict[tuple[Workload, int], dict[str, Cell]] = {}
    for name, cell in measured:
        pairs.setdefault((cell.workload, cell.clients), {})[name] = cell
    return [SegmenterCost(pair[WITH], pair[WITHOUT]) for pair in pairs.values()]


def table_of(costs: Sequence[SegmenterCost]) -> list[str]:
    """Markdown."""
    lines = [
        "| work | clients | images/s | without the segmenter | ratio | p50 ms | without it |",
        "|---|---|---|---|---|---|---|",
    ]
    for cost in costs:
        row = cost.row()
        lines.append(
            f"| {row['workload']} | {row['clients']} | {row['images_per_s']:.1f} | {row['images_per_s_without']:.1f} | "
            f"{row['ratio']:.2f} | {row['p50_ms']:.1f} | {row['p50_ms_without']:.1f} |"
        )
    return lines
