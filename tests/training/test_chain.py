"""The whole chain on a handful of phantoms: prepare, train, go on, export, evaluate, in the environment of training."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import torchvision  # noqa: F401  before TensorFlow, which else crashes it

from hepar.contracts.cards import ModelCard
from training.configuration import ClassifierArchitecture, Configuration, load_configuration
from training.evaluation.served import run_model_on
from training.export.passes import optimise
from training.networks import NETWORKS
from training.prepare import CLASS_LABELS, read_manifest

REPOSITORY = Path(__file__).parents[2]
SIDE = 128


def training(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training", "--configuration", "smoke", "--folder", str(folder)]
    command += ["--repository", str(folder / "models"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=REPOSITORY, check=False)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    done = training(folder, "prepare")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module", params=sorted(NETWORKS))
def exported(request: pytest.FixtureRequest, prepared: Path) -> Path:
    name = str(request.param)
    for command in ("train", "export"):
        done = training(prepared, command, name)
        assert done.returncode == 0, done.stderr[-3000:]
    return prepared / "models" / name


def run(model: Path, images: np.ndarray) -> dict[str, np.ndarray]:
    return run_model_on(model / "1" / "model.onnx", images[..., 0])


def prepared_images(folder: Path) -> np.ndarray:
    from PIL import Image

    paths = sorted((folder / "data" / "test" / "images").glob("*.png"))[:6]
    return np.stack([np.asarray(Image.open(path)) for path in paths])[..., None]


def test_the_prepared_set_is_split_by_patient_and_holds_every_label(prepared: Path) -> None:
    examples = read_manifest(prepared / "data")
    parts: dict[str, set[str]] = {}
    for example in examples:
        parts.setdefault(example.patient, set()).add(example.part)
    assert all(len(names) == 1 for names in parts.values())
    for part in ("train", "validation", "test"):
        of_part = [example for example in examples if example.part == part]
        assert {example.label for example in of_part} == {0, 1, 2}
        for example in of_part:
            assert (example.label == CLASS_LABELS.index("no_tumour")) == (not example.boxes)
            assert (prepared / "data" / part / "images" / f"{example.name}.png").is_file()


def test_preparing_again_gives_the_same_bytes(prepared: Path, tmp_path: Path) -> None:
    assert training(tmp_path, "prepare").returncode == 0
    first = {path.name: path.read_bytes() for path in (prepared / "data" / "test" / "images").iterdir()}
    again = {path.name: path.read_bytes() for path in (tmp_path / "data" / "test" / "images").iterdir()}
    assert first == again


def test_an_exported_model_keeps_the_promise(exported: Path) -> None:
    card = ModelCard.model_validate_json((exported / "card.json").read_bytes())
    assert card.name == exported.name
    assert (card.input.height, card.input.width) == (SIDE, SIDE)
    assert card.metrics
    assert all(metric.low <= metric.value <= metric.high for metric in card.metrics.values())
    outputs = run(exported, np.zeros((3, SIDE, SIDE, 1), dtype=np.uint8))
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
        takes_a_batch = card.name != "detect_faster_rcnn"
        assert ("dynamic_batching" in text) == takes_a_batch
        assert ("max_batch_size: 0" in text) != takes_a_batch


def test_a_batch_is_answered_as_its_images_are(exported: Path, prepared: Path) -> None:
    images = prepared_images(prepared)
    together = run(exported, images)
    for index in range(len(images)):
        alone = run(exported, images[index : index + 1])
        for name, value in alone.items():
            assert value[0] == pytest.approx(together[name][index], abs=1e-4)


def test_weights_are_stored_in_half_the_bytes(exported: Path) -> None:
    graph = onnx.load(exported / "1" / "model.onnx").graph
    large = [tensor for tensor in graph.initializer if np.prod(tensor.dims) >= 256]
    halves = [tensor for tensor in large if tensor.data_type == onnx.TensorProto.FLOAT16]
    assert len(halves) >= 0.5 * len(large) > 0


def test_an_exported_graph_went_through_the_passes(exported: Path) -> None:
    model = onnx.load(exported / "1" / "model.onnx")
    written = model.SerializeToString()
    assert optimise(model).SerializeToString() == written, "a pass finds something left to do"
    kinds = {node.op_type for node in model.graph.node}
    (first,) = [node.op_type for node in model.graph.node if "image" in node.input]
    if exported.name.startswith("classify_"):
        assert first == "Reshape", "before the arithmetic on every pixel"
    elif exported.name == "detect_faster_rcnn":
        assert "ScatterND" in kinds
        assert "ScatterElements" not in kinds
    elif exported.name.startswith("detect_"):
        assert "MatMul" in kinds, "the rounds of suppression"


def test_training_that_is_finished_is_not_done_again(exported: Path, prepared: Path) -> None:
    note = prepared / exported.name / "finished"
    before = {path: path.stat().st_mtime_ns for path in note.parent.rglob("*") if path.is_file()}
    done = training(prepared, "train", exported.name)
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in note.parent.rglob("*") if path.is_file()} == before


def test_evaluate_prints_the_figures_of_the_card(exported: Path, prepared: Path) -> None:
    card = ModelCard.model_validate_json((exported / "card.json").read_bytes())
    done = training(prepared, "evaluate", exported.name)
    assert done.returncode == 0, done.stderr
    for name, metric in card.metrics.items():
        (line,) = (line for line in done.stdout.splitlines() if line.split()[:1] == [name])
        assert f"{metric.value:.3f}" in line


def test_evaluate_refuses_other_data(exported: Path, prepared: Path) -> None:
    card = exported / "card.json"
    original = card.read_text()
    card.write_text(json.dumps(json.loads(original) | {"data_sha256": "0" * 64}))
    try:
        done = training(prepared, "evaluate", exported.name)
    finally:
        card.write_text(original)
    assert done.returncode == 1
    assert "is not the data" in done.stderr


def test_an_interrupted_classifier_goes_on_where_it_was(prepared: Path, tmp_path: Path) -> None:
    """Stopped in its second epoch and started again: each epoch on record once, and the best weights kept."""
    from training.classifier import fit

    smoke, out = load_configuration("smoke"), tmp_path / "run"

    def stop(_: object, epoch: int, logs: object = None) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit.TimeLeft, "on_epoch_begin", stop)
        with pytest.raises(KeyboardInterrupt):
            fit.train_classifier("resnet", smoke, prepared / "data", out)
    first = (out / fit.EPOCHS).read_text()
    assert len(first.splitlines()) == 2
    (out / fit.EPOCHS).write_text(re.sub(r"[\d.]+$", "0", first.strip()) + "\n")  # no later epoch can be better
    before = (out / fit.BEST_WEIGHTS).read_bytes()
    fit.train_classifier("resnet", smoke, prepared / "data", out)
    assert [row.split(",")[0] for row in (out / fit.EPOCHS).read_text().splitlines()] == ["epoch", "0", "1"]
    assert (out / fit.BEST_WEIGHTS).read_bytes() == before
    assert list((out / "tensorboard").rglob("events.out.*"))


@pytest.mark.timeout(600)
def test_an_interrupted_faster_rcnn_ends_where_an_uninterrupted_one_does(prepared: Path, tmp_path: Path) -> None:
    from training.detector.faster_rcnn import LAST, train_faster_rcnn

    smoke = load_configuration("smoke")
    two = smoke.model_copy(update={"detector": smoke.detector.model_copy(update={"epochs": 2})})
    states = []
    for stops in ((), (1,)):
        out = tmp_path / f"run{len(stops)}"
        for _ in stops:
            with pytest.raises(KeyboardInterrupt), monkeypatched_epoch_limit(1):
                train_faster_rcnn(two.detector.faster_rcnn, two, prepared / "data", out)
        train_faster_rcnn(two.detector.faster_rcnn, two, prepared / "data", out)
        states.append(torch.load(out / LAST, weights_only=True)["network"])
    for name, value in states[0].items():
        assert value.numpy() == pytest.approx(states[1][name].numpy(), abs=1e-6), name


@pytest.mark.timeout(600)
def test_yolo_goes_on_after_an_interruption_and_starts_from_a_local_checkpoint(prepared: Path, tmp_path: Path) -> None:
    from training.detector.yolo import train_yolo, work_offline

    work_offline(tmp_path)
    from ultralytics.engine.trainer import BaseTrainer

    smoke = load_configuration("smoke")
    two = smoke.model_copy(update={"detector": smoke.detector.model_copy(update={"epochs": 2})})
    keep = BaseTrainer.save_model

    def keep_and_stop(trainer: BaseTrainer) -> None:
        keep(trainer)
        raise KeyboardInterrupt

    out = tmp_path / "interrupted"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseTrainer, "save_model", keep_and_stop)
        with pytest.raises(KeyboardInterrupt):
            train_yolo(two.detector.yolov5, two, prepared / "data", out)
    best = train_yolo(two.detector.yolov5, two, prepared / "data", out)
    rows = (out / "run" / "results.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0].strip() for row in rows] == ["1", "2"]

    still = two.detector.yolov5.model_copy(update={"weights": best, "epochs": 1})
    slow = smoke.model_copy(update={"detector": smoke.detector.model_copy(update={"learning_rate": 1e-12})})
    again = train_yolo(still, slow, prepared / "data", tmp_path / "again")
    first, second = (torch.load(path, weights_only=False)["model"].state_dict() for path in (best, again))
    name = next(name for name in first if name.endswith("conv.weight"))
    assert second[name].float().numpy() == pytest.approx(first[name].float().numpy(), abs=0.01)


def test_half_precision_trains_a_network_that_computes_in_full(prepared: Path, tmp_path: Path) -> None:
    import keras

    from training.classifier.fit import new_classifier, train_classifier

    smoke = load_configuration("smoke")
    changes = {"mixed_precision": True, "epochs": 1}
    half = smoke.model_copy(update={"classifier": smoke.classifier.model_copy(update=changes)})
    best = train_classifier("unet", half, prepared / "data", tmp_path / "run")
    assert keras.mixed_precision.global_policy().name == "float32", "as it was"
    model = new_classifier("unet", half, 3)
    model.load_weights(best)
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert model.layers[3].compute_dtype == "float32"


@contextmanager
def monkeypatched_epoch_limit(epochs: int) -> Iterator[None]:
    """Ctrl-C once so many epochs are done."""
    from training.detector import faster_rcnn

    original, done = faster_rcnn._one_epoch, 0

    def limited(*arguments: Any) -> float:  # noqa: ANN401
        nonlocal done
        done += 1
        if done > epochs:
            raise KeyboardInterrupt
        return float(original(*arguments))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faster_rcnn, "_one_epoch", limited)
        yield


def test_training_ends_early_when_it_gets_no_better(tmp_path: Path) -> None:
    from training.classifier.fit import EPOCHS, MONITORED, StopWhenFlat

    class Model:
        stop_training = False

    for losses, stops in (([0.5, 0.6, 0.7], True), ([0.7, 0.6, 0.65], False), ([0.5], False)):
        (tmp_path / EPOCHS).write_text("\n".join([f"epoch,{MONITORED}", *(f"{i},{x}" for i, x in enumerate(losses))]))
        callback = StopWhenFlat(tmp_path, patience=2)
        model = Model()
        callback.set_model(model)
        callback.on_epoch_end(len(losses) - 1)
        assert model.stop_training is stops


@pytest.mark.timeout(600)
def test_a_pretrained_backbone_is_frozen_at_first_and_then_fine_tuned(prepared: Path, tmp_path: Path) -> None:
    """From a local weights file, as users without internet have it."""
    import keras

    from training.classifier.architectures import BACKBONE
    from training.classifier.fit import BEST_WEIGHTS, new_classifier, train_classifier

    local = tmp_path / "backbone.weights.h5"
    donor = keras.applications.DenseNet121(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
    donor.save_weights(local)
    smoke = load_configuration("smoke")
    architecture = ClassifierArchitecture(backbone="DenseNet121", weights=str(local))

    def configured(frozen: int) -> Configuration:
        changes = {"networks": {"densenet": architecture}, "epochs": 1, "frozen_epochs": frozen, "batch_size": 16}
        return smoke.model_copy(update={"classifier": smoke.classifier.model_copy(update=changes)})

    def kernels(configuration: Configuration, out: Path) -> np.ndarray:
        train_classifier("densenet", configuration, prepared / "data", out)
        model = new_classifier("densenet", configuration, 3)
        model.load_weights(out / BEST_WEIGHTS)
        return np.asarray(model.get_layer(BACKBONE).get_layer("conv1_conv").kernel)

    given = np.asarray(donor.get_layer("conv1_conv").kernel)
    assert kernels(configured(1), tmp_path / "frozen") == pytest.approx(given, abs=0)
    assert np.abs(kernels(configured(0), tmp_path / "free") - given).max() > 0


def test_what_comes_too_early_is_said(tmp_path: Path) -> None:
    early = training(tmp_path, "train", "classify_resnet")
    assert early.returncode == 1
    assert "run `python -m training prepare` first" in early.stderr
    assert "Traceback" not in early.stderr


@pytest.mark.parametrize("missing", ["slices.csv", "lesions.csv"])
def test_a_wrong_data_folder_is_named(tmp_path: Path, missing: str) -> None:
    for table in {"slices.csv", "lesions.csv"} - {missing}:
        (tmp_path / table).write_text("")
    done = training(tmp_path / "run", "prepare", "--data", str(tmp_path))
    assert done.returncode == 1
    assert f"{missing} is missing" in done.stderr


def test_an_image_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "slices.csv").write_text("image,patient,slice,liver_pixels,review\na.png,1,1,500,none_seen\n")
    (tmp_path / "lesions.csv").write_text("image,x_min,y_min,x_max,y_max\n")
    done = training(tmp_path / "run", "prepare", "--data", str(tmp_path))
    assert done.returncode == 1
    assert "a.png" in done.stderr
