"""The second head of a student: it learns the teacher's feature maps, and the export leaves it out."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers

TAUGHT = "taught"


def with_taught_maps(model: keras.Model, cells: int, components: int) -> keras.Model:
    """`model` with a third output `taught`: the teacher's maps by a linear layer on the features of its last layer.

    The result shares the layers of `model`: training it trains `model`.
    cells, components: of the teacher's maps, (n, cells, cells, components). Those of the network are averaged to
    `cells` where they are finer.
    """
    features = model.get_layer("findings").input
    step = max(1, features.shape[1] // cells)
    if step > 1:
        features = layers.AveragePooling2D(step)(features)
    taught = layers.Conv2D(components, 1, dtype="float32", name=TAUGHT)(features)
    return keras.Model(model.input, model.output | {TAUGHT: taught}, name=model.name)


def taught_map_loss(target: tf.Tensor, taught: tf.Tensor) -> tf.Tensor:
    """(n,) mean squared difference from the teacher's maps over the liver.

    target: (n, cells, cells, components + 1), the last channel the share of a cell that is liver.
    """
    maps, share = target[..., :-1], target[..., -1]
    difference = tf.reduce_mean(tf.square(maps - taught), axis=-1)
    return tf.reduce_sum(share * difference, axis=(1, 2)) / tf.maximum(tf.reduce_sum(share, axis=(1, 2)), 1.0)
