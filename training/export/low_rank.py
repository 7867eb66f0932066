"""Replaces convolutions by two thinner ones that answer nearly the same on images of the training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from training.detector.layer_names import THIN, WIDE
from training.export.parity import GreyImages

CHANNEL_BLOCK = 16
"""Ranks are multiples: ONNX Runtime computes convolutions in blocks of 8 channels (AVX2) or 16 (AVX-512)."""
WORTHWHILE_COST = 0.95
_BATCH = 8
_POSITIONS = 256
"""Positions of each image that the statistics are made of."""


@dataclass(frozen=True)
class Responses:
    """What one convolution answers: mean (c,) and covariance (c, c) over positions and images."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


@dataclass(frozen=True)
class Factorised:
    """One convolution that was replaced. cost: multiplications after divided by those before."""

    name: str
    channels: int
    rank: int
    cost: float


def factorise(model: onnx.ModelProto, images: GreyImages, kept_energy: float) -> list[Factorised]:
    """Factorises in place each convolution that gets cheaper, and returns what was replaced.

    A convolution with k x k weights of n channels becomes one of d channels and a 1 x 1 convolution from d to n
    channels: the projection of its answers on their first d principal components (Zhang et al., "Accelerating very
    deep convolutional networks for classification and detection", IEEE TPAMI 38, 2016). d is the smallest multiple of
    CHANNEL_BLOCK whose components hold `kept_energy` of the variance on `images`, (m, h, w).
    """
    unpack_weights(model)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    layers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        if _is_plain(node, weights):
            layers.setdefault(node.input[1], []).append(node)
    measured = measure_responses(
        model, {name: [node.output[0] for node in nodes] for name, nodes in layers.items()}, images
    )
    replaced = []
    for name, nodes in layers.items():
        values, vectors = np.linalg.eigh(measured[name].covariance)
        rank = rank_for(values[::-1], kept_energy)
        done = _replace(model, nodes, weights, vectors[:, ::-1][:, :rank], measured[name].mean)
        replaced += [done] if done else []
    used = {tensor for node in model.graph.node for tensor in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    onnx.checker.check_model(model)
    return replaced


def rank_for(variances: NDArray[np.float64], kept_energy: float) -> int:
    """variances: highest first."""
    shares = np.cumsum(variances.clip(min=0)) / max(float(variances.clip(min=0).sum()), 1e-30)
    rank = int(np.searchsorted(shares, kept_energy)) + 1
    return min(len(variances), -(-rank // CHANNEL_BLOCK) * CHANNEL_BLOCK)


def unpack_weights(model: onnx.ModelProto) -> None:
    """Replaces weights that are stored as float16 and cast in the graph by float32 ones."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in [node for node in model.graph.node if node.op_type == "Cast" and node.input[0] in weights]:
        values = numpy_helper.to_array(weights[node.input[0]])
        if values.dtype != np.float16:
            continue
        model.graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), node.output[0]))
        model.graph.initializer.remove(weights[node.input[0]])
        model.graph.node.remove(node)


def measure_responses(
    model: onnx.ModelProto, groups: Mapping[str, Sequence[str]], images: GreyImages
) -> dict[str, Responses]:
    """By name of a group, over all its tensors (n, c, h, w) in the graph."""
    sums: dict[str, NDArray[np.float64]] = {}
    names = [tensor for tensors in groups.values() for tensor in tensors]
    for outputs in _outputs(model, names, images):
        by_tensor = dict(zip(names, outputs, strict=True))
        for group, tensors in groups.items():
            for values in (by_tensor[tensor] for tensor in tensors):
                rows = values.reshape(*values.shape[:2], -1)
                step = max(1, rows.shape[2] // _POSITIONS) | 1  # odd, so that it does not stay in the same columns
                rows = rows[:, :, ::step].transpose(0, 2, 1)
                rows = rows.reshape(-1, values.shape[1]).astype(np.float64)
                rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
                sums[group] = np.add(sums.get(group, 0.0), rows.T @ rows)
    found = {}
    for group, products in sums.items():
        moments = products / products[-1, -1]
        mean = moments[-1, :-1]
        found[group] = Responses(mean, moments[:-1, :-1] - np.outer(mean, mean))
    return found


def _outputs(model: onnx.ModelProto, names: Sequence[str], images: GreyImages) -> Iterator[list[NDArray[np.float32]]]:
    observed = onnx.ModelProto()
    observed.CopyFrom(model)
    observed.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(observed.SerializeToString(), options, providers=["CPUExecutionProvider"])
    for start in range(0, len(images), _BATCH):
        yield session.run(list(names), {"image": images[start : start + _BATCH, ..., None]})


def _is_plain(node: NodeProto, weights: Mapping[str, onnx.TensorProto]) -> bool:
    """A convolution without groups whose weights are known."""
    groups = [attribute.i for attribute in node.attribute if attribute.name == "group"]
    return node.op_type == "Conv" and node.input[1] in weights and groups in ([], [1])


def _replace(
    model: onnx.ModelProto,
    nodes: Sequence[NodeProto],
    weights: Mapping[str, onnx.TensorProto],
    basis: NDArray[np.float64],
    mean: NDArray[np.float64],
) -> Factorised | None:
    """Replaces nodes that share their weights. None, and no change, where two convolutions would not be cheaper.

    basis: (channels, rank).
    """
    name = nodes[0].input[1]
    weight = numpy_helper.to_array(weights[name]).astype(np.float64)
    channels, rank = basis.shape
    cost = (rank * weight[0].size + channels * rank) / weight.size
    if cost > WORTHWHILE_COST:
        return None
    bias = np.zeros(channels)
    if len(nodes[0].input) > 2:
        bias = numpy_helper.to_array(weights[nodes[0].input[2]]).astype(np.float64)
    tensors = {
        f"{name}{THIN}": np.tensordot(basis.T, weight, axes=1),
        f"{name}{WIDE}": basis[:, :, None, None],
        f"{name}_offset": mean + basis @ (basis.T @ (bias - mean)),
    }
    for tensor, values in tensors.items():
        model.graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), tensor))
    for node in nodes:
        first = NodeProto()
        first.CopyFrom(node)
        (output,) = node.output
        del first.input[1:], first.output[:]
        first.name = f"{node.name or output}{THIN}"
        first.input.append(f"{name}{THIN}")
        first.output.append(f"{output}{THIN}")
        inputs = [first.output[0], f"{name}{WIDE}", f"{name}_offset"]
        second = helper.make_node("Conv", inputs, [output], f"{node.name or output}{WIDE}")
        place = list(model.graph.node).index(node)
        model.graph.node.remove(node)
        model.graph.node.insert(place, second)
        model.graph.node.insert(place, first)
    return Factorised(name, channels, rank, cost)
