"""The building blocks of the five classifiers, and their common head."""

from __future__ import annotations

import math

import keras
from keras import layers

POOLING_SHARPNESS = 3.0
BATCH_NORM_MOMENTUM = 0.95


def convolution(features: keras.KerasTensor, width: int, kernel: int = 3, stride: int = 1) -> keras.KerasTensor:
    """Convolution, batch normalisation, ReLU."""
    features = layers.Conv2D(width, kernel, strides=stride, padding="same", use_bias=False)(features)
    return layers.ReLU()(normalised(features))


def normalised(features: keras.KerasTensor) -> keras.KerasTensor:
    return layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(features)


def stem(image: keras.KerasTensor, width: int, stride: int) -> keras.KerasTensor:
    """Grey levels 0..255 to features at 1 / `stride` (1, 2 or 4) of the resolution."""
    features = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    features = convolution(features, width, kernel=5, stride=min(stride, 2))
    return layers.MaxPooling2D(3, strides=2, padding="same")(features) if stride == 4 else features


def residual_block(features: keras.KerasTensor, width: int, stride: int = 1) -> keras.KerasTensor:
    """The basic block of He et al., "Deep residual learning for image recognition", CVPR 2016, figure 5 left."""
    shortcut = features
    if stride != 1 or features.shape[-1] != width:
        shortcut = normalised(layers.Conv2D(width, 1, strides=stride, use_bias=False)(features))
    features = convolution(features, width, stride=stride)
    features = normalised(layers.Conv2D(width, 3, padding="same", use_bias=False)(features))
    return layers.ReLU()(layers.Add()([features, shortcut]))


def double_convolution(features: keras.KerasTensor, width: int) -> keras.KerasTensor:
    """The plain block of Ronneberger et al., "U-Net", MICCAI 2015, with batch normalisation."""
    return convolution(convolution(features, width), width)


def separable_block(features: keras.KerasTensor, width: int, stride: int = 1) -> keras.KerasTensor:
    """Two separable convolutions with a shortcut: Chollet, "Xception", CVPR 2017, figure 5."""
    shortcut = features
    if stride != 1 or features.shape[-1] != width:
        shortcut = normalised(layers.Conv2D(width, 1, strides=stride, use_bias=False)(features))
    for step in (stride, 1):
        features = layers.ReLU()(features)
        features = layers.SeparableConv2D(width, 3, strides=step, padding="same", use_bias=False)(features)
        features = normalised(features)
    return layers.Add()([features, shortcut])


def dense_block(features: keras.KerasTensor, growth: int, count: int) -> keras.KerasTensor:
    """`count` layers, each fed by all previous ones: Huang et al., "DenseNet", CVPR 2017, the B variant."""
    for _ in range(count):
        new = layers.ReLU()(normalised(features))
        new = convolution(new, 4 * growth, kernel=1)
        new = layers.Conv2D(growth, 3, padding="same", use_bias=False)(new)
        features = layers.Concatenate()([features, new])
    return features


def activation_map_head(image: keras.KerasTensor, features: keras.KerasTensor, labels: int, name: str) -> keras.Model:
    """A classifier whose logits are pooled from its activation map (docs/decisions/0005).

    in   image       (n, side, side, 1), grey values 0..255 of any numeric type
    out  logits      (n, labels): the two tumours, and with three labels `no_tumour`
    out  activation  (n, h, w, 3): evidence for the two tumours; 0 everywhere for the third label, background

    A 1 x 1 convolution gives the evidence for each tumour per cell: the class activation map (Zhou et al., "Learning
    deep features for discriminative localization", CVPR 2016). An image contains what any of its cells contains, so
    the logits are the log-mean-exp of the map over space (Pinheiro and Collobert, "From image-level to pixel-level
    labeling with convolutional networks", CVPR 2015, eq. 3), which is closer to the maximum than to the mean,
    followed by a small linear layer that is initialised with the identity.
    """
    evidence = layers.Conv2D(2, 1, dtype="float32", name="findings")(features)
    activation = layers.Concatenate(name="activation")([evidence, keras.ops.zeros_like(evidence[..., :1])])
    pooled = log_mean_exp(activation)[:, :labels]
    logits = layers.Dense(labels, kernel_initializer="identity", dtype="float32", name="logits")(pooled)
    return keras.Model(image, {"logits": logits, "activation": activation}, name=name)


def log_mean_exp(activation: keras.KerasTensor) -> keras.KerasTensor:
    """Pools (n, h, w, k) to (n, k); POOLING_SHARPNESS sets how close to the maximum."""
    _, height, width, _ = activation.shape
    total = keras.ops.logsumexp(POOLING_SHARPNESS * activation, axis=(1, 2))
    return (total - math.log(height * width)) / POOLING_SHARPNESS
