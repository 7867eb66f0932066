"""Weights of a served graph back in the network that it was exported from, to start a training there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import NodeProto, numpy_helper
from torch import Tensor, nn

from training.detector.layer_names import THIN, WIDE
from training.prepared.dataset import image_paths, read_images, read_manifest
from training.sources import UnusableData

_IMAGES = 256
_COLOURS = 3
_PREFIX = "network"
"""The attribute of the export wrappers that holds the network."""


def load_shipped_weights(network: nn.Module, graph: Path, images: Tensor) -> None:
    """Gives `network` the weights of every convolution and linear layer of `graph`; it is then in evaluation mode.

    The export merged each batch normalisation with its convolution. Here the normalisation is separated again: its
    statistics are those of `images`, (n, 3, h, w) float32 0..1, and its scale and shift undo them. The network computes
    what the graph computes, and normalisation in training changes little.
    Raises UnusableData if a layer is missing in the graph or has another shape.
    """
    weights = _weights_by_module(onnx.load_model(graph))
    normalised: list[nn.BatchNorm2d] = []
    with torch.no_grad():
        for name, module, normalisation in _layers(network):
            if name not in weights:
                raise UnusableData(f"{graph} has no weights for the layer {name}")
            weight, bias = weights[name]
            if weight.shape[1:2] == (1,) and module.weight.shape[1] == _COLOURS:  # of one grey channel: their sum
                weight = np.repeat(weight / _COLOURS, _COLOURS, axis=1)
            if tuple(module.weight.shape) != weight.shape:
                raise UnusableData(f"{graph}: {name} has the shape {weight.shape}, not {tuple(module.weight.shape)}")
            module.weight.copy_(torch.from_numpy(weight))
            if module.bias is not None:
                module.bias.copy_(torch.from_numpy(bias))
            elif normalisation is not None:
                _make_neutral(normalisation, torch.from_numpy(bias))
                normalised.append(normalisation)
    network.eval()
    _restore_statistics(network, normalised, images)


def training_images(data: Path) -> Tensor:
    """Images of the training part, evenly spread: (n, 3, h, w) float32 0..1."""
    examples = read_manifest(data, "train")
    grey = read_images(image_paths(data, examples[:: max(1, len(examples) // _IMAGES)][:_IMAGES]))
    return (torch.from_numpy(grey).to(torch.float32) / 255).unsqueeze(1).expand(-1, 3, -1, -1)


def _layers(network: nn.Module) -> Iterator[tuple[str, nn.Conv2d | nn.Linear, nn.BatchNorm2d | None]]:
    """Every trained layer, with the batch normalisation that is registered next, if there is one."""
    modules = [*network.named_modules(), ("", nn.Identity())]
    for (name, module), (_, following) in pairwise(modules):
        if isinstance(module, (nn.Conv2d, nn.Linear)) and module.weight.requires_grad:
            yield name, module, following if isinstance(following, nn.BatchNorm2d) else None


def _weights_by_module(model: onnx.ModelProto) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Weight and bias of each Conv and Gemm node, by the name of the module in the network."""
    values = {tensor.name: numpy_helper.to_array(tensor).astype(np.float32) for tensor in model.graph.initializer}
    for node in model.graph.node:  # weights that are stored as float16, or once for several layers
        if node.op_type in {"Cast", "Identity"} and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]]
    found: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
    thin: dict[str, NDArray[np.float32]] = {}
    for node in model.graph.node:
        if node.op_type == "Conv" and node.input[1].endswith(THIN):
            thin[node.output[0]] = values[node.input[1]]
        elif node.op_type in {"Conv", "Gemm"} and len(node.input) == 3 and set(node.input[1:]) <= values.keys():
            weight, bias = values[node.input[1]], values[node.input[2]]
            if node.input[1].endswith(WIDE):  # both convolutions of a factorised layer together
                weight = np.tensordot(weight[:, :, 0, 0], thin[node.input[0]], axes=1)
            found.setdefault(_module_of(node), (weight, bias))
    return found


def _module_of(node: NodeProto) -> str:
    """`network.a.0.weight` as input, or `/network/a/a.0/Conv` as node: both are the module `a.0` of the network."""
    weight = node.input[1].removesuffix(WIDE)
    if weight.startswith(f"{_PREFIX}.") and weight.endswith(".weight"):
        return weight.removeprefix(f"{_PREFIX}.").removesuffix(".weight")
    parts: list[str] = []
    for part in node.name.removeprefix(f"/{_PREFIX}/").strip("/").split("/")[:-1]:
        if parts and part.startswith(f"{parts[-1]}."):
            parts.pop()
        parts.append(part)
    return ".".join(parts)


def _make_neutral(normalisation: nn.BatchNorm2d, bias: Tensor) -> None:
    """Makes it add `bias` and nothing else."""
    normalisation.running_mean.zero_()
    normalisation.running_var.fill_(1 - normalisation.eps)
    normalisation.weight.fill_(1)
    normalisation.bias.copy_(bias)


def _restore_statistics(network: nn.Module, normalised: list[nn.BatchNorm2d], images: Tensor) -> None:
    """Measures the input of each normalisation on `images`; scale and shift keep the output the same."""
    measured: dict[nn.Module, list[Tensor]] = {module: [] for module in normalised}

    def measure(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        axes = (0, 2, 3)
        measured[module].append(torch.stack([inputs[0].mean(axes), inputs[0].square().mean(axes)]))

    hooks = [module.register_forward_pre_hook(measure) for module in normalised]
    with torch.no_grad():
        for batch in images.split(8):
            network(batch)
        for module in normalised:
            mean, square = torch.stack(measured[module]).mean(0)
            variance = (square - mean.square()).clamp(min=0)
            module.running_mean.copy_(mean)
            module.running_var.copy_(variance)
            module.weight.copy_((variance + module.eps).sqrt())
            module.bias.add_(mean)
    for hook in hooks:
        hook.remove()
