"""Graph passes that every exported graph gets.

ONNX Runtime's own optimisers run whenever a session loads a graph, and onnxslim makes none faster after them: neither
finds the patterns below. A pass keeps the results and computes them in a way that is cheap on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx

from training.export.passes.editor import GraphEditor
from training.export.passes.folding import fold_indices
from training.export.passes.scaling import reshape_before_scaling
from training.export.passes.scatter import scatter_whole_rows
from training.export.passes.selection import select_before_elementwise
from training.export.passes.softmax import softmax_over_last_axis
from training.export.passes.suppression import suppress_by_matrix_product

Pass = Callable[[GraphEditor], bool]
"""Rewrites one match of its pattern and returns True, or finds none and returns False."""

PASSES: tuple[Pass, ...] = (
    fold_indices,
    reshape_before_scaling,
    select_before_elementwise,
    suppress_by_matrix_product,
    softmax_over_last_axis,
    scatter_whole_rows,
)


def optimise(model: onnx.ModelProto) -> onnx.ModelProto:
    """Applies every pass until none finds its pattern. Changes `model` in place and returns it.

    Inputs, outputs and their shapes stay. Raises onnx.checker.ValidationError where a pass made an invalid graph.
    """
    changed = False
    for rewrite in PASSES:
        while rewrite(editor := GraphEditor(model)):
            editor.commit()
            changed = True
    if changed:
        onnx.checker.check_model(model)
    return model
