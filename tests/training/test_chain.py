"""The whole chain on a few phantoms: prepare, train, export, evaluate."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest

from hepar.contracts.cards import ModelCard
from tests.training.support import REPOSITORY, run_training
from training.evaluation.inference import run_model_on
from training.export.passes import optimise
from training.networks import NETWORKS
from training.prepared.dataset import CLASS_LABELS, NO_TUMOUR_INDEX, image_paths, read_images, read_manifest

SIDE = 128


@dataclass(frozen=True)
class SmokeRun:
    """A whole run.  printed: by all its commands."""

    folder: Path
    printed: str

    @property
    def models(self) -> Path:
        return self.folder / "models"


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> SmokeRun:
    folder = tmp_path_factory.mktemp("chain") / "smoke"
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    command = ["make", "train-smoke", f"SMOKE_RUN={folder}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return SmokeRun(folder, done.stdout)


@pytest.fixture(params=sorted(NETWORKS))
def exported(request: pytest.FixtureRequest, smoke: SmokeRun) -> Path:
    """The exported folder of each network in turn."""
    return smoke.models / str(request.param)


def run(model: Path, images: np.ndarray) -> dict[str, np.ndarray]:
    return run_model_on(model / "1" / "model.onnx", images)


def test_the_prepared_data_is_split_by_patient_and_has_every_label(smoke: SmokeRun) -> None:
    examples = read_manifest(smoke.folder / "data")
    parts: dict[str, set[str]] = {}
    for example in examples:
        parts.setdefault(example.patient, set()).add(example.part)
    assert all(len(names) == 1 for names in parts.values())
    for part in ("train", "validation", "test"):
        in_part = [example for example in examples if example.part == part]
        assert {example.label for example in in_part} == {0, 1, 2}
        for example in in_part:
            assert (example.label == NO_TUMOUR_INDEX) == (not example.boxes)
            assert (smoke.folder / "data" / part / "images" / f"{example.name}.png").is_file()


def test_preparing_twice_gives_the_same_bytes(smoke: SmokeRun, tmp_path: Path) -> None:
    assert run_training(tmp_path, "prepare").returncode == 0
    first = {path.name: path.read_bytes() for path in (smoke.folder / "data" / "test" / "images").iterdir()}
    again = {path.name: path.read_bytes() for path in (tmp_path / "data" / "test" / "images").iterdir()}
    assert first == again


def test_an_exported_model_has_the_promised_inputs_and_outputs(exported: Path) -> None:
    card = ModelCard.model_validate_json((exported / "card.json").read_bytes())
    assert card.name == exported.name
    assert (card.input.height, card.input.width) == (SIDE, SIDE)
    assert card.metrics
    assert all(metric.low <= metric.value <= metric.high for metric in card.metrics.values())
    outputs = run(exported, np.zeros((3, SIDE, SIDE), dtype=np.uint8))
    if card.task == "input_check":
        assert outputs["typicality"].shape == (3, 1)
    elif card.task == "classification":
        assert card.labels == CLASS_LABELS
        assert outputs["logits"].shape == (3, 3)
        assert outputs["activation"].shape[:2] == (3, 3)
        assert outputs["activation"].ndim == 4
    else:
        assert outputs["boxes"].shape == (3, 100, 4)
        assert outputs["scores"].shape == outputs["labels"].shape == (3, 100)
        assert (np.diff(outputs["scores"], axis=1) <= 0).all()
        assert outputs["labels"].dtype == np.int32
    for configuration in (exported / "config.pbtxt", exported / "configs" / "gpu.pbtxt"):
        text = configuration.read_text()
        assert f'name: "{card.name}"' in text
        assert 'backend: "onnxruntime"' in text
        for name, value in outputs.items():
            dims = ", ".join(map(str, value.shape[1:]))
            assert f'name: "{name}"' in text
            assert f"dims: [ {dims} ]" in text
        assert "dynamic_batching" in text
        assert "max_batch_size: 0" not in text


def test_a_batch_gives_the_same_outputs_as_single_images(exported: Path, smoke: SmokeRun) -> None:
    data = smoke.folder / "data"
    images = read_images(image_paths(data, read_manifest(data, "test"))[:6])
    batch = run(exported, images)
    for index in range(len(images)):
        single = run(exported, images[index : index + 1])
        for name, value in single.items():
            assert value[0] == pytest.approx(batch[name][index], abs=1e-4)


def test_weights_are_stored_as_float16(exported: Path) -> None:
    graph = onnx.load(exported / "1" / "model.onnx").graph
    large = [tensor for tensor in graph.initializer if np.prod(tensor.dims) >= 256]
    float16 = [tensor for tensor in large if tensor.data_type == onnx.TensorProto.FLOAT16]
    assert len(float16) >= 0.5 * len(large) > 0


def test_an_exported_graph_is_optimised(exported: Path) -> None:
    model = onnx.load(exported / "1" / "model.onnx")
    written = model.SerializeToString()
    assert optimise(model).SerializeToString() == written, "no pass finds anything left to rewrite"
    kinds = {node.op_type for node in model.graph.node}
    (first,) = [node.op_type for node in model.graph.node if "image" in node.input]
    if exported.name.startswith("classify_"):
        assert first == "Reshape", "before the arithmetic on every pixel"
    elif exported.name.startswith("detect_"):
        assert "MatMul" in kinds, "the rounds of suppression"


def test_the_card_of_a_classifier_names_its_teacher(exported: Path) -> None:
    card = ModelCard.model_validate_json((exported / "card.json").read_bytes())
    taught = "learnt from a teacher, which is not part of the network: an untrained network" in card.training_data
    assert taught == (card.task == "classification")


def test_a_finished_training_is_not_repeated(smoke: SmokeRun) -> None:
    files = [path for name in NETWORKS for path in (smoke.folder / name).rglob("*") if path.is_file()]
    before = {path: path.stat().st_mtime_ns for path in files}
    result = run_training(smoke.folder, "train", "all")
    assert result.returncode == 0, result.stderr
    assert {name for name in NETWORKS if any(path.is_relative_to(smoke.folder / name) for path in files)} == {*NETWORKS}
    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_evaluate_prints_the_metrics_of_the_card(exported: Path, smoke: SmokeRun) -> None:
    card = ModelCard.model_validate_json((exported / "card.json").read_bytes())
    _, _, evaluation = smoke.printed.partition("evaluate all\n")
    _, _, of_this = evaluation.partition(f"{exported.name}: temperature")
    printed = [line.split()[:2] for line in of_this.splitlines()[1 : len(card.metrics) + 1]]
    assert printed == [[name, f"{metric.value:.3f}"] for name, metric in card.metrics.items()]


def test_evaluate_writes_threshold_and_metrics_to_the_card_where_it_is_asked_to(smoke: SmokeRun) -> None:
    originals = {name: (smoke.models / name / "card.json").read_text() for name in NETWORKS}
    try:
        for name, original in originals.items():
            outdated = json.loads(original)
            outdated["metrics"] = {metric: {"value": 0, "low": 0, "high": 0} for metric in outdated["metrics"]}
            outdated["decision_threshold"] = 0.01
            (smoke.models / name / "card.json").write_text(json.dumps(outdated))
        result = run_training(smoke.folder, "evaluate", "all", "--write")
        assert result.returncode == 0, result.stderr
        for name, original in originals.items():
            assert json.loads((smoke.models / name / "card.json").read_text()) == json.loads(original)
    finally:
        for name, original in originals.items():
            (smoke.models / name / "card.json").write_text(original)


def test_evaluate_refuses_other_data(exported: Path, smoke: SmokeRun) -> None:
    card = exported / "card.json"
    original = card.read_text()
    card.write_text(json.dumps(json.loads(original) | {"data_sha256": "0" * 64}))
    try:
        result = run_training(smoke.folder, "evaluate", exported.name)
    finally:
        card.write_text(original)
    assert result.returncode == 1
    assert "was not evaluated on the data in" in result.stderr


def test_ensembles_report_and_cards_for_people_are_written(smoke: SmokeRun) -> None:
    for name in NETWORKS:
        card = ModelCard.model_validate_json((smoke.models / name / "card.json").read_bytes())
        assert (card.ensemble is not None) == (card.task != "input_check")
        assert name in (smoke.folder / "model-cards" / f"{name}.md").read_text()
    report = json.loads((smoke.folder / "report" / "metrics.json").read_text())
    assert "soft_vote" in str(report)
    assert "weighted_box_fusion" in str(report)


def test_a_missing_prerequisite_names_the_command_to_run(tmp_path: Path) -> None:
    result = run_training(tmp_path, "train", "classify_resnet")
    assert result.returncode == 1
    assert "run `python -m training prepare` first" in result.stderr
    assert "Traceback" not in result.stderr
