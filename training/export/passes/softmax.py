"""The expected distance that an anchor-free YOLO head takes from a distribution over bins."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from training.export.passes.editor import GraphEditor, attributes


def softmax_over_last_axis(editor: GraphEditor) -> bool:
    """Conv 1x1 to one channel of Softmax(axis 1) of (n, bins, 4, places): softmax and product over a last axis.

    For a softmax over any other axis ONNX Runtime transposes twice, besides the transposition in the export.
    """
    for node in editor.nodes:
        if node.op_type != "Conv" or (weights := _expectation(editor, node)) is None:
            continue
        softmax = editor.producer(node.input[0], "Softmax")
        if softmax is None or attributes(softmax).get("axis", -1) != 1 or not editor.read_once(softmax.output[0]):
            continue
        moved = editor.producer(softmax.input[0], "Transpose")
        if moved is None or list(attributes(moved)["perm"]) != [0, 2, 1, 3] or not editor.read_once(moved.output[0]):
            continue
        bins_last = editor.add("Transpose", [moved.input[0]], perm=[0, 1, 3, 2])
        shares = editor.add("Softmax", [bins_last], axis=3)
        expected = editor.add("MatMul", [shares, editor.add_constant(weights)])
        flat = editor.add("Squeeze", [expected, editor.add_constant(np.array([3], dtype=np.int64))])
        editor.become(node, "Unsqueeze", [flat, editor.add_constant(np.array([1], dtype=np.int64))])
        return True
    return False


def _expectation(editor: GraphEditor, node: NodeProto) -> np.ndarray | None:
    """(bins, 1) weights of a convolution of 1 x 1 without bias to one channel; None for any other."""
    weights = editor.constant(node.input[1])
    values = attributes(node)
    plain = len(node.input) == 2 and values.get("group", 1) == 1 and not any(values.get("pads", [0]))
    if weights is None or not plain or weights.shape[0] != 1 or weights.shape[2:] != (1, 1):
        return None
    return weights.reshape(-1, 1) if set(values.get("strides", [1])) == {1} else None
