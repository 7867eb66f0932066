"""Each graph pass on a small graph with its pattern, and on graphs that only look like it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from training.export.passes import optimise

SCALING = """
<ir_version: 8, opset_import: ["" : 17]>
graph (uint8[n,32,48,1] image) => (float[n,1,32,48] y)
<float scale = {0.0078125}, float shift = {-1.0}, int64[4] shape = {-1, 1, 32, 48}> {
  grey = Cast<to = 1>(image)
  scaled = Mul(grey, scale)
  shifted = Sub(shift, scaled)
  y = Reshape(shifted, shape)
}
"""
SUPPRESSION = """
<ir_version: 8, opset_import: ["" : 17]>
graph (float[n,40,40] overlap, float[n,40] scores) => (float[n,40] y)
<float limit = {0.9}, float half = {0.5}, int64[1] last = {2}> {
  above = Greater(overlap, limit)
  suppresses = Cast<to = 1>(above)
  low = Less(scores, half)
  keep = Cast<to = 1>(low)
  column = Unsqueeze(keep, last)
  product = Mul(suppresses, column)
  most = ReduceMax<axes = [1], keepdims = 0>(product)
  kept = Less(most, half)
  y = Cast<to = 1>(kept)
}
"""
DISTANCES = """
<ir_version: 8, opset_import: ["" : 17]>
graph (float[n,4,3,50] x) => (float[n,1,4,50] y)
<float[1,3,1,1] bins = {0.0, 1.0, 2.0}> {
  moved = Transpose<perm = [0, 2, 1, 3]>(x)
  shares = Softmax<axis = 1>(moved)
  y = Conv<kernel_shape = [1, 1]>(shares, bins)
}
"""
GREY = """
<ir_version: 8, opset_import: ["" : 17]>
graph (float[n,1,8,8] grey, float[n,1,8,8] other) => (float[n,2,8,8] y)
<float[2,3,1,1] weights = {1.0, 2.0, 4.0, -1.0, 0.5, 0.25}, float[2] bias = {3.0, -2.0}> {
  colour = Concat<axis = 1>(grey, grey, grey)
  y = Conv<kernel_shape = [1, 1]>(colour, weights, bias)
}
"""


def inputs_of(model: onnx.ModelProto, free: int) -> dict[str, NDArray[np.generic]]:
    """Random inputs; axes without a size get `free`."""
    rng = np.random.default_rng(free)
    feeds: dict[str, NDArray[np.generic]] = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        shape = [axis.dim_value or free for axis in tensor.shape.dim]
        kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if kind == np.uint8:
            feeds[value.name] = rng.integers(0, 256, shape, dtype=np.uint8)
        else:
            feeds[value.name] = rng.random(shape, dtype=np.float32)
    return feeds


def answers(model: onnx.ModelProto, feeds: dict[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, feeds))


def kinds(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


@pytest.mark.parametrize(
    ("text", "gone", "new"),
    [
        (SCALING, "", "Reshape"),
        (SUPPRESSION, "ReduceMax", "MatMul"),
        (DISTANCES, "Conv", "MatMul"),
    ],
    ids=["scaling", "suppression", "distances"],
)
@pytest.mark.parametrize("free", [1, 3])
def test_a_pass_keeps_every_bit(text: str, gone: str, new: str, free: int) -> None:
    before, after = onnx.parser.parse_model(text), optimise(onnx.parser.parse_model(text))
    feeds = inputs_of(before, free)
    for expected, answer in zip(answers(before, feeds), answers(after, feeds), strict=True):
        assert answer.dtype == expected.dtype
        assert np.array_equal(answer, expected)
    assert before != after
    assert kinds(after)[gone] == 0
    assert kinds(after)[new] > 0
    assert after.graph.input == before.graph.input
    assert after.graph.output == before.graph.output
    once = after.SerializeToString()
    assert optimise(after).SerializeToString() == once, "a second call finds nothing to do"


def test_a_grey_image_is_convolved_once() -> None:
    after = optimise(onnx.parser.parse_model(GREY))
    assert kinds(after) == {"Conv": 1}
    feeds = inputs_of(after, 2)
    (answer,) = answers(after, feeds)
    grey = np.asarray(feeds["grey"], dtype=np.float64)
    assert answer == pytest.approx(np.concatenate([7 * grey + 3, -0.25 * grey - 2], axis=1), abs=1e-5)


def test_stored_weights_of_a_grey_image_stay() -> None:
    stored = changed(
        GREY,
        "y = Conv<kernel_shape = [1, 1]>(colour, weights, bias)",
        "cast = Cast<to = 1>(weights)\n  y = Conv<kernel_shape = [1, 1]>(colour, cast, bias)",
    )
    before = stored.SerializeToString()
    assert optimise(stored).SerializeToString() == before


def test_scaling_happens_on_rows_of_the_image() -> None:
    after = optimise(onnx.parser.parse_model(SCALING))
    assert [node.op_type for node in after.graph.node] == ["Reshape", "Cast", "Mul", "Sub"]


def changed(text: str, old: str, new: str) -> onnx.ModelProto:
    assert old in text
    model = onnx.parser.parse_model(text.replace(old, new))
    onnx.checker.check_model(model)
    return model


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (SCALING, '["" : 17]', '["" : 12]'),
        (SCALING, "graph (uint8[n,32,48,1] image)", "graph (uint8[n,32,24,2] image)"),
        (SCALING, "scaled = Mul(grey, scale)\n  shifted = Sub(shift, scaled)", "shifted = Identity(grey)"),
        (GREY, "Concat<axis = 1>(grey, grey, grey)", "Concat<axis = 1>(grey, other, grey)"),
        (SUPPRESSION, "float half = {0.5}", "float half = {1.5}"),
        (SUPPRESSION, "Cast<to = 1>(low)", "Identity(scores)"),
        (SUPPRESSION, "axes = [1]", "axes = [2]"),
        (SUPPRESSION, "(float[n,40] y)", "(float[n,40] y, float[n,40] most)"),
        (DISTANCES, "Softmax<axis = 1>", "Softmax<axis = 2>"),
        (DISTANCES, "(float[n,1,4,50] y)", "(float[n,1,4,50] y, float[n,3,4,50] shares)"),
    ],
)
def test_a_graph_where_the_rewrite_would_be_wrong_or_useless_stays(text: str, old: str, new: str) -> None:
    model = changed(text, old, new)
    before = model.SerializeToString()
    assert optimise(model).SerializeToString() == before


COLUMNS = f"float[48,1] scale = {{{', '.join(map(str, range(48)))}}}"


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (SCALING, "float scale = {0.0078125}", COLUMNS),
        (SCALING, "(float[n,1,32,48] y)", "(float[n,1,32,48] y, float[n,32,48,1] scaled)"),
        (SUPPRESSION, "kept = Less(most, half)", "some = Less(most, half)\n  kept = Not(some)"),
    ],
    ids=["a factor a column", "an output in between", "negated"],
)
def test_a_pattern_in_part_is_rewritten_in_part(text: str, old: str, new: str) -> None:
    before, after = changed(text, old, new), optimise(changed(text, old, new))
    feeds = inputs_of(before, 2)
    for expected, answer in zip(answers(before, feeds), answers(after, feeds), strict=True):
        assert np.array_equal(answer, expected)
    assert before != after


def test_nodes_that_a_subgraph_reads_stay() -> None:
    """The branch of an If reads `scaled`, which nothing in the main graph names besides the chain."""
    model = onnx.parser.parse_model(
        """
        <ir_version: 8, opset_import: ["" : 17]>
        graph (uint8[n,32,48,1] image, bool large) => (float[n,1,32,48] y, float[n,32,48,1] z)
        <float scale = {0.5}, int64[4] shape = {-1, 1, 32, 48}> {
          grey = Cast<to = 1>(image)
          scaled = Mul(grey, scale)
          y = Reshape(scaled, shape)
          z = If (large) <
            then_branch = yes () => (float[n,32,48,1] a) { a = Add(scaled, scale) },
            else_branch = no () => (float[n,32,48,1] b) { b = Identity(grey) }
          >
        }
        """
    )
    feeds = {**inputs_of(model, 2), "large": np.array(True)}
    expected = answers(model, feeds)
    for answer, value in zip(answers(optimise(model), feeds), expected, strict=True):
        assert np.array_equal(answer, value)
    assert "scaled" in {name for node in model.graph.node for name in node.output}


def test_indices_are_folded_and_floats_are_not() -> None:
    model = onnx.parser.parse_model(
        """
        <ir_version: 8, opset_import: ["" : 17]>
        graph (float[n,4] x) => (float[n,4] y, float[1] third)
        <int64[1] one = {1}, int64[1] two = {2}, float[1] unit = {1.0}, float[1] three = {3.0}> {
          doubled = Mul(one, two)
          rows = Concat<axis = 0>(one, doubled)
          zeros = Mul(rows, rows)
          same = Equal(rows, zeros)
          shape = Where(same, rows, one)
          y = Expand(x, shape)
          third = Mul(unit, three)
        }
        """
    )
    feeds = inputs_of(model, 3)
    expected = answers(model, feeds)
    for answer, value in zip(answers(optimise(model), feeds), expected, strict=True):
        assert np.array_equal(answer, value)
    assert kinds(model) == {"Constant": 1, "Expand": 1, "Mul": 1}
    (constant,) = [node for node in model.graph.node if node.op_type == "Constant"]
    assert onnx.numpy_helper.to_array(constant.attribute[0].t).tolist() == [1, 1]
