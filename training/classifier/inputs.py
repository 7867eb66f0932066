"""Batches of prepared images, their labels, and the targets of each cell of the activation map."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from training.classifier import augmentation
from training.classifier.distillation import TAUGHT
from training.classifier.targets import Targets, label_targets, taught_targets
from training.configuration import ClassifierConfiguration
from training.prepared.dataset import CLASS_LABELS, NO_TUMOUR_INDEX, Example, image_paths
from training.teacher.lessons import Lessons

Item = dict[str, tf.Tensor]


def training_batches(
    examples: list[Example],
    data: Path,
    settings: ClassifierConfiguration,
    seed: int,
    labels: int,
    cells: int,
    lessons: Lessons | None = None,
) -> tf.data.Dataset:
    """Batches for training: augmented, reshuffled every epoch, balanced as configured.

    labels: number of labels of the network.  cells: side of its activation map, in cells.
    lessons: of the teacher; without it, the labels alone are learnt.
    """
    geometry = augmentation.combined_geometry(settings, seed)
    intensity = augmentation.intensity_layers(settings, seed).values()

    def augment(item: Item) -> Item:
        image = tf.cast(item["image"], tf.float32)
        drawn = geometry.draw(tf.shape(image)[0])
        image = geometry.apply_drawn(image, drawn)
        grey = image[..., :1]
        for layer in intensity:
            grey = layer(grey, training=True)
        image = tf.concat([tf.clip_by_value(grey, 0, 255), image[..., 1:]], axis=-1)
        maps = geometry.apply_drawn(item["maps"], drawn) if lessons else item["maps"]
        return item | {"image": image, "maps": maps}

    if settings.balance == "repeat":
        examples = _repeated(examples)
    weights = _class_weights(examples, labels) if settings.balance == "class_weights" else [1.0] * labels
    targets = label_targets(examples, labels)
    if lessons and settings.teacher:
        targets = taught_targets(examples, labels, cells, settings.teacher, lessons)
    dataset = _sources(examples, data, targets).shuffle(len(examples), seed=seed, reshuffle_each_iteration=True)
    dataset = dataset.map(_read, num_parallel_calls=2).batch(settings.batch_size).map(augment, num_parallel_calls=2)
    return dataset.map(_targets(_side(examples, data), cells, weights, taught=lessons is not None)).prefetch(2)


def validation_batches(
    examples: list[Example],
    data: Path,
    settings: ClassifierConfiguration,
    labels: int,
    cells: int,
    taught_shape: tuple[int, ...] | None = None,
) -> tf.data.Dataset:
    """Batches for validation: neither augmented nor balanced, and with the labels alone.

    taught_shape: of the output for the teacher's maps; its targets have no liver, so that they count nothing.
    """
    targets = label_targets(examples, labels)
    if taught_shape is not None:
        height, width, components = taught_shape
        targets = replace(targets, maps=np.zeros((len(examples), height, width, components + 1), dtype=np.float32))
    dataset = _sources(examples, data, targets).map(_read, num_parallel_calls=2).batch(settings.batch_size)
    split = _targets(_side(examples, data), cells, [1.0] * labels, taught=taught_shape is not None)
    return dataset.map(split).prefetch(2)


def _side(examples: list[Example], data: Path) -> int:
    with Image.open(data / examples[0].part / "images" / f"{examples[0].name}.png") as image:
        return image.width


def _sources(examples: list[Example], data: Path, targets: Targets) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(
        {
            "image_path": [str(path) for path in image_paths(data, examples)],
            "lesion_path": [str(data / example.part / "lesions" / f"{example.name}.png") for example in examples],
            "label": [example.label for example in examples],
            "located": [float(example.located) for example in examples],
            "logits": targets.logits,
            "lesion": targets.lesions,
            "maps": targets.maps,
        }
    )


def _read(item: Item) -> Item:
    """With the image, which has the lesion mask as a second channel: 255 inside lesions."""
    paths = (item["image_path"], item["lesion_path"])
    channels = [tf.io.decode_png(tf.io.read_file(path), channels=1) for path in paths]
    return item | {"image": tf.concat(channels, axis=-1)}


def _targets(side: int, cells: int, weights: list[float], *, taught: bool = False) -> object:
    def split(item: Item) -> tuple[tf.Tensor, Item, Item]:
        """Removes the lesion channel and pools it to the cells of the activation map.

        The weight of the map is 0 for an image whose lesions are not located.
        """
        image = item["image"]
        image.set_shape((None, side, side, 2))
        step = side // cells
        lesion = tf.nn.max_pool2d(tf.cast(image[..., 1:], tf.float32) / 255, step, step, "VALID")
        background_target = tf.one_hot(NO_TUMOUR_INDEX, len(CLASS_LABELS))
        activation = lesion * item["lesion"][:, None, None, :] + (1 - lesion) * background_target
        targets = {"logits": item["logits"], "activation": activation}
        weight = tf.gather(tf.constant(weights), item["label"])
        sample_weights = {"logits": weight, "activation": weight * item["located"]}
        if taught:
            targets[TAUGHT], sample_weights[TAUGHT] = item["maps"], weight
        return image[..., :1], targets, sample_weights

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
