"""Rows written to a tensor at once, not element by element."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from training.export.passes.editor import GraphEditor, attributes


def scatter_whole_rows(editor: GraphEditor) -> bool:
    """ScatterElements along axis 0 whose index is one number a row, expanded: ScatterND, which copies rows.

    torchvision's export merges the results of RoiAlign of each pyramid level this way. ScatterND raises an error for
    updates that are not whole rows, so a graph for which this rewrite is wrong fails its parity check.
    """
    for node in editor.nodes:
        if node.op_type != "ScatterElements" or set(attributes(node)) - {"axis"} or attributes(node).get("axis", 0):
            continue
        if (rows := _row_numbers(editor, node)) is None:
            continue
        column = editor.add_constant(np.array([-1, 1], dtype=np.int64))
        editor.become(node, "ScatterND", [node.input[0], editor.add("Reshape", [rows, column]), node.input[2]])
        return True
    return False


def _row_numbers(editor: GraphEditor, node: NodeProto) -> str | None:
    """(m,) the rows, where the index is Expand(Reshape(rows, (-1, 1, ..., 1)), shape)."""
    expanded = editor.producer(node.input[1], "Expand")
    reshaped = editor.producer(expanded.input[0], "Reshape") if expanded is not None else None
    shape = editor.constant(reshaped.input[1]) if reshaped is not None else None
    if reshaped is None or shape is None or len(shape) < 2 or shape[0] != -1 or (shape[1:] != 1).any():
        return None
    return str(reshaped.input[0])
