"""Cheaper variants of a detector compared with the shipped one, on graphs whose boxes are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from hepar.contracts.cards import Ensemble, Ensembles, ModelCard
from training.evaluation.ensembles import fusions_of_cards
from training.evaluation.reduction import Comparison, alternating_cpu_ms
from training.evaluation.shipped_models import ShippedModel, shipped_models

ROOT = Path(__file__).parents[3]
SIDE = 16
BOX = [0.25, 0.25, 0.5, 0.5]


def detector(score: float) -> bytes:
    """Finds BOX, a cholangiocarcinoma, in every image; with a batch axis."""
    boxes, scores = np.zeros((1, 100, 4), dtype=np.float32), np.zeros((1, 100), dtype=np.float32)
    boxes[0, 0], scores[0, 0] = BOX, score
    labels = np.zeros((1, 100), dtype=np.int32)
    outputs = {"boxes": boxes, "scores": scores, "labels": labels}
    nodes = [
        helper.make_node("Shape", ["image"], ["count"], end=1),
        *(
            node
            for name, values in outputs.items()
            for node in (
                helper.make_node("Concat", ["count", f"{name}_ones"], [f"{name}_shape"], axis=0),
                helper.make_node("Expand", [f"{name}_of_one", f"{name}_shape"], [name]),
            )
        ),
    ]
    constants = [numpy_helper.from_array(values, f"{name}_of_one") for name, values in outputs.items()]
    constants += [
        numpy_helper.from_array(np.ones(values.ndim - 1, dtype=np.int64), f"{name}_ones")
        for name, values in outputs.items()
    ]
    kinds = {"boxes": TensorProto.FLOAT, "scores": TensorProto.FLOAT, "labels": TensorProto.INT32}
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", SIDE, SIDE, 1])],
        [helper.make_tensor_value_info(name, kinds[name], ["n", *outputs[name].shape[1:]]) for name in outputs],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two patients, each with a lesion at BOX and a slice without; one real lesion there, and one elsewhere."""
    folder = tmp_path_factory.mktemp("reduction")
    rows = []
    for patient in ("a", "b"):
        for kind, (label, boxes) in {"lesion": (0, [[0, *BOX]]), "none": (2, [])}.items():
            name = f"{patient}_{kind}"
            rows.append({"part": "validation", "name": name, "patient": patient, "label": label, "boxes": boxes})
    real = [
        {"name": "near", "patient": "a", "part": "validation", "boxes": [BOX]},
        {"name": "far", "patient": "b", "part": "validation", "boxes": [[0.7, 0.7, 0.9, 0.9]]},
        {"name": "of_the_test", "patient": "c", "part": "test", "boxes": [[0.7, 0.7, 0.9, 0.9]]},
    ]
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "real_lesions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in real))
    grey = Image.fromarray(np.zeros((SIDE, SIDE), dtype=np.uint8))
    for part, names in {"validation/images": [str(row["name"]) for row in rows], "real": ["near", "far"]}.items():
        (folder / part).mkdir(parents=True)
        for name in names:
            grey.save(folder / part / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def comparison(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """One detector, fused alone: the fusion keeps its boxes and scores. The threshold is 0.5."""
    card = ModelCard.model_validate_json((ROOT / "triton_models" / "detect_yolov5" / "card.json").read_bytes())
    fusion = Ensemble(
        method="weighted_box_fusion",
        members={"detect_yolov5": 1.0},
        decision_threshold=0.5,
        overlap=0.5,
        member_threshold=0.01,
        metrics={},
    )
    ensembles = Ensembles(default="weighted_box_fusion", methods={"weighted_box_fusion": fusion}, reference={})
    file = tmp_path_factory.mktemp("model") / "model.onnx"
    file.write_bytes(detector(0.9))
    shipped = ShippedModel(card.model_copy(update={"ensemble": ensembles}), file)
    return Comparison([shipped], "detect_yolov5", data)


def test_the_shipped_graph_differs_from_itself_by_nothing(comparison: Comparison) -> None:
    figures = comparison.figures("shipped", detector(0.9), 3.0)
    difference = figures.difference
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)
    assert figures.real_lesions == (1, 2)
    assert figures.false_boxes == 1
    # The label that occurs: two hits and two false boxes, all of one score. COCO counts the hits first.
    assert figures.map_50 == figures.fused_map_50 > 0


def test_a_graph_that_finds_nothing_loses_everything(comparison: Comparison) -> None:
    whole = comparison.figures("shipped", detector(0.9), 3.0).fused_map_50
    figures = comparison.figures("blind", detector(0.0), 1.5)
    assert (figures.map_50, figures.fused_map_50) == (0, 0)
    assert figures.difference.value == pytest.approx(-whole, abs=1e-4)
    assert (figures.real_lesions, figures.false_boxes) == ((0, 2), 0)
    assert figures.row().startswith("| blind | 0.0 | 1.50 | 0.000 | 0.000 | -")
    assert figures.row().endswith("| 0 of 2 | 0.000 |")


def test_boxes_below_the_threshold_of_the_fusion_find_no_real_lesion(comparison: Comparison) -> None:
    figures = comparison.figures("unsure", detector(0.4), 3.0)
    assert (figures.real_lesions, figures.false_boxes) == ((0, 2), 0)
    assert figures.map_50 > 0


def test_each_graph_gets_a_time(comparison: Comparison) -> None:
    times = alternating_cpu_ms([detector(0.9), detector(0.1)], comparison.image, 3)
    assert len(times) == 2
    assert min(times) > 0


def test_a_detector_without_a_fusion_is_refused(data: Path, tmp_path: Path) -> None:
    card = ModelCard.model_validate_json((ROOT / "triton_models" / "detect_yolov5" / "card.json").read_bytes())
    file = tmp_path / "model.onnx"
    file.write_bytes(detector(0.9))
    onnx.checker.check_model(onnx.load(file))
    with pytest.raises(ValueError, match="no fitted fusion"):
        Comparison([ShippedModel(card.model_copy(update={"ensemble": None}), file)], "detect_yolov5", data)


def test_the_fusions_of_the_cards_are_kept() -> None:
    models = [item for item in shipped_models(ROOT / "triton_models") if item.card.task == "detection"]
    kept = fusions_of_cards(models)
    fitted = models[0].card.ensemble
    assert fitted is not None
    assert kept.default_ensemble is fitted.methods[fitted.default]
    assert set(kept.methods) == set(fitted.methods)
