"""`python -m bench.graphs`: the most expensive nodes of each model, before and after the graph passes.

One thread, no server. Both graphs of a model take turns in one process, so that both meet the same load of the machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from PIL import Image

from bench.machine import machine
from bench.measurement import IMAGE, MeasurementFailed
from local_stack.settings import StackSettings
from training.export.passes import optimise
from training.versions import leading_version, read_versions

OUT = Path("docs/bench")
LISTED_NODES = 10
_TIMEOUT_S = 300.0
_METHOD = "One thread, batch of one; a graph: median CPU time of a run; a node: its fastest run."
_SUMS = {"classify_": "classifiers", "detect_": "detectors"}


@dataclass(frozen=True)
class GraphFigures:
    """One graph of one model. cpu_ms: median of whole runs on one thread. nodes: all, of `bench.node_profile`."""

    size_bytes: int
    cpu_ms: float
    nodes: list[dict[str, Any]]

    @property
    def nodes_ms(self) -> float:
        return sum(float(node["ms"]) for node in self.nodes)


@dataclass(frozen=True)
class ModelFigures:
    name: str
    before: GraphFigures
    after: GraphFigures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.graphs", description=__doc__)
    parser.add_argument("--before", type=Path, help="a repository whose graphs to compare with; by default its own")
    parser.add_argument("--runs", type=int, default=30, help="of each graph, for its times and again for its nodes")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    settings = StackSettings()
    python = settings.triton_environment / "bin" / "python"
    models = []
    try:
        for model in measure(settings.triton_model_repository, arguments.before, python, arguments.runs):
            print(f"{model.name}: {model.before.cpu_ms:.2f} CPU ms before, {model.after.cpu_ms:.2f} after", flush=True)
            models.append(model)
    except MeasurementFailed as error:
        print(error, file=sys.stderr)
        return 1
    print(*write(models, machine(), arguments.out), sep="\n")
    return 0


def measure(repository: Path, before: Path | None, python: Path, runs: int) -> Iterator[ModelFigures]:
    """Each model of the repository with all passes applied, against its graph in `before`. Raises MeasurementFailed."""
    with tempfile.TemporaryDirectory() as folder:
        for card in sorted(repository.glob("*/card.json")):
            file = _graph_in(card.parent)
            model = onnx.load(file)
            image = Path(folder) / "image.npy"
            np.save(image, _image_for(model))
            optimised = Path(folder) / "optimised.onnx"
            onnx.save(optimise(model), optimised)
            files = [_graph_in(before / card.parent.name) if before is not None else file, optimised]
            answer = _profiled(files, image, python, runs)
            figures = [
                GraphFigures(path.stat().st_size, cpu_ms, nodes)
                for path, cpu_ms, nodes in zip(files, answer["cpu_ms"], answer["nodes"], strict=True)
            ]
            yield ModelFigures(card.parent.name, *figures)


def _graph_in(folder: Path) -> Path:
    """Of the version that answers most."""
    return folder / leading_version(read_versions(folder)) / "model.onnx"


def _image_for(model: onnx.ModelProto) -> np.ndarray:
    """(h, w) uint8: the bench's image in the size of the model's input."""
    height, width, _ = [axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim][-3:]
    return np.asarray(Image.open(IMAGE).convert("L").resize((width, height)))


def _profiled(files: list[Path], image: Path, python: Path, runs: int) -> dict[str, Any]:
    order = json.dumps({"files": [str(file) for file in files], "image": str(image), "runs": runs})
    command = [str(python), str(Path(__file__).parent / "node_profile.py"), order]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise MeasurementFailed(f"{files[0]} was not profiled within {_TIMEOUT_S:.0f} s") from error
    if done.returncode:
        raise MeasurementFailed(done.stderr[-2000:])
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def write(models: list[ModelFigures], machine_name: str, folder: Path) -> list[Path]:
    """graphs.md for people; graphs.json with the same nodes and figures."""
    folder.mkdir(parents=True, exist_ok=True)
    table, figures = folder / "graphs.md", folder / "graphs.json"
    lines = ["Made by `make profile-graphs`; do not edit.", "", f"{machine_name}. {_METHOD}", ""]
    lines += [*summary(models), ""]
    for model in models:
        lines += [f"## {model.name}", ""]
        for title, graph in (("Before", model.before), ("After", model.after)):
            lines += [
                f"{title}, {graph.nodes_ms:.2f} ms in {len(graph.nodes)} nodes:",
                "",
                *node_table(graph),
                "",
            ]
    table.write_text("\n".join(lines[:-1]) + "\n")
    document = {"machine": machine_name, "models": {model.name: _plain(model) for model in models}}
    figures.write_text(json.dumps(document, indent=1) + "\n")
    return [table, figures]


def summary(models: list[ModelFigures]) -> list[str]:
    """A row a model, and a row for all models of a kind of work."""
    rows = [
        "| model | before, CPU ms | after, CPU ms | after / before | bytes before | bytes after |",
        "|---|---|---|---|---|---|",
    ]
    rows += [_summary_row(model.name, [model]) for model in models]
    for prefix, title in _SUMS.items():
        if members := [model for model in models if model.name.startswith(prefix)]:
            rows.append(_summary_row(f"sum of {title} ({len(members)})", members))
    return rows


def _summary_row(name: str, models: list[ModelFigures]) -> str:
    before, after = [model.before for model in models], [model.after for model in models]
    before_ms, after_ms = sum(graph.cpu_ms for graph in before), sum(graph.cpu_ms for graph in after)
    before_bytes, after_bytes = sum(graph.size_bytes for graph in before), sum(graph.size_bytes for graph in after)
    times = f"{before_ms:.2f} | {after_ms:.2f} | {after_ms / before_ms:.2f}"
    return f"| {name} | {times} | {before_bytes} | {after_bytes} |"


def node_table(graph: GraphFigures) -> list[str]:
    """The ten most expensive nodes with their share of all nodes."""
    rows = ["| operator | output | share | ms | node |", "|---|---|---|---|---|"]
    for node in graph.nodes[:LISTED_NODES]:
        shape = " x ".join(map(str, node["shape"]))
        share = node["ms"] / graph.nodes_ms
        rows.append(f"| {node['operator']} | {shape} | {share:.1%} | {node['ms']:.3f} | {node['name']} |")
    return rows


def _plain(model: ModelFigures) -> dict[str, Any]:
    return {
        title: asdict(graph) | {"nodes": graph.nodes[:LISTED_NODES], "nodes_ms": round(graph.nodes_ms, 3)}
        for title, graph in (("before", model.before), ("after", model.after))
    }


if __name__ == "__main__":
    sys.exit(main())
