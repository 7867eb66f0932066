"""Promotion of a new version by the commands `promote` and `rollback`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.support.tiny_models import CLASSIFIER_LABELS, card_document
from tests.training.support import run_training
from training.prepared.dataset import data_fingerprint, image_paths, read_images, read_manifest
from training.versions import add_version, existing_versions, read_card, read_versions

SIDE = 128
MODEL = "classify_tiny"


def test_only_a_better_version_is_promoted(prepared: Path, tmp_path: Path) -> None:
    data, served = prepared / "data", tmp_path / "models" / MODEL
    (tmp_path / "data").symlink_to(data)
    test = read_manifest(data, "test")
    perfect = _perfect_model(read_images(image_paths(data, test)), [example.label for example in test])
    write_model(served, _constant_model(), data)
    write_model(tmp_path / "same" / MODEL, _constant_model(), data)
    write_model(tmp_path / "better" / MODEL, perfect, data)

    refused = run_training(tmp_path, "promote", MODEL, "2", "--candidate", str(tmp_path / "same" / MODEL))
    assert refused.returncode == 1
    assert "does not beat the served one" in refused.stderr
    assert existing_versions(served) == ["1"]

    better = ["--candidate", str(tmp_path / "better" / MODEL)]
    promoted = run_training(tmp_path, "promote", MODEL, "2", *better, "--weight", "0.25")
    assert promoted.returncode == 0, promoted.stdout + promoted.stderr
    assert "beats the served one: accuracy 1.0000" in promoted.stdout
    assert read_versions(served).serving == {"1": 0.75, "2": 0.25}


def test_existing_versions_serve_shadow_and_are_rolled_back(tmp_path: Path) -> None:
    served = tmp_path / "models" / MODEL
    write_model(served, _constant_model())
    add_version(served, "2", served / "1" / "model.onnx", read_card(served / "card.json"))

    assert run_training(tmp_path, "promote", MODEL, "2", "--shadow").returncode == 0
    assert (read_versions(served).serving, read_versions(served).shadow) == ({"1": 1.0}, ["2"])
    assert run_training(tmp_path, "promote", MODEL, "2").returncode == 0
    assert read_versions(served).serving == {"2": 1.0}
    assert run_training(tmp_path, "rollback", MODEL, "1").returncode == 0
    assert read_versions(served).serving == {"1": 1.0}

    unknown = run_training(tmp_path, "rollback", MODEL, "5")
    assert unknown.returncode == 1
    assert "has no version 5; it has 1, 2" in unknown.stderr
    missing = run_training(tmp_path, "promote", MODEL, "5")
    assert missing.returncode == 1
    assert "--candidate" in missing.stderr


def test_a_candidate_that_is_another_model_is_refused(prepared: Path, tmp_path: Path) -> None:
    data, served = prepared / "data", tmp_path / "models" / MODEL
    (tmp_path / "data").symlink_to(data)
    write_model(served, _constant_model(), data)
    for field, value in (("input", {"height": 64, "width": 64}), ("labels", ["a", "b", "c"]), ("task", "input_check")):
        candidate = tmp_path / field / MODEL
        write_model(candidate, _constant_model(), data)
        card = candidate / "card.json"
        card.write_text(json.dumps(json.loads(card.read_text()) | {field: value}))
        result = run_training(tmp_path, "promote", MODEL, "2", "--candidate", str(candidate))
        assert result.returncode == 1
        reason = "no paired test for an input check" if field == "task" else f"in its {field}"
        assert reason in result.stderr
    assert existing_versions(served) == ["1"]


def test_a_candidate_evaluated_on_other_data_is_refused(prepared: Path, tmp_path: Path) -> None:
    data, candidate = prepared / "data", tmp_path / "other" / MODEL
    (tmp_path / "data").symlink_to(data)
    write_model(tmp_path / "models" / MODEL, _constant_model(), data)
    write_model(candidate, _constant_model(), data)
    card = candidate / "card.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"data_sha256": "1" * 64}))
    result = run_training(tmp_path, "promote", MODEL, "2", "--candidate", str(candidate))
    assert result.returncode == 1
    assert "was not evaluated on the data in" in result.stderr


def _constant_model() -> list[onnx.NodeProto | onnx.TensorProto]:
    """Always predicts the second label."""
    return _graph(np.zeros((SIDE * SIDE, 1), dtype=np.float32), np.zeros(1, dtype=np.float32), np.array([[0, 1, 0]]))


def _perfect_model(images: np.ndarray, labels: list[int]) -> list[onnx.NodeProto | onnx.TensorProto]:
    """Gives each image the label of the nearest of `images` by squared distance: its own."""
    flat = images.reshape(len(images), -1).astype(np.float32)
    return _graph(flat.T, -(flat**2).sum(axis=1) / 2, np.eye(3)[labels])


def _graph(templates: np.ndarray, bias: np.ndarray, votes: np.ndarray) -> list[onnx.NodeProto | onnx.TensorProto]:
    return [
        helper.make_node("Cast", ["image"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["grey"], ["flat"]),
        helper.make_node("MatMul", ["flat", "templates"], ["products"]),
        helper.make_node("Add", ["products", "bias"], ["similarity"]),
        helper.make_node("Softmax", ["similarity"], ["weights"], axis=1),
        helper.make_node("MatMul", ["weights", "votes"], ["logits"]),
        numpy_helper.from_array(templates.astype(np.float32), "templates"),
        numpy_helper.from_array(bias.astype(np.float32), "bias"),
        numpy_helper.from_array(votes.astype(np.float32), "votes"),
    ]


def write_model(folder: Path, parts: list[onnx.NodeProto | onnx.TensorProto], data: Path | None = None) -> None:
    """Writes a model folder. data: what its card says it was evaluated on."""
    nodes = [part for part in parts if isinstance(part, onnx.NodeProto)]
    constants = [part for part in parts if isinstance(part, onnx.TensorProto)]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", SIDE, SIDE, 1])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph(nodes, folder.name, [image], [logits], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "1").mkdir(parents=True)
    onnx.save(model, folder / "1" / "model.onnx")
    (folder / "config.pbtxt").write_text(f'name: "{folder.name}"\n')
    card = card_document(folder.name, "classification", CLASSIFIER_LABELS, SIDE)
    if data is not None:
        card["data_sha256"] = data_fingerprint(data)
    (folder / "card.json").write_text(json.dumps(card))
