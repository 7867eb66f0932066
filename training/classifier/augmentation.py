"""Augmentation of training images: Keras layers, one per setting of the configuration.

All layers compute in float32 even with mixed precision: bfloat16 has 8 bits of precision, too few for grey levels.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from training.configuration import ClassifierConfiguration

GREY_RANGE = (0, 255)


class RandomAffine(layers.Layer):
    """Random flip, rotation, translation, zoom and shear per image, applied in one bilinear resampling.

    Separate layers would resample four times: four times the work, and the fine texture that distinguishes the tumour
    types would be blurred. Pixels from outside the image are 0.
    Images: (n, h, w, c).  rotation_turns: in turns; the other limits are shares of the image's side.
    """

    def __init__(
        self,
        rotation_turns: float,
        translation: float,
        zoom: float,
        shear: float,
        seed: int,
        *,
        horizontal_flip: bool = False,
    ) -> None:
        super().__init__(dtype="float32")
        self._limits = tf.constant([2 * np.pi * rotation_turns, translation, translation, zoom, zoom, shear, shear])
        self._seed, self._flip = seed, horizontal_flip

    def call(self, images: tf.Tensor) -> tf.Tensor:
        return self.apply_drawn(images, self.draw(tf.shape(images)[0]))

    def draw(self, count: tf.Tensor) -> tf.Tensor:
        """(count, 8) the random numbers of as many images, for `apply_drawn`."""
        drawn = tf.random.uniform((count, 7), -1, 1, seed=self._seed) * self._limits
        if not self._flip:
            return tf.concat([drawn, tf.ones((count, 1))], axis=1)
        return tf.concat([drawn, tf.sign(tf.random.uniform((count, 1), -1, 1, seed=self._seed + 6))], axis=1)

    def apply_drawn(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Images, or maps of them at another resolution: both move alike with the same `drawn`."""
        angle, shift_x, shift_y, zoom_x, zoom_y, shear_x, shear_y, mirrored = tf.unstack(drawn, axis=1)
        cosine, sine = tf.cos(angle), tf.sin(angle)
        # The source position of an output pixel, relative to the centre: flipped, rotated, then sheared, then scaled.
        xx, xy = (1 + zoom_x) * (cosine + shear_x * sine) * mirrored, (1 + zoom_x) * (shear_x * cosine - sine)
        yx, yy = (1 + zoom_y) * (sine + shear_y * cosine) * mirrored, (1 + zoom_y) * (cosine - shear_y * sine)
        height, width = (tf.cast(side, tf.float32) for side in (tf.shape(images)[1], tf.shape(images)[2]))
        x, y = (width - 1) / 2, (height - 1) / 2
        zero = tf.zeros_like(angle)
        shift_right, shift_down = x - xx * x - xy * y + shift_x * width, y - yx * x - yy * y + shift_y * height
        transform = tf.stack([xx, xy, shift_right, yx, yy, shift_down, zero, zero], axis=1)
        return keras.ops.image.affine_transform(images, transform, interpolation="bilinear", fill_mode="constant")


class RandomNoise(layers.Layer):
    """Gaussian noise on grey levels 0..255, with a random standard deviation per image from 0 to the maximum."""

    def __init__(self, max_deviation: float, seed: int) -> None:
        super().__init__(dtype="float32")
        self._max_deviation, self._seed = max_deviation, seed

    def call(self, images: tf.Tensor) -> tf.Tensor:
        deviation = tf.random.uniform((tf.shape(images)[0], 1, 1, 1), 0, self._max_deviation, seed=self._seed)
        return images + deviation * tf.random.normal(tf.shape(images), seed=self._seed + 1)


def geometric_layers(settings: ClassifierConfiguration, seed: int) -> dict[str, layers.Layer]:
    """By setting, the changes that move lesions with the image, each on its own; settings of 0 are left out."""
    names = ("rotation_turns", "translation", "zoom", "shear")
    by_name: dict[str, layers.Layer] = {}
    if settings.horizontal_flip:
        by_name["horizontal_flip"] = _flip(seed)
    for name in names:
        limits = {other: getattr(settings, other) if other == name else 0.0 for other in names}
        if limits[name]:
            by_name[name] = RandomAffine(**limits, seed=seed, horizontal_flip=False)
    return by_name


def combined_geometry(settings: ClassifierConfiguration, seed: int) -> RandomAffine:
    """All geometric changes for training in one layer."""
    return RandomAffine(
        settings.rotation_turns,
        settings.translation,
        settings.zoom,
        settings.shear,
        seed,
        horizontal_flip=settings.horizontal_flip,
    )


def _flip(seed: int) -> layers.Layer:
    return layers.RandomFlip("horizontal", seed=seed + 6, dtype="float32")


def intensity_layers(settings: ClassifierConfiguration, seed: int) -> dict[str, layers.Layer]:
    """By setting, the changes of grey levels that another window or another dose would cause."""
    by_name: dict[str, layers.Layer] = {}
    if settings.contrast:
        by_name["contrast"] = layers.RandomContrast(
            settings.contrast, value_range=GREY_RANGE, seed=seed + 4, dtype="float32"
        )
    if settings.brightness:
        by_name["brightness"] = layers.RandomBrightness(
            settings.brightness, value_range=GREY_RANGE, seed=seed + 5, dtype="float32"
        )
    if settings.noise:
        by_name["noise"] = RandomNoise(255 * settings.noise, seed + 7)
    return by_name
