"""From prepared images to batches: the image, its label, and what lies in each cell of the activation map."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from PIL import Image

from training.classifier import augmentation
from training.configuration import ClassifierConfiguration
from training.prepare import CLASS_LABELS, NO_TUMOUR, Example

NO_TUMOUR_INDEX = CLASS_LABELS.index(NO_TUMOUR)


def training_batches(
    examples: list[Example], data: Path, settings: ClassifierConfiguration, seed: int, labels: int, cells: int
) -> tf.data.Dataset:
    """Augmented, shuffled anew every epoch, balanced as the configuration says.

    labels: how many the network tells apart.  cells: of a side of its activation map.
    """
    geometry = augmentation.all_geometry(settings, seed)
    intensity = augmentation.intensity(settings, seed).values()

    def augment(image: tf.Tensor, label: tf.Tensor, located: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        image = tf.cast(image, tf.float32)
        for layer in geometry:
            image = layer(image, training=True)
        grey = image[..., :1]
        for layer in intensity:
            grey = layer(grey, training=True)
        return tf.concat([tf.clip_by_value(grey, 0, 255), image[..., 1:]], axis=-1), label, located

    if settings.balance == "repeat":
        examples = _repeated(examples)
    weights = _class_weights(examples, labels) if settings.balance == "class_weights" else [1.0] * labels
    dataset = _sources(examples, data).shuffle(len(examples), seed=seed, reshuffle_each_iteration=True)
    dataset = dataset.map(_read, num_parallel_calls=2).batch(settings.batch_size).map(augment, num_parallel_calls=2)
    return dataset.map(_targets(_side(examples, data), labels, cells, weights)).prefetch(2)


def validation_batches(
    examples: list[Example], data: Path, settings: ClassifierConfiguration, labels: int, cells: int
) -> tf.data.Dataset:
    dataset = _sources(examples, data).map(_read, num_parallel_calls=2).batch(settings.batch_size)
    return dataset.map(_targets(_side(examples, data), labels, cells, [1.0] * labels)).prefetch(2)


def _side(examples: list[Example], data: Path) -> int:
    with Image.open(data / examples[0].part / "images" / f"{examples[0].name}.png") as image:
        return image.width


def _sources(examples: list[Example], data: Path) -> tf.data.Dataset:
    images = [str(data / example.part / "images" / f"{example.name}.png") for example in examples]
    lesions = [str(data / example.part / "lesions" / f"{example.name}.png") for example in examples]
    labels, located = zip(*((example.label, float(example.located)) for example in examples), strict=True)
    return tf.data.Dataset.from_tensor_slices((images, lesions, list(labels), list(located)))


def _read(
    image: tf.Tensor, lesions: tf.Tensor, label: tf.Tensor, located: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The image with a second channel beside it: 255 in the lesions."""
    channels = [tf.io.decode_png(tf.io.read_file(path), channels=1) for path in (image, lesions)]
    return tf.concat(channels, axis=-1), label, located


def _targets(side: int, labels: int, cells: int, weights: list[float]) -> object:
    def split(
        image: tf.Tensor, label: tf.Tensor, located: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Splits the lesion channel off and pools it to the activation map's cells.

        The map learns nothing from an image whose lesions nobody located.
        """
        image.set_shape((None, side, side, 2))
        step = side // cells
        lesion = tf.nn.max_pool2d(tf.cast(image[..., 1:], tf.float32) / 255, step, step, "VALID")
        kind = tf.one_hot(label, len(CLASS_LABELS))[:, None, None, :]
        nothing = tf.one_hot(NO_TUMOUR_INDEX, len(CLASS_LABELS))
        targets = {"logits": tf.one_hot(label, labels), "activation": lesion * kind + (1 - lesion) * nothing}
        weight = tf.gather(tf.constant(weights), label)
        return image[..., :1], targets, {"logits": weight, "activation": weight * located}

    return split


def _repeated(examples: list[Example]) -> list[Example]:
    """Every label as often as the most frequent one."""
    by_label = [[item for item in examples if item.label == label] for label in range(len(CLASS_LABELS))]
    most = max(len(group) for group in by_label)
    return [group[index % len(group)] for group in by_label if group for index in range(most)]


def _class_weights(examples: list[Example], labels: int) -> list[float]:
    """Inverse to a label's frequency, 1 on average over the images (scikit-learn's `balanced`)."""
    counts = [sum(item.label == label for item in examples) for label in range(labels)]
    return [len(examples) / (labels * max(1, count)) for count in counts]
