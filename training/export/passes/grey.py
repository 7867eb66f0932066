"""The first convolution of a network for colour images that gets the same grey image three times."""

from __future__ import annotations

import numpy as np

from training.export.passes.editor import GraphEditor, attributes


def convolve_grey_once(editor: GraphEditor) -> bool:
    """Conv of Concat(grey, grey, grey) over channels: Conv of the one channel, with the sum of the weights.

    The sums are rounded otherwise, and two boxes of nearly the same score may change places. So weights that are stored
    as float16, those of a shipped graph, stay: its outputs must.
    """
    for node in editor.nodes:
        if node.op_type != "Conv" or attributes(node).get("group", 1) != 1 or editor.producer(node.input[1], "Cast"):
            continue
        together, weights = editor.producer(node.input[0], "Concat"), editor.constant(node.input[1])
        if together is None or weights is None or attributes(together)["axis"] != 1:
            continue
        channels = editor.shape(together.input[0])[1:2]
        if len(set(together.input)) != 1 or channels != [1] or len(together.input) != weights.shape[1]:
            continue
        summed = weights.astype(np.float64).sum(axis=1, keepdims=True).astype(weights.dtype)
        inputs = [together.input[0], editor.add_constant(summed), *node.input[2:]]
        editor.become(node, "Conv", inputs, **attributes(node))
        return True
    return False
