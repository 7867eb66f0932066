"""What a training image may look like: Keras layers, one a line of the configuration.

All in float32, whatever the network computes in: bfloat16 can count to 256 and no further.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from training.configuration import ClassifierConfiguration

GREY_RANGE = (0, 255)


class RandomAffine(layers.Layer):
    """Rotation, translation, zoom and shear, drawn for each image and made in one bilinear resampling.

    A layer for each would resample four times: four times the work, and the fine texture gone that tells tumours
    apart. What moves in from outside is 0. Images (n, h, w, c); the shares are of the side, the rotation is in turns.
    """

    def __init__(self, rotation_turns: float, translation: float, zoom: float, shear: float, seed: int) -> None:
        super().__init__(dtype="float32")
        self._reaches = tf.constant([2 * np.pi * rotation_turns, translation, translation, zoom, zoom, shear, shear])
        self._seed = seed

    def call(self, images: tf.Tensor) -> tf.Tensor:
        drawn = tf.random.uniform((tf.shape(images)[0], 7), -1, 1, seed=self._seed) * self._reaches
        angle, right, down, wider, taller, shear_x, shear_y = tf.unstack(drawn, axis=1)
        cosine, sine = tf.cos(angle), tf.sin(angle)
        # Where an output pixel comes from, about the image's centre: rotated, then sheared, then scaled.
        xx, xy = (1 + wider) * (cosine + shear_x * sine), (1 + wider) * (shear_x * cosine - sine)
        yx, yy = (1 + taller) * (sine + shear_y * cosine), (1 + taller) * (cosine - shear_y * sine)
        height, width = (tf.cast(side, tf.float32) for side in (tf.shape(images)[1], tf.shape(images)[2]))
        x, y = (width - 1) / 2, (height - 1) / 2
        nothing = tf.zeros_like(angle)
        transform = tf.stack(
            [
                xx,
                xy,
                x - xx * x - xy * y + right * width,
                yx,
                yy,
                y - yx * x - yy * y + down * height,
                nothing,
                nothing,
            ],
            axis=1,
        )
        return keras.ops.image.affine_transform(images, transform, interpolation="bilinear", fill_mode="constant")


class RandomNoise(layers.Layer):
    """Gaussian noise of grey levels 0..255; its standard deviation is drawn for each image, from 0 to `largest`."""

    def __init__(self, largest: float, seed: int) -> None:
        super().__init__(dtype="float32")
        self._largest, self._seed = largest, seed

    def call(self, images: tf.Tensor) -> tf.Tensor:
        deviation = tf.random.uniform((tf.shape(images)[0], 1, 1, 1), 0, self._largest, seed=self._seed)
        return images + deviation * tf.random.normal(tf.shape(images), seed=self._seed + 1)


def geometry(settings: ClassifierConfiguration, seed: int) -> dict[str, layers.Layer]:
    """Changes that move the lesions with the image, each alone, by its line's name; those set to 0 are left out."""
    lines = ("rotation_turns", "translation", "zoom", "shear")
    found: dict[str, layers.Layer] = {}
    if settings.horizontal_flip:
        found["horizontal_flip"] = _flip(seed)
    for line in lines:
        reaches = {other: getattr(settings, other) if other == line else 0.0 for other in lines}
        if reaches[line]:
            found[line] = RandomAffine(**reaches, seed=seed)
    return found


def all_geometry(settings: ClassifierConfiguration, seed: int) -> list[layers.Layer]:
    """All of them, for training."""
    affine = RandomAffine(settings.rotation_turns, settings.translation, settings.zoom, settings.shear, seed)
    return [_flip(seed), affine] if settings.horizontal_flip else [affine]


def _flip(seed: int) -> layers.Layer:
    return layers.RandomFlip("horizontal", seed=seed + 6, dtype="float32")


def intensity(settings: ClassifierConfiguration, seed: int) -> dict[str, layers.Layer]:
    """Changes of the grey levels alone, as another window or another dose would make them."""
    found: dict[str, layers.Layer] = {}
    if settings.contrast:
        found["contrast"] = layers.RandomContrast(
            settings.contrast, value_range=GREY_RANGE, seed=seed + 4, dtype="float32"
        )
    if settings.brightness:
        found["brightness"] = layers.RandomBrightness(
            settings.brightness, value_range=GREY_RANGE, seed=seed + 5, dtype="float32"
        )
    if settings.noise:
        found["noise"] = RandomNoise(255 * settings.noise, seed + 7)
    return found
