"""The exported graphs compute the same as the networks and the libraries."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torchvision
from onnx import TensorProto, helper, numpy_helper

from training.classifier.architectures import CLASSIFIERS
from training.classifier.fit import new_classifier
from training.configuration import ClassifierName, load_configuration
from training.export.classifier import classifier_graph
from training.export.fixed_boxes import keep_by_cluster_nms
from training.export.parity import FrameworkBoxes, ParityError, require_parity
from training.export.weights import store_weights_as_float16


def session(graph: onnx.ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("kind", CLASSIFIERS)
@pytest.mark.parametrize("labels", [2, 3])
def test_the_graph_of_a_classifier_gives_the_outputs_of_keras(kind: ClassifierName, labels: int) -> None:
    model = new_classifier(kind, load_configuration("smoke"), labels)
    graph = classifier_graph(model, labels)
    images = np.random.default_rng(0).integers(0, 256, (4, 128, 128, 1), dtype=np.uint8)
    logits, activation = session(graph).run(["logits", "activation"], {"image": images})
    expected = model(images, training=False)
    assert logits == pytest.approx(np.asarray(expected["logits"]), abs=1e-4)
    maps = np.asarray(expected["activation"]).transpose(0, 3, 1, 2)[:, :labels]
    assert logits.shape == (4, labels)
    assert activation == pytest.approx(maps, abs=1e-3)


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_the_logits_are_pooled_from_the_activation_map(kind: ClassifierName) -> None:
    model = new_classifier(kind, load_configuration("smoke"), 3)
    images = np.random.default_rng(1).integers(0, 256, (2, 128, 128, 1), dtype=np.uint8)
    answer = model(images, training=False)
    activation = np.asarray(answer["activation"], dtype=np.float64)
    pooled = np.log(np.exp(3 * activation).mean(axis=(1, 2))) / 3
    assert np.asarray(answer["logits"]) == pytest.approx(pooled, abs=1e-3)
    assert (activation[..., -1] == 0).all()


def test_parity_fails_for_different_probabilities() -> None:
    model = new_classifier("resnet", load_configuration("smoke"), 3)
    graph = classifier_graph(model, 3).SerializeToString()
    images = np.random.default_rng(2).integers(0, 256, (3, 128, 128), dtype=np.uint8)
    logits = np.asarray(model(images[..., None], training=False)["logits"], dtype=np.float64)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    require_parity(list(probabilities), graph, images)
    probabilities[2] += [0.01, -0.01, 0]
    with pytest.raises(ParityError, match="image 2: probabilities differ"):
        require_parity(list(probabilities), graph, images)


@pytest.mark.parametrize(
    ("shift", "label", "score", "equal"),
    [
        (0.0, 0, 0.8, True),
        (0.5, 0, 0.8, True),
        (1.5, 0, 0.8, False),
        (0, 1, 0.8, False),
        (0, 0, 0.7, False),
        (9, 1, 0.05, True),
    ],
)
def test_parity_of_boxes(*, shift: float, label: int, score: float, equal: bool) -> None:
    """The graph always finds one box; the framework finds it slightly elsewhere."""
    box = np.zeros((1, 100, 4), dtype=np.float32)
    box[0, 0] = [0.25, 0.25, 0.5, 0.5]
    scores, labels = np.zeros((1, 100), dtype=np.float32), np.zeros((1, 100), dtype=np.int32)
    scores[0, 0] = 0.8
    constants = [numpy_helper.from_array(v, n) for n, v in (("boxes", box), ("scores", scores), ("labels", labels))]
    graph = helper.make_graph(
        [helper.make_node("Identity", [f"{name}"], [f"{name}_out"]) for name in ("boxes", "scores", "labels")],
        "one_box",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 64, 64, 1])],
        [helper.make_tensor_value_info(f"{t.name}_out", t.data_type, t.dims) for t in constants],
        constants,
    )
    rename = {f"{name}_out": name for name in ("boxes", "scores", "labels")}
    for node, output in zip(graph.node, graph.output, strict=True):
        node.input[0] = f"{rename[output.name]}_constant"
        node.output[0] = output.name = rename[output.name]
    for tensor in graph.initializer:
        tensor.name += "_constant"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    found = FrameworkBoxes(np.array([[16.0 + shift, 16, 32, 32]]), np.array([label]), np.array([score]))
    images = np.zeros((1, 64, 64), dtype=np.uint8)
    if equal:
        require_parity([found], model.SerializeToString(), images)
    else:
        with pytest.raises(ParityError, match="image 0: a box of score"):
            require_parity([found], model.SerializeToString(), images)


@pytest.mark.parametrize("seed", range(8))
def test_cluster_nms_keeps_the_same_boxes_as_torchvision(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    centre = torch.rand(1, 300, 2, generator=generator)
    extent = 0.02 + 0.25 * torch.rand(1, 300, 2, generator=generator)
    boxes = torch.cat([centre - extent / 2, centre + extent / 2], dim=2)
    scores = torch.linspace(1, 0.01, 300)
    kept = keep_by_cluster_nms(boxes, 0.5)[0].nonzero().flatten()
    expected = torchvision.ops.nms(boxes[0], scores, 0.5)
    assert kept.tolist() == sorted(expected.tolist())


def test_float16_weights_change_a_product_only_slightly() -> None:
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
