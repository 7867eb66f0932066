"""The segmenter: a U-Net of residual blocks with one map for the liver and one for its lesions."""

from __future__ import annotations

import keras
from keras import layers

from training.classifier.architectures import CLASSIFIERS
from training.configuration import SegmenterConfiguration

CLASSES = ("liver", "lesion")
"""Lesions lie in the liver and belong to its mask."""
_RARE = -2.0


def build_segmenter(settings: SegmenterConfiguration, side: int) -> keras.Model:
    """A fresh network after Zhang, Liu and Wang, "Road extraction by deep residual U-Net", GRSL 2018.

    in   (n, side, side, 1), grey values 0..255 of any numeric type
    out  (n, side, side, 2), logits of CLASSES; they are independent, not alternatives
    """
    image = keras.Input((side, side, 1), name="image")
    features = CLASSIFIERS["resunet"](image, settings.network)
    coarse = layers.Conv2D(
        len(CLASSES), 1, dtype="float32", bias_initializer=keras.initializers.Constant(_RARE), name="coarse"
    )(features)
    enlarge = settings.network.stem_stride
    logits = layers.UpSampling2D(enlarge, interpolation="bilinear", dtype="float32", name="logits")(coarse)
    return keras.Model(image, logits, name="segmenter")
