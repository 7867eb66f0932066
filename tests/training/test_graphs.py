"""What the exported graphs compute is what the networks and the libraries compute."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torchvision
from onnx import TensorProto, helper, numpy_helper

from training.classifier.fit import new_classifier
from training.configuration import load_configuration
from training.export.classifier import classifier_graph
from training.export.detector import keep_by_cluster_nms
from training.export.weights import store_weights_as_float16


def session(graph: onnx.ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])


def test_the_classifiers_graph_answers_as_keras_does() -> None:
    model = new_classifier(load_configuration("smoke"))
    graph = classifier_graph(model)
    images = np.random.default_rng(0).integers(0, 256, (4, 128, 128, 1), dtype=np.uint8)
    logits, activation = session(graph).run(["logits", "activation"], {"image": images})
    expected = model(images, training=False)
    assert logits == pytest.approx(np.asarray(expected["logits"]), abs=1e-4)
    assert activation == pytest.approx(np.asarray(expected["activation"]).transpose(0, 3, 1, 2), abs=1e-3)


def test_the_logits_are_pooled_from_the_activation_map() -> None:
    model = new_classifier(load_configuration("smoke"))
    images = np.random.default_rng(1).integers(0, 256, (2, 128, 128, 1), dtype=np.uint8)
    answer = model(images, training=False)
    activation = np.asarray(answer["activation"], dtype=np.float64)
    pooled = np.log(np.exp(3 * activation).mean(axis=(1, 2))) / 3
    assert np.asarray(answer["logits"]) == pytest.approx(pooled, abs=1e-3)
    assert (activation[..., -1] == 0).all()


@pytest.mark.parametrize("seed", range(8))
def test_suppression_without_a_loop_keeps_what_torchvision_keeps(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    centre = torch.rand(1, 300, 2, generator=generator)
    extent = 0.02 + 0.25 * torch.rand(1, 300, 2, generator=generator)
    boxes = torch.cat([centre - extent / 2, centre + extent / 2], dim=2)
    scores = torch.linspace(1, 0.01, 300)
    kept = keep_by_cluster_nms(boxes, 0.5)[0].nonzero().flatten()
    expected = torchvision.ops.nms(boxes[0], scores, 0.5)
    assert kept.tolist() == sorted(expected.tolist())


def test_half_weights_change_a_product_by_no_more_than_their_missing_bits() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(32, 32)).astype(np.float32)
    huge = np.full((32, 32), 1e6, dtype=np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "weights"], ["y"]),
        helper.make_node("MatMul", ["x", "huge"], ["z"]),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 32]) for name in "xyz"]
    constants = [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(huge, "huge")]
    graph = helper.make_graph(nodes, "test", values[:1], values[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    x = rng.normal(size=(4, 32)).astype(np.float32)
    before = session(model).run(None, {"x": x})
    halved = store_weights_as_float16(model)
    after = session(halved).run(None, {"x": x})
    assert after[0] == pytest.approx(before[0], abs=2e-2)
    assert (after[0] != before[0]).any()
    assert (after[1] == before[1]).all()
    kinds = {tensor.name: tensor.data_type for tensor in halved.graph.initializer}
    assert kinds == {"weights_float16": TensorProto.FLOAT16, "huge": TensorProto.FLOAT}
