"""Training the segmenter: every epoch is a checkpoint, and a stopped run resumes at the last full epoch."""

from __future__ import annotations

from pathlib import Path

import keras
import tensorflow as tf

from training.classifier.fit import RemainingTime
from training.configuration import Configuration, SegmenterConfiguration
from training.segmenter.batches import TrainingBatches, fixed_batches
from training.segmenter.network import build_segmenter

BEST_WEIGHTS = "best.weights.h5"
LAST_WEIGHTS = "last.weights.h5"
EPOCHS = "epochs.csv"
MONITORED = "val_loss"
_SMOOTH = 50.0


def train_segmenter(configuration: Configuration, data: Path, out: Path) -> Path:
    """Trains on `data`, a folder of `prepare_segmentation`; returns the weights after the last epoch.

    `out` holds the weights of the last epoch and of the best one, the checkpoint to resume from, and epochs.csv.
    """
    settings = segmenter_settings(configuration)
    before = keras.mixed_precision.global_policy()
    if settings.mixed_precision:
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        return _train(settings, configuration, data, out)
    finally:
        keras.mixed_precision.set_global_policy(before)


def segmenter_settings(configuration: Configuration) -> SegmenterConfiguration:
    """Raises ValueError for a configuration without a segmenter."""
    if configuration.segmenter is None:
        raise ValueError("this configuration has no [segmenter]")
    return configuration.segmenter


def segmentation_loss(settings: SegmenterConfiguration) -> keras.losses.Loss:
    """Cross-entropy of liver and lesion plus one minus their soft Dice over the batch (Milletari et al., 3DV 2016).

    target: (n, h, w, 3) liver, lesion, and the weight of the lesion's pixel.  logits: (n, h, w, 2).
    """

    def loss(target: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        truth, counts = target[..., :2], target[..., 2]
        weights = tf.stack([tf.ones_like(counts), counts], axis=-1)
        entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=truth, logits=logits)
        heavier = 1 + (settings.lesion_weight - 1) * truth * tf.constant([0.0, 1.0])
        entropy = tf.reduce_mean(entropy * weights * heavier, axis=(0, 1, 2))
        said, true = tf.sigmoid(logits) * weights, truth * weights
        overlap = 2 * tf.reduce_sum(said * true, axis=(0, 1, 2)) + _SMOOTH
        dice = overlap / (tf.reduce_sum(said + true, axis=(0, 1, 2)) + _SMOOTH)
        return tf.reduce_sum(tf.constant([1.0, 3.0]) * entropy) + tf.reduce_sum(1 - dice)

    return loss


def _train(settings: SegmenterConfiguration, configuration: Configuration, data: Path, out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(configuration.data.seed)
    model = build_segmenter(settings, configuration.data.input_size_px)
    batches = TrainingBatches(data, settings, configuration.data)
    grey, target, _ = fixed_batches(data, "validation", settings.batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(
        settings.learning_rate / 20,
        settings.epochs * len(batches),
        alpha=0.01,
        warmup_target=settings.learning_rate,
        warmup_steps=len(batches),
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay, clipnorm=1.0),
        loss=segmentation_loss(settings),
        metrics=[PixelDice("liver", 0), PixelDice("lesion", 1)],
    )
    model.fit(
        batches,
        epochs=settings.epochs,
        validation_data=(grey, target),
        validation_batch_size=settings.batch_size,
        verbose=2,
        callbacks=_callbacks(out, batches, settings.epochs),
    )
    return out / LAST_WEIGHTS


def _callbacks(out: Path, batches: TrainingBatches, epochs: int) -> list[keras.callbacks.Callback]:
    return [
        EpochOf(batches),
        keras.callbacks.ModelCheckpoint(out / LAST_WEIGHTS, save_weights_only=True),
        keras.callbacks.CSVLogger(out / EPOCHS, append=True),
        keras.callbacks.BackupAndRestore(out / "backup", delete_checkpoint=False),
        RemainingTime(epochs),
    ]


class EpochOf(keras.callbacks.Callback):
    """Tells the batches which epoch they are of, after an interruption too."""

    def __init__(self, batches: TrainingBatches) -> None:
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        self._batches.epoch = epoch


class PixelDice(keras.metrics.Metric):
    """Dice of one class over all pixels that count, at a probability of one half."""

    def __init__(self, name: str, index: int) -> None:
        super().__init__(name=f"{name}_dice")
        self._index = index
        self._both = self.add_weight(name="both", initializer="zeros")
        self._either = self.add_weight(name="either", initializer="zeros")

    def update_state(self, target: tf.Tensor, logits: tf.Tensor, sample_weight: tf.Tensor | None = None) -> None:  # noqa: ARG002
        truth, said = target[..., self._index], tf.cast(logits[..., self._index] > 0, tf.float32)
        counts = target[..., 2] if self._index else tf.ones_like(truth)
        self._both.assign_add(2 * tf.reduce_sum(truth * said * counts))
        self._either.assign_add(tf.reduce_sum((truth + said) * counts))

    def result(self) -> tf.Tensor:
        return self._both / tf.maximum(self._either, 1.0)
