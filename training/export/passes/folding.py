"""Shapes and indices that the file determines, as constants."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from training.export.passes.editor import GraphEditor

_LARGEST_TENSOR = 1024
_FOLDED = {
    "Cast", "Concat", "ConstantOfShape", "Equal", "Gather", "Mul", "Range", "Reshape", "Slice", "Squeeze", "Transpose",
    "Unsqueeze", "Where",
}  # fmt: skip


def fold_indices(editor: GraphEditor) -> bool:
    """Computes integer and boolean nodes whose inputs are all constant, so that ONNX can infer the shapes behind them.

    Float arithmetic stays: its last bit depends on who computes it.
    """
    folded = False
    for node in editor.nodes:
        if node.op_type not in _FOLDED or any(map(editor.is_output, node.output)):
            continue
        names = list(filter(None, node.input))
        inputs = {name: value for name in names if (value := editor.constant(name)) is not None}
        if not inputs or len(inputs) < len(set(names)) or not all(map(_small_and_whole, inputs.values())):
            continue
        value = _computed(node, inputs, editor.model.opset_import)
        if _small_and_whole(value):
            folded = True
            editor.become(node, "Constant", [], value=numpy_helper.from_array(value))
    return folded


def _small_and_whole(value: NDArray[Any]) -> bool:
    return value.dtype.kind in "iub" and value.size <= _LARGEST_TENSOR


def _computed(node: NodeProto, inputs: dict[str, NDArray[Any]], opsets: list[onnx.OperatorSetIdProto]) -> NDArray[Any]:
    types = {name: helper.np_dtype_to_tensor_dtype(value.dtype) for name, value in inputs.items()}
    declared = [helper.make_tensor_value_info(name, types[name], value.shape) for name, value in inputs.items()]
    graph = helper.make_graph([node], "one node", declared, [onnx.ValueInfoProto(name=node.output[0])])
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    (value,) = ReferenceEvaluator(model).run(None, inputs)
    return np.asarray(value)
