"""Rounds of parallel non-maximum suppression as matrix products."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, TensorProto, numpy_helper

from training.export.passes.editor import GraphEditor, attributes, axes_of

_TRUTH = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal", "And", "Or", "Not")


def suppress_by_matrix_product(editor: GraphEditor) -> bool:
    """ReduceMax(suppresses * keep[:, :, None], axis 1) < c, with 0 < c < 1: keep[:, None, :] @ suppresses < c.

    Both tensors, (n, m, m) and (n, m), hold only 0 and 1: a sum is 0 where the maximum is 0, at least 1 where it is 1.
    The product needs no intermediate of (n, m, m).
    """
    for node in editor.nodes:
        if node.op_type != "ReduceMax" or attributes(node).get("keepdims", 1) or axes_of(editor, node) != [1]:
            continue
        if not _compared_with_a_fraction(editor, node.output[0]):
            continue
        product = editor.producer(node.input[0], "Mul")
        if product is None or not editor.read_once(product.output[0]):
            continue
        matrix, column = product.input
        if (spread := editor.producer(column, "Unsqueeze")) is None or axes_of(editor, spread) not in ([2], [-1]):
            continue
        keep = spread.input[0]
        if len(editor.shape(matrix)) != 3 or not _zero_or_one(editor, matrix) or not _zero_or_one(editor, keep):
            continue
        first = editor.add_constant(np.array([1], dtype=np.int64))
        row = editor.add("Unsqueeze", [keep, first])
        editor.become(node, "Squeeze", [editor.add("MatMul", [row, matrix]), first])
        return True
    return False


def _compared_with_a_fraction(editor: GraphEditor, name: str) -> bool:
    """Whether it is used for nothing but whether it is below a number between 0 and 1."""
    users = editor.users(name)
    return not editor.is_output(name) and all(_below_a_fraction(editor, user, name) for user in users)


def _below_a_fraction(editor: GraphEditor, user: NodeProto, name: str) -> bool:
    if user.op_type != "Less" or user.input[0] != name or not editor.is_scalar(user.input[1]):
        return False
    threshold = editor.constant(user.input[1])
    return threshold is not None and 0 < float(threshold.reshape(())) < 1


def _zero_or_one(editor: GraphEditor, name: str) -> bool:
    """Whether every element is 0 or 1 by how it is computed."""
    if (node := editor.producer(name, "Cast")) is not None:
        return editor.producer(node.input[0], *_TRUTH) is not None
    if (node := editor.producer(name, "Mul")) is not None:
        return all(_zero_or_one(editor, factor) for factor in node.input)
    if (node := editor.producer(name, "ConstantOfShape")) is not None:
        value = attributes(node).get("value")
        return value is not None and value.data_type == TensorProto.FLOAT and _only_element(value) in {0.0, 1.0}
    return False


def _only_element(value: TensorProto) -> float:
    return float(numpy_helper.to_array(value).reshape(()))
