"""Cells as a table for people, as JSON for machines, and as a picture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from bench.measurement import SETTINGS, TARGETS, Cell

mpl.use("agg")
from matplotlib import pyplot as plt

ALONE = "ONNX Runtime alone"
Row = dict[str, Any]


def rows_of(cells: Iterable[Cell]) -> list[Row]:
    """A row a cell; `ratio` is its throughput to that of the fastest setting of ONNX Runtime under as many clients."""
    cells = list(cells)
    rows = []
    for cell in cells:
        limit = _limit(cells, cell)
        rows.append(
            {
                "workload": cell.workload,
                "clients": cell.clients,
                "target": cell.target,
                "images_per_s": round(cell.throughput, 2),
                "ratio": round(cell.throughput / limit.throughput, 3),
                "p50_ms": round(cell.percentile_ms(50), 1),
                "p95_ms": round(cell.percentile_ms(95), 1),
                "p99_ms": round(cell.percentile_ms(99), 1),
                "p99_to_p50": round(cell.percentile_ms(99) / cell.percentile_ms(50), 2),
                "p50_beyond_models_ms": round(cell.percentile_ms(50) - limit.percentile_ms(50), 1),
                "rounds": [round(value, 2) for value in cell.images_per_s],
            }
        )
    return rows


def _limit(cells: Sequence[Cell], like: Cell) -> Cell:
    """ONNX Runtime alone at its fastest, on the same work."""
    alone = {str(setting) for setting in SETTINGS}
    same = [cell for cell in cells if (cell.workload, cell.clients) == (like.workload, like.clients)]
    return max((cell for cell in same if cell.target in alone), key=lambda cell: cell.throughput)


def table(rows: Sequence[Row]) -> list[str]:
    """Markdown."""
    lines = [
        "| work | clients | target | images/s | to ORT alone | p50 ms | p95 ms | p99 ms | p99/p50 | p50 over it, ms |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        target = row["target"] if row["target"] in TARGETS else f"{ALONE}: {row['target']}"
        lines.append(
            f"| {row['workload']} | {row['clients']} | {target} | {row['images_per_s']:.1f} | {row['ratio']:.2f} | "
            f"{row['p50_ms']:.1f} | {row['p95_ms']:.1f} | {row['p99_ms']:.1f} | {row['p99_to_p50']:.2f} | "
            f"{row['p50_beyond_models_ms']:.1f} |"
        )
    return lines


def write(rows: Sequence[Row], memory: dict[str, int], machine: str, folder: Path) -> None:
    """throughput.json, throughput.md and throughput.svg. memory: bytes by process after the load."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {"machine": machine, "memory_bytes": memory, "rows": rows}
    (folder / "throughput.json").write_text(json.dumps(written, indent=1) + "\n")
    sizes = ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in memory.items())
    lines = ["Made by `make bench`; do not edit.", "", machine, "", *table(rows), "", f"Memory after it: {sizes}.", ""]
    (folder / "throughput.md").write_text("\n".join(lines))
    _plot(rows, folder / "throughput.svg")


def _plot(rows: Sequence[Row], file: Path) -> None:
    """Ratio to ONNX Runtime alone over the number of clients, a panel a kind of work."""
    workloads = list(dict.fromkeys(row["workload"] for row in rows))
    figure, panels = plt.subplots(1, len(workloads), figsize=(5 * len(workloads), 3.6), sharey=True, squeeze=False)
    for panel, workload in zip(panels[0], workloads, strict=True):
        for target in TARGETS:
            points = [
                (row["clients"], row["ratio"]) for row in rows if (row["workload"], row["target"]) == (workload, target)
            ]
            panel.plot(*zip(*points, strict=True), marker="o", label=target)
        panel.axhline(1, color="grey", linewidth=1, label=ALONE)
        panel.set(title=workload, xlabel="clients", xscale="log", ylim=(0, None))
        clients = sorted({row["clients"] for row in rows})
        panel.set_xticks(clients, map(str, clients))
        panel.minorticks_off()
    panels[0][0].set_ylabel("images a second, to ONNX Runtime alone")
    panels[0][-1].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(file)
    plt.close(figure)
