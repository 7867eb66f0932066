"""Cells as a table for people and as JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.peers.measurement import ALONE, AS_SHIPPED, BATCHES, SAME_WORK, PeerCell

Row = dict[str, Any]
_QUIET = 0.5
"""Load average below which a machine is quiet."""


def rows_of(cells: Iterable[PeerCell]) -> list[Row]:
    """A row a cell. Ratios and the processor time besides the networks compare it with ONNX Runtime alone.

    images_per_s, cpu_ms: medians of the rounds.  to_best_peer: 0 where no peer does this work.
    """
    cells = list(cells)
    rows = []
    for cell in cells:
        same = [one for one in cells if (one.workload, one.clients) == (cell.workload, cell.clients)]
        alone = next(one for one in same if one.target == ALONE)
        best = best_peer(same)
        rows.append(
            {
                "workload": cell.workload,
                "clients": cell.clients,
                "target": cell.target,
                "images_per_s": round(cell.throughput, 2),
                "rounds": [round(value, 2) for value in cell.images_per_s],
                "to_onnxruntime_alone": round(cell.throughput / alone.throughput, 3),
                "to_best_peer": round(cell.throughput / best.throughput, 3),
                "best_peer": best.target,
                "cpu_ms": round(cell.median_cpu_ms, 1),
                "cpu_ms_besides_networks": round(cell.median_cpu_ms - alone.median_cpu_ms, 1),
                "p50_ms": round(cell.percentile_ms(50), 1),
                "p99_ms": round(cell.percentile_ms(99), 1),
            }
        )
    return rows


def best_peer(cells: Sequence[PeerCell]) -> PeerCell:
    """The fastest target that is neither Hepar nor ONNX Runtime alone."""
    peers = [cell for cell in cells if cell.target not in (ALONE, SAME_WORK, AS_SHIPPED, *BATCHES)]
    return max(peers, key=lambda cell: cell.throughput)


def table(rows: Sequence[Row]) -> list[str]:
    """Markdown."""
    names = ("work", "clients", "target", "images/s", "lowest and highest round", "to ORT alone", "to the best peer")
    costs = ("CPU ms an image", "besides the networks", "p50 ms", "p99 ms")
    lines = [f"| {' | '.join(names + costs)} |", "|---" * len(names + costs) + "|"]
    lines += [
        f"| {row['workload']} | {row['clients']} | {row['target']} | {row['images_per_s']:.1f} | "
        f"{min(row['rounds']):.1f} to {max(row['rounds']):.1f} | {row['to_onnxruntime_alone']:.2f} | "
        f"{row['to_best_peer']:.2f} | {row['cpu_ms']:.1f} | {row['cpu_ms_besides_networks']:.1f} | "
        f"{row['p50_ms']:.0f} | {row['p99_ms']:.0f} |"
        for row in rows
    ]
    return lines


def conclusions(rows: Sequence[Row]) -> list[str]:
    """One sentence for each kind of work and number of clients."""
    return [
        f"{row['workload']}, {row['clients']} clients: {row['target']} reaches {row['to_best_peer']:.2f} of the best "
        f"peer ({row['best_peer']}) and {row['to_onnxruntime_alone']:.2f} of ONNX Runtime alone."
        for row in rows
        if row["target"] in (SAME_WORK, AS_SHIPPED, *BATCHES)
    ]


def run_line(clients: Sequence[int], seconds: float, rounds: int) -> str:
    counts = " and ".join(map(str, clients))
    times = f"{rounds} round(s) of {seconds:g} s for each target"
    return f"{times} with {counts} clients (three times as long with batches)."


def load_line(load_average: float, processors: int) -> str:
    """What the reader must know about the machine. load_average: of the minute before the run."""
    if load_average < _QUIET:
        return f"Load average before the run: {load_average:.1f}."
    return (
        f"The machine was not quiet: load average before the run {load_average:.1f} on {processors} processors. "
        "The table shows that the command works; no conclusion can be drawn from its ratios."
    )


def write(rows: Sequence[Row], machine: str, facts: Sequence[str], load_average: float, folder: Path) -> None:
    """peers.json and peers.md. facts: sentences about the run."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {"machine": machine, "facts": list(facts), "rows": rows}
    (folder / "peers.json").write_text(json.dumps(written, indent=1) + "\n")
    head = ["Made by `make bench-peers`; do not edit.", "", f"{machine}. {' '.join(facts)}"]
    lines = [*head, "", *table(rows), "", *conclusion_list(rows, load_average), ""]
    (folder / "peers.md").write_text("\n".join(lines))


def conclusion_list(rows: Sequence[Row], load_average: float) -> list[str]:
    """None of a machine that was not quiet: there a target gets the more time the more processes it has."""
    return [f"- {line}" for line in conclusions(rows)] if load_average < _QUIET else []
