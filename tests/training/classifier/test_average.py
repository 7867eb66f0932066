"""The mean of a served classifier and of a training that went on from it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torchvision  # noqa: F401  must be imported before TensorFlow: the other order crashes
from PIL import Image

from tests.training.support import run_training
from training.configuration import load_configuration

REPOSITORY = Path(__file__).parents[3]
GRAPH = REPOSITORY / "triton_models" / "classify_resnet" / "1" / "model.onnx"
CARD = GRAPH.parents[1] / "card.json"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished training with weights that are all one tenth, and the data of the mean."""
    from training.classifier.fit import BEST_WEIGHTS, new_classifier

    folder = tmp_path / "run" / "classify_resnet"
    folder.mkdir(parents=True)
    network = new_classifier("resnet", load_configuration("compact"), 3)
    network.set_weights([np.full_like(values, 0.1) for values in network.get_weights()])
    network.save_weights(folder / BEST_WEIGHTS)
    (folder / "finished").touch()
    (folder / "minutes.txt").write_text("2.50")
    (folder / "origin.txt").write_text("Started from a network. Also learnt from a teacher")
    images = tmp_path / "mean" / "data" / "train" / "images"
    images.mkdir(parents=True)
    lines = []
    for label, sample in enumerate(sorted((REPOSITORY / "samples").glob("*.png"))):  # by the names of the labels
        Image.open(sample).convert("L").resize((256, 256)).save(images / sample.name)
        lines.append(json.dumps({"part": "train", "name": sample.stem, "patient": "1", "label": label, "boxes": []}))
    (tmp_path / "mean" / "data" / "manifest.jsonl").write_text("\n".join(lines))
    return tmp_path


def average(folder: Path, *sources: Path) -> tuple[int, str]:
    of = [word for source in sources for word in ("--of", str(source))]
    done = run_training(folder, "average", "classify_resnet", *of, configuration="compact")
    return done.returncode, done.stderr


def test_the_weights_are_the_mean_and_their_origin_is_recorded(run: Path) -> None:
    from training.classifier.fit import BEST_WEIGHTS, new_classifier
    from training.classifier.shipped_weights import load_shipped_weights, training_images

    code, errors = average(run / "mean", GRAPH, run / "run", run / "run")
    assert code == 0, errors
    network = new_classifier("resnet", load_configuration("compact"), 3)
    load_shipped_weights(network, GRAPH, training_images(run / "mean" / "data"))
    expected = [(values + 0.2) / 3 for values in network.get_weights()]
    written = run / "mean" / "classify_resnet"
    network.load_weights(written / BEST_WEIGHTS)
    for values, mean in zip(network.get_weights(), expected, strict=True):
        np.testing.assert_allclose(values, mean, rtol=1e-4, atol=1e-6)
    assert (written / "origin.txt").read_text() == (
        "The weights are the mean of those of 3 trainings that share their start. Started from a network. "
        "Also learnt from a teacher"
    )
    minutes = json.loads(CARD.read_text())["training_minutes"] + 2 * 2.5
    assert float((written / "minutes.txt").read_text()) == pytest.approx(minutes, abs=0.01)


def test_a_source_that_cannot_be_read_is_named_and_nothing_is_written(run: Path) -> None:
    from training.classifier.fit import BEST_WEIGHTS, new_classifier

    other = GRAPH.parents[2] / "classify_unet" / "1" / "model.onnx"
    alone = run / "alone" / "1" / "model.onnx"
    alone.parent.mkdir(parents=True)
    alone.write_bytes(GRAPH.read_bytes())
    smaller = run / "smaller" / "classify_resnet"
    shutil.copytree(run / "run" / "classify_resnet", smaller)
    new_classifier("resnet", load_configuration("smoke"), 3).save_weights(smaller / BEST_WEIGHTS)
    for source, message in (
        (other, "has other layers"),
        (alone, "has no card"),
        (smaller.parent, "weights of another shape"),
        (run / "nothing", "holds no finished training"),
    ):
        code, errors = average(run / "mean", run / "run", source)
        assert code == 1
        assert message in errors
        assert not (run / "mean" / "classify_resnet").exists()


def test_a_network_that_has_no_mean_is_refused(run: Path) -> None:
    done = run_training(run / "mean", "average", "detect_yolov5", "--of", str(run / "run"), "--of", str(run / "run"))
    assert done.returncode == 2
    assert "unknown classifier 'detect_yolov5'" in done.stderr
