"""The five classifiers: each has its own feature extractor; all share one head."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import layers

from training.classifier.blocks import (
    activation_map_head,
    convolution,
    dense_block,
    double_convolution,
    residual_block,
    separable_block,
    stem,
)
from training.configuration import ClassifierArchitecture

BACKBONE = "backbone"


def build_classifier(name: str, architecture: ClassifierArchitecture, side: int, labels: int) -> keras.Model:
    """An untrained network of CLASSIFIERS, or one with a pretrained backbone if the configuration names one.

    side: of the square input, pixels.  labels: 2 or 3.  Raises ValueError for weights that do not fit.
    """
    image = keras.Input((side, side, 1), name="image")
    features = _pretrained if architecture.backbone else CLASSIFIERS[name]
    return activation_map_head(image, features(image, architecture), labels, name)


def _resnet(image: keras.KerasTensor, architecture: ClassifierArchitecture) -> keras.KerasTensor:
    """Residual blocks. The last stage, as in all five, does not reduce the resolution of the activation map."""
    features = stem(image, architecture.widths[0], 4)
    for stage, width in enumerate(architecture.widths):
        for block in range(architecture.blocks_per_stage):
            features = residual_block(features, width, _stride(stage, block, architecture))
    return features


def _xception(image: keras.KerasTensor, architecture: ClassifierArchitecture) -> keras.KerasTensor:
    features = stem(image, architecture.widths[0], 4)
    for stage, width in enumerate(architecture.widths):
        for block in range(architecture.blocks_per_stage):
            features = separable_block(features, width, _stride(stage, block, architecture))
    return layers.ReLU()(features)


def _densenet(image: keras.KerasTensor, architecture: ClassifierArchitecture) -> keras.KerasTensor:
    """Dense blocks with growth rates `widths`.

    Between blocks the channels are halved, and the resolution too except before the last block.
    """
    features = stem(image, 2 * architecture.widths[0], 4)
    for stage, growth in enumerate(architecture.widths):
        if stage:
            features = convolution(features, features.shape[-1] // 2, kernel=1)
            if stage < len(architecture.widths) - 1:
                features = layers.AveragePooling2D(2)(features)
        features = dense_block(features, growth, architecture.blocks_per_stage)
    return convolution(features, features.shape[-1] // 2, kernel=1)


def _u_shaped(block: Callable[[keras.KerasTensor, int], keras.KerasTensor]) -> Features:
    """An encoder and decoder of `block`: the activation map is a segmentation at the stem's resolution."""

    def features_of(image: keras.KerasTensor, architecture: ClassifierArchitecture) -> keras.KerasTensor:
        widths = architecture.widths
        features = stem(image, widths[0], architecture.stem_stride)
        skips = []
        for level, width in enumerate(widths):
            if level:
                skips.append(features)
                features = layers.MaxPooling2D(2)(features)
            for _ in range(architecture.blocks_per_stage):
                features = block(features, width)
        for width, skip in zip(reversed(widths[:-1]), reversed(skips), strict=True):
            features = layers.UpSampling2D(2, interpolation="bilinear")(convolution(features, width, kernel=1))
            features = block(layers.Concatenate()([features, skip]), width)
        return features

    return features_of


def _pretrained(image: keras.KerasTensor, architecture: ClassifierArchitecture) -> keras.KerasTensor:
    """A backbone of keras.applications. The grey image fills all three channels, scaled as in its training."""
    create, mean, variance = _BACKBONES[str(architecture.backbone)]
    colour = layers.Concatenate()([image, image, image])
    scaled = layers.Normalization(mean=mean, variance=variance)(colour)
    side = image.shape[1]
    backbone = create(include_top=False, weights=architecture.weights, input_shape=(side, side, 3))
    backbone.name = BACKBONE
    return backbone(scaled)


def _stride(stage: int, block: int, architecture: ClassifierArchitecture) -> int:
    return 2 if block == 0 and 0 < stage < len(architecture.widths) - 1 else 1


Features = Callable[[keras.KerasTensor, ClassifierArchitecture], keras.KerasTensor]
CLASSIFIERS: dict[str, Features] = {
    "resnet": _resnet,
    "unet": _u_shaped(double_convolution),
    "resunet": _u_shaped(residual_block),
    "xception": _xception,
    "densenet": _densenet,
}
# What keras.applications' preprocess_input does for each, as mean and variance of 0..255 (ResNet50: BGR).
_BACKBONES = {
    "ResNet50": (keras.applications.ResNet50, [103.939, 116.779, 123.68], [1.0, 1.0, 1.0]),
    "Xception": (keras.applications.Xception, [127.5] * 3, [127.5**2] * 3),
    "DenseNet121": (
        keras.applications.DenseNet121,
        (255 * np.array([0.485, 0.456, 0.406])).tolist(),
        ((255 * np.array([0.229, 0.224, 0.225])) ** 2).tolist(),
    ),
}
