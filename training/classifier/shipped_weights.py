"""Weights of a served graph back in the classifier that it was exported from, to start a training there."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, numpy_helper

from training.prepared.dataset import image_paths, read_images, read_manifest
from training.sources import UnusableData

_IMAGES = 256
_BATCH = 16
_SCOPE = re.compile(r"/(?P<layer>(?P<kind>conv2d|separable_conv2d|batch_normalization|findings|logits)(?:_\d+)?)_\d+/")
Floats32 = NDArray[np.float32]
Weights = list[Floats32]


def load_shipped_weights(model: keras.Model, graph: Path, images: NDArray[np.uint8]) -> None:
    """Gives `model` the weights of `graph`, the exported classifier of the same architecture.

    The export merged a batch normalisation with the convolution before it, where there is one, and made a scale and a
    shift of the others. Here they are separated again: their statistics are those of `images`, (n, side, side), and
    their scale and shift undo them. The model computes what the graph computes, and normalisation in training changes
    little. Raises UnusableData if the graph has other layers than the model.
    """
    exported = exported_weights(onnx.load_model(graph))
    layers = _layers_by_name(model)
    if exported.keys() != layers.keys():
        raise UnusableData(f"{graph} has other layers than {model.name}: {min(exported.keys() ^ layers.keys())}")
    for name, layer in layers.items():
        values = exported[name]
        if isinstance(layer, keras.layers.BatchNormalization):
            scale, shift = values
            values = [scale, shift, np.zeros_like(scale), np.full_like(scale, 1 - layer.epsilon)]
        if [value.shape for value in values] != [tuple(weight.shape) for weight in layer.weights]:
            raise UnusableData(f"{graph}: the layer {name} has another shape than that of {model.name}")
        layer.set_weights(values)
    _restore_statistics(model, images)


def training_images(data: Path) -> NDArray[np.uint8]:
    """(n, side, side) images of the training part, evenly spread."""
    examples = read_manifest(data, "train")
    return read_images(image_paths(data, examples[:: max(1, len(examples) // _IMAGES)][:_IMAGES]))


def exported_weights(model: onnx.ModelProto) -> dict[str, Weights]:
    """By layer, its weights in the order and layout of Keras; of a batch normalisation scale and shift.

    A layer is named by its kind and its number in the order of creation, from 0, as `conv2d 3`.
    """
    values = {tensor.name: numpy_helper.to_array(tensor).astype(np.float32) for tensor in model.graph.initializer}
    for node in model.graph.node:  # weights that are stored as float16
        if node.op_type == "Cast" and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]]
    found: dict[str, dict[str, Floats32]] = defaultdict(dict)
    for node in model.graph.node:
        _read_node(node, values, found)
    by_scope = {scope: _ordered(parts) for scope, parts in found.items()}
    return {name: by_scope[scope] for scope, name in _numbered(by_scope).items()}


def _read_node(node: NodeProto, values: dict[str, Floats32], found: dict[str, dict[str, Floats32]]) -> None:
    """Adds the weights of a node to `found`, by scope and role."""
    constants = [name for name in node.input if name in values]
    if node.op_type == "Conv":
        kernel = values[node.input[1]]
        if node.name.endswith("/depthwise"):
            found[_scope(node.name)]["depthwise"] = kernel.transpose(2, 3, 0, 1)
            return
        names = (node.input[1], node.name)
        scope = next(found_in for name in names if (found_in := _scope(name)))
        found[scope]["kernel"] = kernel.transpose(2, 3, 1, 0)
        if len(node.input) == 3:
            bias = node.input[2]
            if _scope(bias).startswith("batch_normalization"):
                found[_scope(bias)] |= {"kernel": np.ones_like(values[bias]), "shift": values[bias]}
            else:
                found[scope]["shift"] = values[bias]
    elif constants and node.op_type == "MatMul":
        found[_scope(node.name)]["kernel"] = values[constants[0]]
    elif constants and node.op_type == "Mul" and node.name.endswith("/batchnorm/mul_1"):
        found[_scope(node.name)]["kernel"] = values[constants[0]].reshape(-1)
    elif constants and node.op_type == "Add" and node.name.endswith(("/batchnorm/add_1", "/logits_1/BiasAdd")):
        found[_scope(node.name)]["shift"] = values[constants[0]].reshape(-1)


def _scope(name: str) -> str:
    """The layer in the name of a node or of a tensor, without the number that the export added; or nothing."""
    match = _SCOPE.search(name)
    return match["layer"] if match else ""


def _ordered(parts: dict[str, Floats32]) -> Weights:
    return [parts[role] for role in ("depthwise", "kernel", "shift") if role in parts]


def _numbered(names: Iterable[str]) -> dict[str, str]:
    """By name of a layer, its kind and number from 0. Keras counts on where an earlier model of the process ended."""
    by_kind: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name in names:
        kind, _, number = name.rpartition("_")
        if not number.isdigit():
            kind, number = name, "0"
        by_kind[kind].append((int(number), name))
    return {name: f"{kind} {index}" for kind, items in by_kind.items() for index, (_, name) in enumerate(sorted(items))}


def _layers_by_name(model: keras.Model) -> dict[str, keras.layers.Layer]:
    layers = {layer.name: layer for layer in model.layers if layer.weights}
    return {numbered: layers[name] for name, numbered in _numbered(layers).items()}


def _restore_statistics(model: keras.Model, images: NDArray[np.uint8]) -> None:
    """Measures the input of each normalisation on `images`; scale and shift keep the output the same."""
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    inputs = keras.Model(model.input, [layer.input for layer in layers])
    sums = [np.zeros((2, layer.input.shape[-1])) for layer in layers]
    for start in range(0, len(images), _BATCH):
        batch = images[start : start + _BATCH, ..., None]
        for index, values in enumerate(inputs.predict_on_batch(batch)):
            exact = np.asarray(values, dtype=np.float64)
            sums[index] += len(batch) * np.stack([exact.mean((0, 1, 2)), np.square(exact).mean((0, 1, 2))])
    for layer, total in zip(layers, sums, strict=True):
        mean, square = total / len(images)
        variance = np.maximum(square - mean**2, 0)
        scale, shift = layer.get_weights()[:2]
        layer.set_weights([scale * np.sqrt(variance + layer.epsilon), shift + scale * mean, mean, variance])
