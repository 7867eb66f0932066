"""The segmenter as ONNX: uint8 in, uint8 masks out."""

from __future__ import annotations

import tempfile
from pathlib import Path

import keras
import numpy as np
import onnx
from keras import layers

from training.export.classifier import rename_outputs


def segmenter_graph(model: keras.Model) -> onnx.ModelProto:
    """The serving graph of a segmenter with logits (n, h, w, classes).

    in   image  UINT8 [batch, H, W, 1]
    out  masks  UINT8 [batch, classes, H, W]   probabilities in 255ths: a quarter of the bytes that FP32 takes
    """
    _, height, width, _ = model.input.shape
    image = keras.Input((height, width, 1), dtype="uint8", name="image")
    shares = layers.Permute((3, 1, 2))(layers.Activation("sigmoid", dtype="float32")(model(image)))
    serving = keras.Model(image, In255ths(name="masks")(shares))
    serving(np.zeros((1, height, width, 1), dtype=np.uint8))  # Keras exports only what has been called once
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        serving.export(path, format="onnx", verbose=False)
        graph = onnx.load(path)
    rename_outputs(graph, ["masks"])
    return graph


class In255ths(layers.Layer):
    """Probabilities 0..1 to 0..255, rounded."""

    def call(self, shares: keras.KerasTensor) -> keras.KerasTensor:
        return keras.ops.cast(keras.ops.floor(shares * 255 + 0.5), "uint8")
