"""Factorised convolutions answer as before on images like those that they were fitted to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from training.export.low_rank import factorise, rank_for
from training.export.weights import store_weights_as_float16

SIDE = 24
RANK = 16
"""Of the answers of `wide`: 64 channels, made of this many."""


def network(*, float16: bool = False) -> onnx.ModelProto:
    """One grey channel -> 32 -> 64 channels of rank 16, shared by two nodes; a depthwise convolution at the end."""
    model = onnx.parser.parse_model(
        f"""
        <ir_version: 8, opset_import: ["" : 17]>
        graph (uint8[n,{SIDE},{SIDE},1] image) => (float[n,64,h,w] y)
        <int64[4] shape = {{-1, 1, {SIDE}, {SIDE}}}, float scale = {{0.0039}}> {{
          pixels = Cast<to = 1>(image)
          rows = Reshape(pixels, shape)
          grey = Mul(rows, scale)
          first = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(grey, narrow, narrow_bias)
          active = Relu(first)
          half = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(active)
          one = Conv<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]>(active, wide, wide_bias)
          two = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(half, wide, wide_bias)
          sum = Add(one, two)
          y = Conv<kernel_shape = [1, 1], group = 64>(sum, depthwise)
        }}
        """
    )
    rng = np.random.default_rng(0)
    wide = np.tensordot(rng.normal(size=(64, RANK)), rng.normal(size=(RANK, 32, 3, 3)), axes=1) / 20
    weights = {
        "narrow": rng.normal(size=(32, 1, 3, 3)),
        "narrow_bias": rng.normal(size=32),
        "wide": wide,
        "wide_bias": rng.normal(size=64),
        "depthwise": rng.normal(size=(64, 1, 1, 1)),
    }
    for name, values in weights.items():
        model.graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), name))
    return store_weights_as_float16(model) if float16 else model


def images(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (12, SIDE, SIDE), dtype=np.uint8)


def answers(model: onnx.ModelProto, seed: int) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"image": images(seed)[..., None]})[0])


@pytest.mark.parametrize("float16", [False, True])
def test_answers_of_a_low_rank_stay(*, float16: bool) -> None:
    before, after = network(float16=float16), network(float16=float16)
    (done,) = factorise(after, images(0), 0.9999)
    assert (done.name, done.channels, done.rank) == ("wide", 64, RANK)
    assert done.cost == pytest.approx((RANK * 32 * 9 + 64 * RANK) / (64 * 32 * 9))
    assert [node.op_type for node in after.graph.node].count("Conv") == 6
    shapes = {tensor.name: tuple(tensor.dims) for tensor in after.graph.initializer}
    assert "wide" not in shapes, "the weights are not stored twice"
    assert (shapes["wide_thin"], shapes["wide_wide"]) == ((RANK, 32, 3, 3), (64, RANK, 1, 1))
    expected = answers(before, 1)
    assert np.abs(answers(after, 1) - expected).max() < 2e-3 * np.abs(expected).max()


def test_the_error_is_the_energy_that_is_not_kept() -> None:
    """On the images of the fit themselves, for one layer. The rest of the graph is linear and the same."""
    before, after = network(), network()
    for model in (before, after):
        del model.graph.node[-3:]
        model.graph.node[-1].output[0] = "y"
    wide = np.random.default_rng(3).normal(size=(64, 32, 3, 3)).astype(np.float32)
    for model in (before, after):
        for tensor in model.graph.initializer:
            if tensor.name == "wide":
                tensor.CopyFrom(numpy_helper.from_array(wide, "wide"))
    (done,) = [done for done in factorise(after, images(0), 0.9) if done.name == "wide"]
    assert done.rank < 64
    expected = answers(before, 0)
    variance = ((expected - expected.mean(axis=(0, 2, 3), keepdims=True)) ** 2).mean()
    error = ((answers(after, 0) - expected) ** 2).mean() / variance
    assert 0 < error < 0.1


def test_a_convolution_of_full_rank_stays() -> None:
    model = network()
    before = model.SerializeToString()
    assert factorise(model, images(0), 1.0) == []
    assert model.SerializeToString() == before


@pytest.mark.parametrize(
    ("variances", "energy", "rank"),
    [
        ([8, 1, 1] + [0] * 61, 0.8, 16),
        ([1] * 64, 0.25, 16),
        ([1] * 64, 0.26, 32),
        ([1] * 64, 1.0, 64),
        ([1] * 24, 0.9, 24),
        ([5, 0, -1e-9], 1.0, 3),
    ],
)
def test_ranks_are_whole_blocks_of_channels(variances: list[float], energy: float, rank: int) -> None:
    assert rank_for(np.array(variances, dtype=np.float64), energy) == rank


def test_a_factorised_layer_is_read_back_as_one(tmp_path: Path) -> None:
    from training.detector.shipped_weights import _weights_by_module

    model = network()
    for node in model.graph.node:
        if node.op_type == "Conv":
            node.name = f"/network/{node.output[0]}/Conv"
    factorise(model, images(0), 0.9999)
    onnx.save(model, tmp_path / "model.onnx")
    weight, bias = _weights_by_module(onnx.load(tmp_path / "model.onnx"))["one"]
    expected = {tensor.name: numpy_helper.to_array(tensor) for tensor in network().graph.initializer}
    assert weight == pytest.approx(expected["wide"], abs=1e-3)
    assert bias.shape == (64,)
