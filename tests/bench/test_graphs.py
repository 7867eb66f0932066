"""The profile of graphs: a real profile of one shipped model, and the tables of given figures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bench.graphs import LISTED_NODES, GraphFigures, ModelFigures, measure, node_table, summary, write
from bench.measurement import MeasurementFailed
from local_stack.settings import StackSettings

ROOT = Path(__file__).parents[2]
PYTHON = StackSettings().triton_environment / "bin" / "python"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "triton_models" / "classify_unet", tmp_path / "models" / "classify_unet")
    return tmp_path / "models"


def test_both_graphs_of_a_model_are_profiled(repository: Path) -> None:
    (model,) = measure(repository, None, PYTHON, runs=2)
    assert model.name == "classify_unet"
    for graph in (model.before, model.after):
        assert graph.cpu_ms > 0
        assert sum("Conv" in node["operator"] for node in graph.nodes) > 15
        assert [node["ms"] for node in graph.nodes] == sorted((node["ms"] for node in graph.nodes), reverse=True)
    assert [1, 256, 256, 1] not in [node["shape"] for node in model.after.nodes]
    assert model.before.size_bytes == (repository / "classify_unet" / "1" / "model.onnx").stat().st_size


def test_a_graph_that_cannot_be_loaded_is_named(repository: Path, tmp_path: Path) -> None:
    shutil.copytree(repository, tmp_path / "before")
    (tmp_path / "before" / "classify_unet" / "1" / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(MeasurementFailed, match=r"before/classify_unet/1/model\.onnx"):
        list(measure(repository, tmp_path / "before", PYTHON, runs=1))


def figures(name: str, before_ms: float, after_ms: float) -> ModelFigures:
    nodes = [{"name": f"n{i}", "operator": "Conv", "shape": [1, i], "ms": float(12 - i)} for i in range(12)]
    return ModelFigures(name, GraphFigures(1000, before_ms, nodes), GraphFigures(900, after_ms, nodes))


MODELS = [figures("check_input", 1, 1), figures("classify_a", 4, 2), figures("classify_b", 6, 2)]


def test_times_of_a_kind_of_work_are_added() -> None:
    assert summary(MODELS)[2:] == [
        "| check_input | 1.00 | 1.00 | 1.00 | 1000 | 900 |",
        "| classify_a | 4.00 | 2.00 | 0.50 | 1000 | 900 |",
        "| classify_b | 6.00 | 2.00 | 0.33 | 1000 | 900 |",
        "| sum of classifiers (2) | 10.00 | 4.00 | 0.40 | 2000 | 1800 |",
    ]


def test_shares_are_of_all_nodes_and_ten_are_listed(tmp_path: Path) -> None:
    table = node_table(MODELS[0].after)
    assert len(table) == 2 + LISTED_NODES
    assert table[2] == "| Conv | 1 x 0 | 15.4% | 12.000 | n0 |", "12 of 78 ms"
    page, document = write(MODELS, "a machine", tmp_path)
    assert page.read_text().count("| Conv |") == 2 * LISTED_NODES * len(MODELS)
    written = json.loads(document.read_text())["models"]["classify_a"]
    assert (written["before"]["cpu_ms"], written["after"]["cpu_ms"], written["after"]["nodes_ms"]) == (4, 2, 78)
    assert len(written["after"]["nodes"]) == LISTED_NODES
