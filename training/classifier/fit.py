"""Trains a classifier. Every epoch is a checkpoint, and an interrupted run is resumed."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import keras
import tensorflow as tf

from training.classifier.architectures import BACKBONE, build_classifier
from training.classifier.distillation import TAUGHT, taught_map_loss, with_taught_maps
from training.classifier.inputs import training_batches, validation_batches
from training.classifier.shipped_weights import load_shipped_weights, training_images
from training.configuration import ClassifierName, Configuration
from training.prepared.dataset import CLASS_LABELS, NO_TUMOUR_INDEX, read_manifest, training_labels
from training.prepared.epochs import EpochImages, epoch_images
from training.teacher.lessons import Lessons

BEST_WEIGHTS = "best.weights.h5"
EPOCHS = "epochs.csv"
MONITORED = "val_logits_loss"
LESION_CELL_WEIGHT = 6.0
# The two phases of training: with a frozen backbone, and with all layers trainable.
FROZEN, FREE = "frozen", "free"


def train_classifier(
    name: ClassifierName, configuration: Configuration, data: Path, out: Path, lessons: Lessons | None = None
) -> Path:
    """Trains one of CLASSIFIERS on `data` (a prepared data set); returns the best weights by validation loss.

    lessons: of the configured teacher; without it, the network learns the labels alone.

    Checkpoints are in `out`: after an interruption, the next call resumes at the last complete epoch with the state of
    the optimiser. A pretrained backbone is frozen for the first `frozen_epochs`.
    TensorBoard logs are in `out/tensorboard`, the metrics of every epoch in `out/epochs.csv`.
    """
    previous_policy = keras.mixed_precision.global_policy()
    if configuration.classifier.mixed_precision:
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        return _train(name, configuration, data, out, lessons)
    finally:
        keras.mixed_precision.set_global_policy(previous_policy)


def _train(name: ClassifierName, configuration: Configuration, data: Path, out: Path, lessons: Lessons | None) -> Path:
    settings = configuration.classifier
    best = out / BEST_WEIGHTS
    out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(configuration.data.seed)
    epochs = settings.networks[name].epochs or settings.epochs
    labels = len(training_labels(data))
    network = new_classifier(name, configuration, labels)
    start = settings.networks[name].weights
    if start and settings.networks[name].widths and not (out / EPOCHS).exists():
        load_shipped_weights(network, Path(start), training_images(data))
    cells = network.output["activation"].shape[1]
    images = epoch_images(settings.synthesis, data, out, configuration.data)
    if images:
        images.draw(0)
    shown = images.folder if images else data
    train = read_manifest(shown, "train")
    training = training_batches(train, shown, settings, configuration.data.seed, labels, cells, lessons)
    model = network
    if lessons is not None:
        model = with_taught_maps(network, min(cells, lessons.maps.shape[1]), lessons.maps.shape[-1])
    taught_shape = model.output[TAUGHT].shape[1:] if TAUGHT in model.output else None
    validation = validation_batches(
        read_manifest(data, "validation"), data, settings, labels, cells, taught_shape=taught_shape
    )
    frozen = min(settings.frozen_epochs, epochs) if settings.networks[name].backbone else 0
    for phase, first, last in ((FROZEN, 0, frozen), (FREE, frozen, epochs)):
        if first == last or (out / f"{phase}.finished").exists():
            continue
        fine_tuning = phase == FREE and frozen > 0
        if fine_tuning:
            network.load_weights(best)
        _set_trainable(network, trainable=phase == FREE)
        learning_rate = settings.learning_rate * (settings.fine_tuning if fine_tuning else 1.0)
        _compile(model, configuration, steps=(last - first) * len(training), learning_rate=learning_rate)
        model.fit(
            training,
            initial_epoch=first,
            epochs=last,
            validation_data=validation,
            verbose="auto",
            callbacks=[*_callbacks(network, out, phase, settings.patience, last), NewImages(images)],
        )
        (out / f"{phase}.finished").touch()
    return best


def new_classifier(name: ClassifierName, configuration: Configuration, labels: int) -> keras.Model:
    """The configured network, untrained or with a pretrained backbone."""
    return build_classifier(name, configuration.classifier.networks[name], configuration.data.input_size_px, labels)


def lesion_map_loss(target: tf.Tensor, activation: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of every cell of the activation map, (n, h, w, 3), with the label of that cell.

    Lesions fill a few per cent of a slice, so their cells have LESION_CELL_WEIGHT times the weight.
    """
    weights = tf.where(tf.range(len(CLASS_LABELS)) == NO_TUMOUR_INDEX, 1.0, LESION_CELL_WEIGHT)
    return -tf.reduce_mean(tf.reduce_sum(weights * target * tf.nn.log_softmax(activation), axis=-1), axis=(1, 2))


def _set_trainable(model: keras.Model, *, trainable: bool) -> None:
    for layer in model.layers:
        if layer.name == BACKBONE:
            layer.trainable = trainable


def _compile(model: keras.Model, configuration: Configuration, steps: int, learning_rate: float) -> None:
    settings = configuration.classifier
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / 20, steps, alpha=0.001, warmup_target=learning_rate, warmup_steps=max(1, steps // 20)
    )
    loss = {
        "logits": keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings.label_smoothing),
        "activation": lesion_map_loss,
    }
    weights = dict.fromkeys(loss, 1.0)
    if TAUGHT in model.output and settings.teacher:
        loss[TAUGHT], weights[TAUGHT] = taught_map_loss, settings.teacher.map_weight
    model.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay),
        loss=loss,
        loss_weights=weights,
        metrics={"logits": "accuracy"},
    )


def _callbacks(
    network: keras.Model, out: Path, phase: str, patience: int | None, epochs: int
) -> list[keras.callbacks.Callback]:
    callbacks = [
        BestWeights(
            network,
            out / BEST_WEIGHTS,
            monitor=MONITORED,
            mode="min",
            save_best_only=True,
            save_weights_only=True,
            initial_value_threshold=min(_losses(out), default=None),  # a resumed run must not overwrite better weights
        ),
        keras.callbacks.CSVLogger(out / EPOCHS, append=True),
        keras.callbacks.TensorBoard(out / "tensorboard", write_graph=False),
        keras.callbacks.BackupAndRestore(out / f"backup_{phase}"),
        RemainingTime(epochs),
    ]
    return [*callbacks, EarlyStopping(out, patience)] if patience else callbacks


class NewImages(keras.callbacks.Callback):
    """Draws the training images of each epoch before it begins, if they are others in each."""

    def __init__(self, images: EpochImages | None) -> None:
        super().__init__()
        self._images = images

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        if self._images:
            self._images.draw(epoch)


class BestWeights(keras.callbacks.ModelCheckpoint):
    """Saves `network`, the part of the trained model that is exported."""

    def __init__(self, network: keras.Model, filepath: Path, **options: object) -> None:
        super().__init__(filepath, **options)
        self._network = network

    def set_model(self, model: keras.Model) -> None:  # noqa: ARG002
        super().set_model(self._network)


class EarlyStopping(keras.callbacks.Callback):
    """Early stopping that works across interruptions, because it reads the recorded epochs."""

    def __init__(self, out: Path, patience: int) -> None:
        super().__init__()
        self._out, self._patience = out, patience

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002  Keras' signature
        losses = _losses(self._out)
        if len(losses) - 1 - losses.index(min(losses)) >= self._patience:
            print(f"no improvement for {self._patience} epochs: training stops early")
            self.model.stop_training = True


class RemainingTime(keras.callbacks.Callback):
    """Prints after each epoch how long the remaining epochs will take."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._epochs = epochs
        self._start: tuple[int, float] | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        self._start = self._start or (epoch, time.monotonic())

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        if self._start:
            first, start_s = self._start
            seconds_per_epoch = (time.monotonic() - start_s) / (epoch + 1 - first)
            print(f"about {seconds_per_epoch * (self._epochs - epoch - 1) / 60:.0f} min left")


def _losses(out: Path) -> list[float]:
    """The recorded validation losses, one per epoch."""
    if not (out / EPOCHS).exists():
        return []
    with (out / EPOCHS).open(newline="") as file:
        return [float(row[MONITORED]) for row in csv.DictReader(file)]
