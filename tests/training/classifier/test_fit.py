"""Training a classifier: interruption, early stopping, mixed precision, pretrained backbones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision  # noqa: F401  must be imported before TensorFlow: the other order crashes
from PIL import Image

from training.configuration import ClassifierArchitecture, Configuration, load_configuration
from training.prepared.epochs import EpochImages

SIDE = 128


def test_an_interrupted_classifier_is_resumed(prepared: Path, tmp_path: Path) -> None:
    """Interrupted in the second epoch: each epoch is recorded once, and the best weights are kept."""
    from training.classifier import fit

    smoke, out = load_configuration("smoke"), tmp_path / "run"

    def stop(_: object, epoch: int, logs: object = None) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit.RemainingTime, "on_epoch_begin", stop)
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


def test_a_classifier_sees_the_images_of_each_epoch(prepared: Path, tmp_path: Path) -> None:
    """Each epoch has images of one grey level here; an interrupted training goes on with those of its epoch."""
    import tensorflow as tf

    from training.classifier import fit
    from training.classifier.inputs import training_batches

    smoke, original = load_configuration("smoke"), EpochImages.draw
    changes: dict[str, object] = dict.fromkeys(("translation", "zoom", "shear", "brightness", "contrast"), 0.0)
    changes |= {"rotation_turns": 0.0, "teacher": None, "synthesis": "each_epoch"}
    plain = smoke.model_copy(update={"classifier": smoke.classifier.model_copy(update=changes)})
    drawn: list[int] = []
    seen: list[tuple[int, ...]] = []

    def draw(images: EpochImages, epoch: int) -> None:
        original(images, epoch)
        for file in (images.folder / "train" / "images").iterdir():
            Image.new("L", (SIDE, SIDE), 40 + epoch).save(file)
        drawn.append(epoch)

    def batches(*arguments: Any) -> tf.data.Dataset:  # noqa: ANN401
        def record(image: np.ndarray) -> np.ndarray:
            seen.append((drawn[-1], *np.unique(image)))
            return image

        def recorded(image: tf.Tensor, *targets: object) -> tuple[object, ...]:
            return tf.ensure_shape(tf.numpy_function(record, [image], tf.float32), image.shape), *targets

        return training_batches(*arguments).map(recorded)

    def stop(_: object, epoch: int, logs: object = None) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "training_batches", batches)
        patch.setattr(EpochImages, "draw", draw)
        with pytest.MonkeyPatch.context() as interruption:
            interruption.setattr(fit.RemainingTime, "on_epoch_begin", stop)
            with pytest.raises(KeyboardInterrupt):
                fit.train_classifier("resnet", plain, prepared / "data", tmp_path / "run")
        assert drawn == [0, 0]
        fit.train_classifier("resnet", plain, prepared / "data", tmp_path / "run")
    assert drawn == [0, 0, 0, 1]
    assert {epoch for epoch, *_ in seen} == {0, 1}
    assert all(tuple(grey) == (40 + epoch,) for epoch, *grey in seen)


def test_a_network_trained_with_mixed_precision_computes_in_float32(prepared: Path, tmp_path: Path) -> None:
    import keras

    from training.classifier.fit import new_classifier, train_classifier

    smoke = load_configuration("smoke")
    changes = {"mixed_precision": True, "epochs": 1}
    mixed = smoke.model_copy(update={"classifier": smoke.classifier.model_copy(update=changes)})
    best = train_classifier("unet", mixed, prepared / "data", tmp_path / "run")
    assert keras.mixed_precision.global_policy().name == "float32", "the global policy is restored"
    model = new_classifier("unet", mixed, 3)
    model.load_weights(best)
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert model.layers[3].compute_dtype == "float32"


def test_training_stops_early_without_improvement(tmp_path: Path) -> None:
    from training.classifier.fit import EPOCHS, MONITORED, EarlyStopping

    class Model:
        stop_training = False

    for losses, stopped in (([0.5, 0.6, 0.7], True), ([0.7, 0.6, 0.65], False), ([0.5], False)):
        (tmp_path / EPOCHS).write_text("\n".join([f"epoch,{MONITORED}", *(f"{i},{x}" for i, x in enumerate(losses))]))
        callback = EarlyStopping(tmp_path, patience=2)
        model = Model()
        callback.set_model(model)
        callback.on_epoch_end(len(losses) - 1)
        assert model.stop_training is stopped


def test_a_pretrained_backbone_is_first_frozen_and_then_fine_tuned(prepared: Path, tmp_path: Path) -> None:
    """The weights come from a local file, as without internet access."""
    import keras

    from training.classifier.architectures import BACKBONE
    from training.classifier.fit import BEST_WEIGHTS, new_classifier, train_classifier

    local = tmp_path / "backbone.weights.h5"
    donor = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
    donor.save_weights(local)
    smoke = load_configuration("smoke")
    architecture = ClassifierArchitecture(backbone="ResNet50", weights=str(local))

    def configured(frozen: int) -> Configuration:
        changes = {"networks": {"densenet": architecture}, "epochs": 1, "frozen_epochs": frozen, "batch_size": 16}
        return smoke.model_copy(update={"classifier": smoke.classifier.model_copy(update=changes)})

    def kernels(configuration: Configuration, out: Path) -> np.ndarray:
        train_classifier("densenet", configuration, prepared / "data", out)
        model = new_classifier("densenet", configuration, 3)
        model.load_weights(out / BEST_WEIGHTS)
        return np.asarray(model.get_layer(BACKBONE).get_layer("conv1_conv").kernel)

    pretrained = np.asarray(donor.get_layer("conv1_conv").kernel)
    assert kernels(configured(1), tmp_path / "frozen") == pytest.approx(pretrained, abs=0)
    assert np.abs(kernels(configured(0), tmp_path / "free") - pretrained).max() > 0
