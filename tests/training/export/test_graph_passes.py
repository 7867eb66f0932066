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
PAIRS = """
<ir_version: 8, opset_import: ["" : 17]>
graph (float[n,200,1,2] a, float[n,1,200,2] b) => (float[n,200,200] y)
<int64 first = {0}, int64 second = {-1}, float zero = {0.0}> {
  lower = Min(a, b)
  upper = Max(a, b)
  extent = Sub(lower, upper)
  clipped = Clip(extent, zero)
  width = Gather<axis = 3>(clipped, first)
  height = Gather<axis = -1>(clipped, second)
  y = Mul(width, height)
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
ROWS = """
<ir_version: 8, opset_import: ["" : 17]>
graph (int64[m] rows, float[m,3,2] updates) => (float[6,3,2] y)
<int64[3] columns = {-1, 1, 1}, int64[3] empty = {6, 3, 2}> {
  zeros = ConstantOfShape<value = float[1] {0.0}>(empty)
  column = Reshape(rows, columns)
  shape = Shape(updates)
  index = Expand(column, shape)
  y = ScatterElements<axis = 0>(zeros, index, updates)
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
        if value.name == "rows":
            feeds[value.name] = rng.permutation(6)[:free].astype(kind)
        elif kind == np.uint8:
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
        (PAIRS, "", "Gather"),
        (SUPPRESSION, "ReduceMax", "MatMul"),
        (DISTANCES, "Conv", "MatMul"),
        (ROWS, "ScatterElements", "ScatterND"),
    ],
    ids=["scaling", "pairs", "suppression", "distances", "rows"],
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


def test_scaling_happens_on_rows_of_the_image() -> None:
    after = optimise(onnx.parser.parse_model(SCALING))
    assert [node.op_type for node in after.graph.node] == ["Reshape", "Cast", "Mul", "Sub"]


def test_one_coordinate_is_compared_at_a_time() -> None:
    after = optimise(onnx.parser.parse_model(PAIRS))
    shapes = {value.name: value for value in onnx.shape_inference.infer_shapes(after).graph.value_info}
    for node in after.graph.node:
        if node.op_type in {"Min", "Max", "Sub", "Clip"}:
            assert len(shapes[node.output[0]].type.tensor_type.shape.dim) == 3
    assert kinds(after) == {"Gather": 8, "Min": 2, "Max": 2, "Sub": 2, "Clip": 2, "Mul": 1}


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
        (PAIRS, "(float[n,200,200] y)", "(float[n,200,200] y, float[n,200,200,2] clipped)"),
        (PAIRS, "200", "20"),
        (SUPPRESSION, "float half = {0.5}", "float half = {1.5}"),
        (SUPPRESSION, "Cast<to = 1>(low)", "Identity(scores)"),
        (SUPPRESSION, "axes = [1]", "axes = [2]"),
        (SUPPRESSION, "(float[n,40] y)", "(float[n,40] y, float[n,40] most)"),
        (DISTANCES, "Softmax<axis = 1>", "Softmax<axis = 2>"),
        (DISTANCES, "(float[n,1,4,50] y)", "(float[n,1,4,50] y, float[n,3,4,50] shares)"),
        (ROWS, "ScatterElements<axis = 0>", 'ScatterElements<axis = 0, reduction = "add">'),
        (ROWS, "index = Expand(column, shape)", "tiled = Expand(column, shape)\n  index = Abs(tiled)"),
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
        (PAIRS, "Gather<axis = 3>(clipped, first)", "Gather<axis = 3>(extent, first)"),
        (SUPPRESSION, "kept = Less(most, half)", "some = Less(most, half)\n  kept = Not(some)"),
    ],
    ids=["a factor a column", "an output in between", "two depths of selection", "negated"],
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
