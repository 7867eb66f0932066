"""Stores weights as float16 and computes with them in float32."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SMALLEST_TENSOR = 256


def store_weights_as_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Stores each large float32 weight as float16 and casts it back in the graph.

    ONNX Runtime and TensorRT fold the casts when they load the model, so only the file is smaller.
    Weights beyond the range of float16 (65,504) are not changed.
    """
    initializers, casts = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor) if tensor.data_type == TensorProto.FLOAT else None
        if values is None or values.size < SMALLEST_TENSOR or np.abs(values).max() > 65_000:
            initializers.append(tensor)
            continue
        stored = f"{tensor.name}_float16"
        initializers.append(numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(helper.make_node("Cast", [stored], [tensor.name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(initializers)
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model
