"""A version is let in only where it beats the serving one on the same images: numbers, and the command itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from tests.support.tiny_models import CLASSIFIER_LABELS, card_document
from training.evaluation.contest import of_classifiers, of_detectors
from training.evaluation.detection import Boxes
from training.prepare import data_fingerprint, read_manifest
from training.versions import current, present

REPOSITORY = Path(__file__).parents[2]
SIDE = 128


def test_of_classifiers_only_the_images_count_that_one_of_both_got_right() -> None:
    before, after = (
        np.array([True] * 80 + [False] * 20),
        np.array([True] * 78 + [False] * 2 + [True] * 12 + [False] * 8),
    )
    contest = of_classifiers(before, after)
    assert (contest.before, contest.after) == (0.8, 0.9)
    assert contest.p_value == pytest.approx(sum(np.exp([_log_choose(14, k) for k in (12, 13, 14)])) / 2**14)
    assert contest.won
    assert not of_classifiers(after, before).won
    assert not of_classifiers(before, before).won
    assert "does not beat" in of_classifiers(before, before).sentence()


def test_a_difference_that_chance_explains_wins_nothing() -> None:
    before, after = np.array([True] * 80 + [False] * 20), np.array([True] * 79 + [False] + [True] * 3 + [False] * 17)
    contest = of_classifiers(before, after)
    assert contest.after > contest.before
    assert not contest.won


def test_of_detectors_patients_are_drawn_together() -> None:
    lesion = _boxes((0.1, 0.1, 0.3, 0.3, 0, 1))
    truth = [lesion] * 12
    missed = _boxes()
    patients = [f"p{index // 2}" for index in range(12)]
    contest = of_detectors([lesion] * 6 + [missed] * 6, [lesion] * 12, truth, patients)
    assert contest.won
    assert contest.after == pytest.approx(1)
    assert not of_detectors([lesion] * 12, [lesion] * 12, truth, patients).won


def test_the_command_lets_in_only_who_wins(tmp_path: Path) -> None:
    assert training(tmp_path, "prepare").returncode == 0
    data = tmp_path / "data"
    test = read_manifest(data, "test")
    images = np.stack([np.asarray(Image.open(data / "test" / "images" / f"{one.name}.png")) for one in test])
    labels = [one.label for one in test]
    write_model(tmp_path / "models" / "classify_tiny", _guessing(), data)
    serving = tmp_path / "models" / "classify_tiny"
    write_model(tmp_path / "same" / "classify_tiny", _guessing(), data)
    write_model(tmp_path / "better" / "classify_tiny", _knowing(images, labels), data)

    lost = training(tmp_path, "promote", "classify_tiny", "2", "--candidate", str(tmp_path / "same" / "classify_tiny"))
    assert lost.returncode == 1
    assert "does not beat the serving one" in lost.stderr
    assert present(serving) == ["1"]

    better = ["--candidate", str(tmp_path / "better" / "classify_tiny")]
    won = training(tmp_path, "promote", "classify_tiny", "2", *better, "--weight", "0.25")
    assert won.returncode == 0, won.stdout + won.stderr
    assert "beats the serving one: accuracy 1.0000" in won.stdout
    assert current(serving).serving == {"1": 0.75, "2": 0.25}
    assert training(tmp_path, "promote", "classify_tiny", "2", "--shadow").returncode == 0
    assert (current(serving).serving, current(serving).shadow) == ({"1": 1.0}, ["2"])
    assert training(tmp_path, "promote", "classify_tiny", "2").returncode == 0
    assert current(serving).serving == {"2": 1.0}
    assert training(tmp_path, "rollback", "classify_tiny", "1").returncode == 0
    assert current(serving).serving == {"1": 1.0}

    unknown = training(tmp_path, "rollback", "classify_tiny", "5")
    assert unknown.returncode == 1
    assert "has no version 5; it has 1, 2" in unknown.stderr
    missing = training(tmp_path, "promote", "classify_tiny", "5")
    assert missing.returncode == 1
    assert "--candidate" in missing.stderr


def test_a_candidate_that_is_another_model_is_refused(tmp_path: Path) -> None:
    assert training(tmp_path, "prepare").returncode == 0
    write_model(tmp_path / "models" / "classify_tiny", _guessing(), tmp_path / "data")
    for what, value in (("input", {"height": 64, "width": 64}), ("labels", ["a", "b", "c"]), ("task", "input_check")):
        write_model(tmp_path / what / "classify_tiny", _guessing(), tmp_path / "data")
        card = tmp_path / what / "classify_tiny" / "card.json"
        card.write_text(json.dumps(json.loads(card.read_text()) | {what: value}))
        done = training(tmp_path, "promote", "classify_tiny", "2", "--candidate", str(card.parent))
        assert done.returncode == 1
        assert "another " + what in done.stderr or "input check is judged" in done.stderr
    assert present(tmp_path / "models" / "classify_tiny") == ["1"]


def test_a_candidate_that_was_judged_on_other_data_is_refused(tmp_path: Path) -> None:
    assert training(tmp_path, "prepare").returncode == 0
    write_model(tmp_path / "models" / "classify_tiny", _guessing(), tmp_path / "data")
    write_model(tmp_path / "other" / "classify_tiny", _guessing(), tmp_path / "data")
    card = tmp_path / "other" / "classify_tiny" / "card.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"data_sha256": "1" * 64}))
    done = training(tmp_path, "promote", "classify_tiny", "2", "--candidate", str(card.parent))
    assert done.returncode == 1
    assert "is not the data that" in done.stderr


def training(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training", "--configuration", "smoke", "--folder", str(folder)]
    command += ["--repository", str(folder / "models"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=REPOSITORY, check=False)


def _guessing() -> list[onnx.NodeProto | onnx.TensorProto]:
    """Always the second label."""
    return _graph(np.zeros((SIDE * SIDE, 1), dtype=np.float32), np.zeros(1, dtype=np.float32), np.array([[0, 1, 0]]))


def _knowing(images: np.ndarray, labels: list[int]) -> list[onnx.NodeProto | onnx.TensorProto]:
    """The label of the nearest of the images (by squared distance), which is the image itself."""
    flat = images.reshape(len(images), -1).astype(np.float32)
    return _graph(flat.T, -(flat**2).sum(axis=1) / 2, np.eye(3)[labels])


def _graph(templates: np.ndarray, bias: np.ndarray, votes: np.ndarray) -> list[onnx.NodeProto | onnx.TensorProto]:
    return [
        helper.make_node("Cast", ["image"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["grey"], ["flat"]),
        helper.make_node("MatMul", ["flat", "templates"], ["likeness"]),
        helper.make_node("Add", ["likeness", "bias"], ["nearness"]),
        helper.make_node("Softmax", ["nearness"], ["weights"], axis=1),
        helper.make_node("MatMul", ["weights", "votes"], ["logits"]),
        numpy_helper.from_array(templates.astype(np.float32), "templates"),
        numpy_helper.from_array(bias.astype(np.float32), "bias"),
        numpy_helper.from_array(votes.astype(np.float32), "votes"),
    ]


def write_model(folder: Path, parts: list[onnx.NodeProto | onnx.TensorProto], data: Path) -> None:
    nodes = [part for part in parts if isinstance(part, onnx.NodeProto)]
    constants = [part for part in parts if isinstance(part, onnx.TensorProto)]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", SIDE, SIDE, 1])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph(nodes, folder.name, [image], [logits], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "1").mkdir(parents=True)
    onnx.save(model, folder / "1" / "model.onnx")
    (folder / "config.pbtxt").write_text(f'name: "{folder.name}"\n')
    card = card_document(folder.name, "classification", CLASSIFIER_LABELS, SIDE) | {
        "data_sha256": data_fingerprint(data)
    }
    (folder / "card.json").write_text(json.dumps(card))


def _boxes(*rows: tuple[float, ...]) -> Boxes:
    table = np.array(rows, dtype=float).reshape(-1, 6)
    return Boxes(table[:, :4], table[:, 4].astype(int), table[:, 5])


def _log_choose(n: int, k: int) -> float:
    from math import lgamma

    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
