"""What a training image may look like: Keras layers, one a line of the configuration."""

from __future__ import annotations

import keras
from keras import layers

from training.configuration import ClassifierConfiguration

GREY_RANGE = (0, 255)


def geometry(settings: ClassifierConfiguration, seed: int) -> dict[str, layers.Layer]:
    """Changes that move the lesions with the image, by the name of their line; those set to 0 are left out."""
    found: dict[str, layers.Layer] = {}
    if settings.horizontal_flip:
        found["horizontal_flip"] = layers.RandomFlip("horizontal", seed=seed + 6)
    if settings.rotation_turns:
        found["rotation_turns"] = layers.RandomRotation(settings.rotation_turns, fill_mode="constant", seed=seed)
    if settings.translation:
        shift = settings.translation
        found["translation"] = layers.RandomTranslation(shift, shift, fill_mode="constant", seed=seed + 1)
    if settings.zoom:
        found["zoom"] = layers.RandomZoom((-settings.zoom, settings.zoom), fill_mode="constant", seed=seed + 2)
    if settings.shear:
        found["shear"] = layers.RandomShear(settings.shear, settings.shear, fill_mode="constant", seed=seed + 3)
    return found


def intensity(settings: ClassifierConfiguration, seed: int) -> dict[str, layers.Layer]:
    """Changes of the grey levels alone, as another window or another dose would make them."""
    found: dict[str, layers.Layer] = {}
    if settings.contrast:
        found["contrast"] = layers.RandomContrast(settings.contrast, value_range=GREY_RANGE, seed=seed + 4)
    if settings.brightness:
        found["brightness"] = layers.RandomBrightness(settings.brightness, value_range=GREY_RANGE, seed=seed + 5)
    if settings.noise:
        noise = layers.GaussianNoise(settings.noise, seed=seed + 7)  # which takes grey levels of 0..1
        found["noise"] = keras.Sequential([layers.Rescaling(1 / 255), noise, layers.Rescaling(255.0)])
    return found
