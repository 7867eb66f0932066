"""The whole chain on a handful of phantoms: prepare, train, go on, export, evaluate, in the environment of training."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from hepar.contracts.cards import ModelCard
from training.configuration import load_configuration
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
    session = onnxruntime.InferenceSession(str(model / "1" / "model.onnx"), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": images}), strict=True))


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
    if card.task == "classification":
        assert card.labels == CLASS_LABELS
        assert outputs["logits"].shape == (3, 3)
        assert outputs["activation"].shape[:2] == (3, 3)
        assert outputs["activation"].ndim == 4
    else:
        assert outputs["boxes"].shape == (3, 100, 4)
        assert outputs["scores"].shape == outputs["labels"].shape == (3, 100)
        assert outputs["labels"].dtype == np.int32
    for configuration in (exported / "config.pbtxt", exported / "configs" / "gpu.pbtxt"):
        text = configuration.read_text()
        assert f'name: "{card.name}"' in text
        assert 'backend: "onnxruntime"' in text
        for name, value in outputs.items():
            dims = ", ".join(map(str, value.shape[1:]))
            assert f'name: "{name}"' in text
            assert f"dims: [ {dims} ]" in text


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
    """Two epochs in one go and one epoch twice end with the same number of epochs on record."""
    from training.classifier.fit import train_classifier

    whole = load_configuration("smoke")
    short = whole.model_copy(update={"classifier": whole.classifier.model_copy(update={"epochs": 1})})
    out = tmp_path / "run"
    train_classifier(short, prepared / "data", out)
    (out / "finished").unlink()
    train_classifier(whole, prepared / "data", out)
    rows = (out / "epochs.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows][-1] == "1"
    assert (out / "finished").exists()


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
