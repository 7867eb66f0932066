"""Graph passes that every exported graph gets.

ONNX Runtime's own optimisers run whenever a session loads a graph, and onnxslim makes none faster after them: neither
finds the patterns below. A pass keeps the results and computes them in a way that is cheap on a CPU. It works on the
graph, not on the exporter, so that shipped graphs whose checkpoints are gone get it too.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx

from training.export.passes.editor import GraphEditor
from training.export.passes.folding import fold_indices
from training.export.passes.grey import convolve_grey_once
from training.export.passes.scaling import reshape_before_scaling
from training.export.passes.softmax import softmax_over_last_axis
from training.export.passes.suppression import suppress_by_matrix_product

Pass = Callable[[GraphEditor], bool]
"""Rewrites one match of its pattern and returns True, or finds none and returns False."""

PASSES: tuple[Pass, ...] = (
    fold_indices,
    convolve_grey_once,
    reshape_before_scaling,
    suppress_by_matrix_product,
    softmax_over_last_axis,
)


OLDEST_OPSET = 13
"""Softmax, Squeeze and Unsqueeze mean something else in older ones."""


def optimise(model: onnx.ModelProto) -> onnx.ModelProto:
    """Applies every pass until none finds its pattern. Changes `model` in place and returns it.

    Inputs, outputs and their shapes stay. A graph of an opset below OLDEST_OPSET is not changed at all.
    Raises onnx.checker.ValidationError where a pass made an invalid graph.
    """
    if any(opset.domain in {"", "ai.onnx"} and opset.version < OLDEST_OPSET for opset in model.opset_import):
        return model
    changed = False
    for rewrite in PASSES:
        while rewrite(editor := GraphEditor(model)):
            editor.commit()
            changed = True
    if changed:
        onnx.checker.check_model(model)
    return model
