"""A residual network that classifies by what it finds: its logits are pooled from its activation map."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
from keras import layers

POOLING_SHARPNESS = 3.0


def build_resnet(input_size_px: int, labels: int, widths: Sequence[int], blocks_per_stage: int) -> keras.Model:
    """ResNet with basic blocks (He et al., "Deep residual learning", CVPR 2016), one grey channel.

    in   (n, size, size, 1), grey values 0..255 of any numeric type
    out  logits      (n, labels)
    out  activation  (n, size / 16, size / 16, labels)

    The last label means that nothing was found. The head is a 1 x 1 convolution to the other labels; its map is
    the class activation map (Zhou et al., "Learning deep features for discriminative localization", CVPR
    2016): evidence for each finding, cell by cell, against nothing, whose own map is 0 everywhere. An image
    shows what any of its cells shows, so the logits are the map's log-mean-exp over space (Pinheiro and
    Collobert, "From image-level to pixel-level labeling with convolutional networks", CVPR 2015, eq. 3),
    nearer to a maximum than to a mean, followed by a small linear layer that starts as the identity.
    The last stage keeps its resolution for a map fine enough to look at.
    """
    image = keras.Input((input_size_px, input_size_px, 1), name="image")
    features = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    features = _convolution(features, widths[0], kernel=5, stride=2)
    features = layers.MaxPooling2D(3, strides=2, padding="same")(features)
    for stage, width in enumerate(widths):
        for block in range(blocks_per_stage):
            stride = 2 if block == 0 and 0 < stage < len(widths) - 1 else 1
            features = _basic_block(features, width, stride)
    findings = layers.Conv2D(labels - 1, 1)(features)
    activation = layers.Concatenate(name="activation")([findings, keras.ops.zeros_like(findings[..., :1])])
    logits = layers.Dense(labels, kernel_initializer="identity", name="logits")(_log_mean_exp(activation))
    return keras.Model(image, {"logits": logits, "activation": activation}, name="resnet")


def _log_mean_exp(activation: keras.KerasTensor) -> keras.KerasTensor:
    _, height, width, _ = activation.shape
    total = keras.ops.logsumexp(POOLING_SHARPNESS * activation, axis=(1, 2))
    return (total - math.log(height * width)) / POOLING_SHARPNESS


def _convolution(features: keras.KerasTensor, width: int, kernel: int, stride: int) -> keras.KerasTensor:
    features = layers.Conv2D(width, kernel, strides=stride, padding="same", use_bias=False)(features)
    features = layers.BatchNormalization(momentum=0.95)(features)
    return layers.ReLU()(features)


def _basic_block(features: keras.KerasTensor, width: int, stride: int) -> keras.KerasTensor:
    shortcut = features
    if stride != 1 or features.shape[-1] != width:
        shortcut = layers.Conv2D(width, 1, strides=stride, use_bias=False)(features)
        shortcut = layers.BatchNormalization(momentum=0.95)(shortcut)
    features = _convolution(features, width, 3, stride)
    features = layers.Conv2D(width, 3, padding="same", use_bias=False)(features)
    features = layers.BatchNormalization(momentum=0.95)(features)
    return layers.ReLU()(layers.Add()([features, shortcut]))
