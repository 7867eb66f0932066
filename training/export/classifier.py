"""Exports a Keras classifier as ONNX: uint8 image in, logits and class activation map out."""

from __future__ import annotations

import tempfile
from pathlib import Path

import keras
import numpy as np
import onnx
from keras import layers


def classifier_graph(model: keras.Model, labels: int) -> onnx.ModelProto:
    """The serving graph of a classifier with the outputs `logits` and `activation` (n, h, w, 3).

    in   image       UINT8 [batch, H, W, 1]
    out  logits      FP32  [batch, labels]
    out  activation  FP32  [batch, labels, h, w]
    """
    _, height, width, _ = model.input.shape
    image = keras.Input((height, width, 1), dtype="uint8", name="image")
    outputs = model(image)
    serving = keras.Model(
        image,
        [
            layers.Activation("linear", name="logits")(outputs["logits"]),
            layers.Permute((3, 1, 2), name="activation")(outputs["activation"][..., :labels]),
        ],
    )
    serving(np.zeros((1, height, width, 1), dtype=np.uint8))  # Keras can export only a model that was called
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        serving.export(path, format="onnx", verbose=False)
        graph = onnx.load(path)
    rename_outputs(graph, ["logits", "activation"])
    return graph


def rename_outputs(model: onnx.ModelProto, names: list[str]) -> None:
    """Renames the input of the graph to `image` and its outputs to `names`, in order."""
    renamed = {old.name: new for old, new in zip(model.graph.output, names, strict=True)}
    renamed[model.graph.input[0].name] = "image"
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    for value in [*model.graph.input, *model.graph.output]:
        value.name = renamed.get(value.name, value.name)
