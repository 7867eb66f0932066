"""One coordinate of a pairwise comparison, chosen before it is computed."""

from __future__ import annotations

import math

import numpy as np
from onnx import NodeProto

from training.export.passes.editor import GraphEditor, attributes

_ELEMENTWISE = ("Max", "Min", "Add", "Sub", "Mul", "Div", "Clip", "Relu")
_SHORT_AXIS = 4
_SMALLEST_TENSOR = 65_536
"""Elements an image below which a rewrite gives nothing."""


def select_before_elementwise(editor: GraphEditor) -> bool:
    """Gather(f(a, b), index) over a short last axis: f(Gather(a, index), Gather(b, index)).

    Max and Min of the corners of every pair of 300 boxes, (n, 300, 1, 2) with (n, 1, 300, 2), have an inner loop of two
    elements. With one coordinate at a time it has 300.
    """
    for node in editor.nodes:
        if node.op_type != "Gather" or (index := _chosen(editor, node)) is None:
            continue
        step = editor.producer(node.input[0], *_ELEMENTWISE)
        if step is None or not _worthwhile(editor, step) or not _only_chosen_from(editor, step):
            continue
        inputs = [_one_of(editor, name, index) for name in step.input]
        editor.become(node, step.op_type, inputs)
        node.attribute.extend(step.attribute)
        return True
    return False


def _chosen(editor: GraphEditor, node: NodeProto) -> int | None:
    """The place on the last axis that a Gather picks, where it is one constant place."""
    shape, place = editor.shape(node.input[0]), editor.constant(node.input[1])
    last_axis = bool(shape) and attributes(node).get("axis", 0) in {-1, len(shape) - 1}
    return int(place) if last_axis and place is not None and place.ndim == 0 else None


def _worthwhile(editor: GraphEditor, step: NodeProto) -> bool:
    """Large, short on its last axis, and with inputs of which one coordinate can be taken."""
    shape = editor.shape(step.output[0])
    sizes = [size for size in shape if size is not None]
    if not shape or shape[-1] is None or shape[-1] > _SHORT_AXIS or math.prod(sizes) < _SMALLEST_TENSOR:
        return False
    tensors = [name for name in step.input if name and not editor.is_scalar(name)]
    return all(len(editor.shape(name)) == len(shape) and editor.shape(name)[-1] == shape[-1] for name in tensors)


def _only_chosen_from(editor: GraphEditor, step: NodeProto) -> bool:
    name = step.output[0]
    users = editor.users(name)
    return not editor.is_output(name) and all(
        user.op_type == "Gather" and user.input[0] == name and _chosen(editor, user) is not None for user in users
    )


def _one_of(editor: GraphEditor, name: str, index: int) -> str:
    if not name or editor.is_scalar(name):
        return name
    place = editor.add_constant(np.array(index, dtype=np.int64))
    return editor.add("Gather", [name, place], axis=len(editor.shape(name)) - 1)
