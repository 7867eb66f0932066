"""Batches of prepared images, their labels, and the targets of each cell of the activation map."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from PIL import Image

from training.classifier import augmentation
from training.configuration import ClassifierConfiguration
from training.prepared.dataset import CLASS_LABELS, NO_TUMOUR_INDEX, Example, image_paths


def training_batches(
    examples: list[Example], data: Path, settings: ClassifierConfiguration, seed: int, labels: int, cells: int
) -> tf.data.Dataset:
    """Batches for training: augmented, reshuffled every epoch, balanced as configured.

    labels: number of labels of the network.  cells: side of its activation map, in cells.
    """
    geometry = augmentation.combined_geometry(settings, seed)
    intensity = augmentation.intensity_layers(settings, seed).values()

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
    """Batches for validation: neither augmented nor balanced."""
    dataset = _sources(examples, data).map(_read, num_parallel_calls=2).batch(settings.batch_size)
    return dataset.map(_targets(_side(examples, data), labels, cells, [1.0] * labels)).prefetch(2)


def _side(examples: list[Example], data: Path) -> int:
    with Image.open(data / examples[0].part / "images" / f"{examples[0].name}.png") as image:
        return image.width


def _sources(examples: list[Example], data: Path) -> tf.data.Dataset:
    images = [str(path) for path in image_paths(data, examples)]
    lesions = [str(data / example.part / "lesions" / f"{example.name}.png") for example in examples]
    labels, located = zip(*((example.label, float(example.located)) for example in examples), strict=True)
    return tf.data.Dataset.from_tensor_slices((images, lesions, list(labels), list(located)))


def _read(
    image: tf.Tensor, lesions: tf.Tensor, label: tf.Tensor, located: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The image with the lesion mask as a second channel: 255 inside lesions."""
    channels = [tf.io.decode_png(tf.io.read_file(path), channels=1) for path in (image, lesions)]
    return tf.concat(channels, axis=-1), label, located


def _targets(side: int, labels: int, cells: int, weights: list[float]) -> object:
    def split(
        image: tf.Tensor, label: tf.Tensor, located: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Removes the lesion channel and pools it to the cells of the activation map.

        The weight of the map is 0 for an image whose lesions are not located.
        """
        image.set_shape((None, side, side, 2))
        step = side // cells
        lesion = tf.nn.max_pool2d(tf.cast(image[..., 1:], tf.float32) / 255, step, step, "VALID")
        lesion_target = tf.one_hot(label, len(CLASS_LABELS))[:, None, None, :]
        background_target = tf.one_hot(NO_TUMOUR_INDEX, len(CLASS_LABELS))
        activation = lesion * lesion_target + (1 - lesion) * background_target
        targets = {"logits": tf.one_hot(label, labels), "activation": activation}
        weight = tf.gather(tf.constant(weights), label)
        return image[..., :1], targets, {"logits": weight, "activation": weight * located}

    return split


def _repeated(examples: list[Example]) -> list[Example]:
    """The examples with every label repeated to the count of the most frequent one."""
    by_label = [[item for item in examples if item.label == label] for label in range(len(CLASS_LABELS))]
    most = max(len(group) for group in by_label)
    return [group[index % len(group)] for group in by_label if group for index in range(most)]


def _class_weights(examples: list[Example], labels: int) -> list[float]:
    """Weights inverse to the label frequency, 1 on average over the images (`balanced` in scikit-learn)."""
    counts = [sum(item.label == label for item in examples) for label in range(labels)]
    return [len(examples) / (labels * max(1, count)) for count in counts]
