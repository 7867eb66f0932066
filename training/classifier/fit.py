"""Training a classifier: every epoch is a checkpoint, and a stopped run goes on where it was."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from training.classifier.resnet import build_resnet
from training.configuration import ClassifierConfiguration, Configuration
from training.prepare import CLASS_LABELS, NO_TUMOUR, Example, read_manifest

BEST_WEIGHTS = "best.weights.h5"
NO_TUMOUR_INDEX = CLASS_LABELS.index(NO_TUMOUR)
LESION_CELL_WEIGHT = 6.0


def train_classifier(configuration: Configuration, data: Path, out: Path) -> Path:
    """Trains on `data` (a folder made by prepare) and returns the best weights by validation loss.

    Checkpoints lie in `out`: calling it again after an interruption resumes at the last full epoch,
    and after the last one returns at once.
    """
    settings = configuration.classifier
    best = out / BEST_WEIGHTS
    finished = out / "finished"
    if finished.exists():
        return best
    out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(configuration.data.seed)
    train = read_manifest(data, "train")
    validation = read_manifest(data, "validation")
    model = new_classifier(configuration)
    pipeline = _training_pipeline(train, data, settings, configuration.data.seed)
    steps = settings.epochs * len(pipeline)
    model.compile(
        optimizer=keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(
                settings.learning_rate / 20,
                steps,
                alpha=0.001,
                warmup_target=settings.learning_rate,
                warmup_steps=max(1, steps // 20),
            ),
            weight_decay=settings.weight_decay,
        ),
        loss={
            "logits": keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings.label_smoothing),
            "activation": lesion_map_loss,
        },
        metrics={"logits": "accuracy"},
    )
    model.fit(
        pipeline,
        epochs=settings.epochs,
        validation_data=_batches(validation, data, settings),
        verbose="auto",
        callbacks=[
            keras.callbacks.ModelCheckpoint(
                best, monitor="val_logits_loss", mode="min", save_best_only=True, save_weights_only=True
            ),
            keras.callbacks.CSVLogger(out / "epochs.csv", append=True),
            keras.callbacks.BackupAndRestore(out / "backup"),
        ],
    )
    finished.touch()
    return best


def new_classifier(configuration: Configuration) -> keras.Model:
    """The configured network with fresh weights."""
    settings = configuration.classifier
    return build_resnet(configuration.data.input_size_px, len(CLASS_LABELS), settings.widths, settings.blocks_per_stage)


def lesion_map_loss(target: tf.Tensor, activation: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of every cell of the activation map against what lies there.

    Lesions fill a few hundredths of a slice: their cells weigh LESION_CELL_WEIGHT times as much.
    """
    weights = tf.where(tf.range(len(CLASS_LABELS)) == NO_TUMOUR_INDEX, 1.0, LESION_CELL_WEIGHT)
    return -tf.reduce_mean(tf.reduce_sum(weights * target * tf.nn.log_softmax(activation), axis=-1), axis=(1, 2))


def _training_pipeline(
    examples: list[Example], data: Path, settings: ClassifierConfiguration, seed: int
) -> tf.data.Dataset:
    geometry, intensity = _augmentation(settings, seed)

    def augment(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        moved = geometry(tf.cast(image, tf.float32), training=True)
        return tf.concat([intensity(moved[..., :1], training=True), moved[..., 1:]], axis=-1), label

    examples = _balanced(examples)
    dataset = _sources(examples, data).shuffle(len(examples), seed=seed, reshuffle_each_iteration=True)
    dataset = dataset.map(_read, num_parallel_calls=2).batch(settings.batch_size)
    return dataset.map(augment, num_parallel_calls=2).map(_targets).prefetch(2)


def _batches(examples: list[Example], data: Path, settings: ClassifierConfiguration) -> tf.data.Dataset:
    dataset = _sources(examples, data).map(_read, num_parallel_calls=2).batch(settings.batch_size)
    return dataset.map(_targets).prefetch(2)


def _sources(examples: list[Example], data: Path) -> tf.data.Dataset:
    paths = [str(data / example.part / "images" / f"{example.name}.png") for example in examples]
    boxes = [[box[1:] for box in example.boxes] for example in examples]
    most = max(1, *(len(row) for row in boxes))
    padded = np.zeros((len(boxes), most, 4), dtype=np.float32)
    for row, values in zip(padded, boxes, strict=True):
        row[: len(values)] = np.reshape(np.array(values, dtype=np.float32), (-1, 4))
    return tf.data.Dataset.from_tensor_slices((paths, padded, [example.label for example in examples]))


def _read(path: tf.Tensor, boxes: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The image with a second channel beside it: 255 in the ellipses that fill the lesions' boxes."""
    image = tf.io.decode_png(tf.io.read_file(path), channels=1)
    side = tf.shape(image)[0]
    axis = (tf.cast(tf.range(side), tf.float32) + 0.5) / tf.cast(side, tf.float32)
    centre, radius = (boxes[:, :2] + boxes[:, 2:]) / 2, tf.maximum((boxes[:, 2:] - boxes[:, :2]) / 2, 1e-6)
    across = ((axis[None, None, :] - centre[:, 0, None, None]) / radius[:, 0, None, None]) ** 2
    down = ((axis[None, :, None] - centre[:, 1, None, None]) / radius[:, 1, None, None]) ** 2
    lesion = tf.reduce_any(across + down < 1, axis=0)
    return tf.concat([image, tf.cast(lesion, tf.uint8)[..., None] * 255], axis=-1), label


def _targets(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Splits the lesion channel off and pools it to the activation map's cells."""
    one_hot = tf.one_hot(label, len(CLASS_LABELS))
    lesion = tf.nn.max_pool2d(tf.cast(image[..., 1:], tf.float32) / 255, 16, 16, "VALID")
    nothing = tf.one_hot(NO_TUMOUR_INDEX, len(CLASS_LABELS))
    cells = lesion * one_hot[:, None, None, :] + (1 - lesion) * nothing
    return image[..., :1], {"logits": one_hot, "activation": cells}


def _balanced(examples: list[Example]) -> list[Example]:
    """Every class as often as the most frequent one, by repetition."""
    by_label = [[item for item in examples if item.label == label] for label in range(len(CLASS_LABELS))]
    most = max(len(group) for group in by_label)
    return [group[index % len(group)] for group in by_label if group for index in range(most)]


def _augmentation(settings: ClassifierConfiguration, seed: int) -> tuple[keras.Sequential, keras.Sequential]:
    """Flip, shear, zoom, rotation and shift of image and lesions; brightness and contrast as a window does."""
    geometry: list[layers.Layer] = [
        layers.RandomRotation(settings.rotation_turns, fill_mode="constant", seed=seed),
        layers.RandomTranslation(settings.translation, settings.translation, fill_mode="constant", seed=seed + 1),
        layers.RandomZoom((-settings.zoom, settings.zoom), fill_mode="constant", seed=seed + 2),
        layers.RandomShear(settings.shear, settings.shear, fill_mode="constant", seed=seed + 3),
    ]
    if settings.horizontal_flip:
        geometry.insert(0, layers.RandomFlip("horizontal", seed=seed + 6))
    intensity = [
        layers.RandomContrast(settings.contrast, value_range=(0, 255), seed=seed + 4),
        layers.RandomBrightness(settings.brightness, value_range=(0, 255), seed=seed + 5),
    ]
    return keras.Sequential(geometry), keras.Sequential(intensity)
