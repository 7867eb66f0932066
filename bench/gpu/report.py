"""The two tables, for people and for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from bench.gpu.alone import ModelResult
from bench.gpu.variants import GpuVariant


@dataclass(frozen=True)
class ServiceResult:
    """The gateway under load. cpu_s: processor time by service during the load."""

    workload: str
    variant: GpuVariant
    clients: int
    seconds: float
    latencies_ms: list[float] = field(repr=False)
    cpu_s: dict[str, float]

    @property
    def images_per_s(self) -> float:
        return len(self.latencies_ms) / self.seconds

    @property
    def cpu_ms(self) -> dict[str, float]:
        """Processor time an image, by service."""
        return {name: spent_s / len(self.latencies_ms) * 1e3 for name, spent_s in self.cpu_s.items()}


def model_table(results: Sequence[ModelResult]) -> list[str]:
    """Markdown."""
    lines = [
        (
            "| model | provider | instances | largest batch | images/s | tool "
            "| alone, images/s | tool | ratio | difference |"
        ),
        "|---" * 10 + "|",
    ]
    for one in results:
        alone = one.alone
        compared = "not measured | - | - | -"
        if alone is not None:
            differences = ", ".join(f"{name} {value:.1e}" for name, value in alone.differences.items())
            ratio = one.images_per_s / alone.images_per_s
            compared = f"{alone.images_per_s:.0f} | {alone.tool} | {ratio:.2f} | {differences or '-'}"
        lines.append(
            f"| {one.model} | {one.variant.provider} | {one.variant.instances} | {one.variant.batch} | "
            f"{one.images_per_s:.0f} | {one.tool}, {one.concurrency} in flight | {compared} |"
        )
    return lines


def service_table(results: Sequence[ServiceResult]) -> list[str]:
    """Markdown. A column of processor time for each service that used any."""
    services = sorted({name for one in results for name, spent_s in one.cpu_s.items() if spent_s > 0})
    heads = [
        "work",
        "provider",
        "instances",
        "largest batch",
        "clients",
        "images/s",
        "p50 ms",
        "p99 ms",
        "CPU ms an image",
    ]
    heads += [f"of it {name}" for name in services]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for one in results:
        cpu_ms = one.cpu_ms
        figures = [one.images_per_s, *np.percentile(one.latencies_ms, [50, 99]).tolist(), sum(cpu_ms.values())]
        figures += [cpu_ms.get(name, 0.0) for name in services]
        variant = one.variant
        lines.append(
            f"| {one.workload} | {variant.provider} | {variant.instances} | {variant.batch} | {one.clients} | "
            f"{' | '.join(f'{figure:.1f}' for figure in figures)} |"
        )
    return lines


def write(
    models: Sequence[ModelResult], services: Sequence[ServiceResult], facts: Sequence[str], folder: Path
) -> list[str]:
    """gpu.json and gpu.md; the lines of the latter are returned. facts: machine, GPU, what was missing."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {"facts": list(facts), "models": list(map(asdict, models)), "services": list(map(asdict, services))}
    (folder / "gpu.json").write_text(json.dumps(written, indent=1) + "\n")
    tables = [*service_table(services), "", *model_table(models)]
    lines = ["Made by `make bench-gpu`; do not edit.", "", *(f"- {fact}" for fact in facts), "", *tables]
    (folder / "gpu.md").write_text("\n".join([*lines, ""]))
    return lines
