"""The graphs of triton_models/ with all passes applied: same answers, and no node that takes more than its share."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from PIL import Image

from bench.node_profile import node_times, nodes_of
from tests.training.export.test_graph_passes import SCALING
from training.export import optimisation
from training.export.optimisation import MAX_DIFFERENCE, largest_difference, optimise_repository
from training.export.parity import ParityError
from training.export.passes import optimise

ROOT = Path(__file__).parents[3]
SHIPPED = sorted(card.parent for card in (ROOT / "triton_models").glob("*/card.json"))
HEAVY = {"Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "RoiAlign"}
"""Operators that the networks consist of."""
RUNS = 10


@dataclass(frozen=True)
class Shipped:
    before: bytes
    after: onnx.ModelProto
    images: NDArray[np.uint8]


@pytest.fixture(scope="module", params=SHIPPED, ids=lambda folder: folder.name)
def shipped(request: pytest.FixtureRequest) -> Shipped:
    before = (request.param / "1" / "model.onnx").read_bytes()
    after = optimise(onnx.load_model_from_string(before))
    side = after.graph.input[0].type.tensor_type.shape.dim[-2].dim_value
    samples = sorted((ROOT / "samples").glob("*.png"))
    images = [np.asarray(Image.open(path).convert("L").resize((side, side))) for path in samples]
    noise = np.random.default_rng(1).integers(0, 256, (3, side, side), dtype=np.uint8)
    return Shipped(before, after, np.concatenate([np.stack(images), noise]))


def test_outputs_and_their_shapes_stay(shipped: Shipped) -> None:
    before = onnx.load_model_from_string(shipped.before)
    assert shipped.after.graph.input == before.graph.input
    assert shipped.after.graph.output == before.graph.output
    assert largest_difference(shipped.before, shipped.after.SerializeToString(), shipped.images) <= MAX_DIFFERENCE


def test_no_node_takes_more_than_its_share(shipped: Shipped, tmp_path: Path) -> None:
    """Wide bounds on shares of one run: before the passes, a node of each kind that they rewrite broke one of them."""
    file = tmp_path / "model.onnx"
    onnx.save(shipped.after, file)
    nodes = node_times(str(file), shipped.images[0], RUNS)
    total_ms = sum(node["ms"] for node in nodes)
    for node in nodes:
        share = node["ms"] / total_ms
        assert share < (0.4 if node["operator"] in HEAVY else 0.15), node
        if _short_rows(node["shape"]):
            assert share < 0.02, node
    assert not {node["operator"] for node in nodes} & {"ScatterElements"}


def _short_rows(shape: list[int]) -> bool:
    """A large tensor whose last axis is so short that a broadcast over it is a loop of a few steps."""
    return len(shape) > 1 and shape[-1] <= 4 and math.prod(shape) >= 10_000


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One model that was exported without the passes."""
    folder = tmp_path / "models" / "classify_one"
    (folder / "1").mkdir(parents=True)
    shutil.copy2(ROOT / "triton_models" / "classify_unet" / "card.json", folder / "card.json")
    onnx.save(onnx.parser.parse_model(SCALING), folder / "1" / "model.onnx")
    return folder.parent


def test_a_repository_is_optimised_in_place_once(repository: Path) -> None:
    command = [sys.executable, "-m", "training", "--repository", str(repository), "optimise-graphs"]
    card, file = repository / "classify_one" / "card.json", repository / "classify_one" / "1" / "model.onnx"
    said, size = card.read_bytes(), file.stat().st_size
    first = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, check=True).stdout
    assert first.splitlines() == [
        f"classify_one 1: {size} bytes, {file.stat().st_size} after; same outputs",
        f"1 graphs of {repository} changed",
    ]
    assert onnx.load(file).graph.node[0].op_type == "Reshape"
    assert card.read_bytes() == said
    assert sorted(path.name for path in file.parent.iterdir()) == ["model.onnx"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, check=True).stdout
    assert second == f"0 graphs of {repository} changed\n"


def test_a_graph_with_other_outputs_is_refused(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_another_scale(model: onnx.ModelProto) -> onnx.ModelProto:
        model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.array(0.004, dtype=np.float32), "scale"))
        return model

    monkeypatch.setattr(optimisation, "optimise", with_another_scale)
    file = repository / "classify_one" / "1" / "model.onnx"
    before = file.read_bytes()
    with pytest.raises(ParityError, match=r"outputs of the optimised graph differ by 0.97"):
        list(optimise_repository(repository, []))
    assert file.read_bytes() == before


def test_a_graph_with_an_output_of_another_shape_is_unlike() -> None:
    text = SCALING.replace("int64[4] shape = {-1, 1, 32, 48}", "int64[3] shape = {-1, 32, 48}")
    text = text.replace("float[n,1,32,48] y", "float[n,32,48] y")
    before, after = (onnx.parser.parse_model(one).SerializeToString() for one in (SCALING, text))
    with pytest.raises(ParityError, match="y has another shape or type"):
        largest_difference(before, after, np.zeros((2, 32, 48), dtype=np.uint8))


def event(name: str, start_us: int, duration_us: int) -> dict[str, object]:
    arguments = {"op_name": name.partition("_")[0], "output_type_shape": [{"float": [1, 2]}]}
    return {"cat": "Node", "name": f"{name}_kernel_time", "ts": start_us, "dur": duration_us, "args": arguments}


def test_a_node_with_a_subgraph_does_not_count_what_is_inside() -> None:
    """Three runs, of which the first is left out; the inner node runs inside the If."""
    events = []
    for start, took in ((0, 900), (1000, 40), (2000, 60)):
        events += [
            {"cat": "Session", "name": "model_run", "ts": start, "dur": 900},
            event("If_1", start + 100, took + 10),
            event("Max_1", start + 105, took),
            event("Add_1", start + 700, 20),
            {"cat": "Node", "name": "Add_1_fence_before", "ts": start + 700, "dur": 5, "args": {}},
        ]
    found = {node["name"]: round(node["ms"] * 1e3, 6) for node in nodes_of(events, 1)}
    assert found == {"Max_1": 40, "Add_1": 20, "If_1": 10}
    assert nodes_of(events, 1)[0] == {"name": "Max_1", "operator": "Max", "shape": [1, 2], "ms": 0.04}
