"""Weights of an exported graph, back in a new network: it computes the same, in evaluation and almost in training."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import onnx
import pytest
import torch
from torch import Tensor, nn

from training.configuration import load_configuration
from training.detector.faster_rcnn import new_faster_rcnn
from training.detector.shipped_weights import load_shipped_weights, training_images
from training.export.weights import store_weights_as_float16
from training.sources import UnusableData

SIDE = 64


def randomised(network: nn.Module) -> nn.Module:
    """With batch statistics, scales and shifts as a training leaves them: none is 0 or 1."""
    torch.manual_seed(5)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.7, 1.3)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return network.eval()


@pytest.fixture
def images() -> Tensor:
    return torch.rand(16, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1)).expand(-1, 3, -1, -1)


@pytest.fixture
def yolo(tmp_path: Path) -> type[nn.Module]:
    from training.detector.yolo import work_offline

    work_offline(tmp_path)
    from ultralytics.nn.tasks import DetectionModel

    return cast("type[nn.Module]", DetectionModel)


def saved(graph: onnx.ModelProto, tmp_path: Path) -> Path:
    onnx.save(store_weights_as_float16(graph), tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def test_a_yolo_computes_what_its_graph_computed(yolo: type[nn.Module], images: Tensor, tmp_path: Path) -> None:
    from training.export.yolo import yolo_graph

    donor, network = (randomised(yolo("yolov5n.yaml", nc=2, verbose=False)) for _ in range(2))
    nn.init.normal_(next(donor.parameters()), std=0.3)
    with torch.no_grad():
        expected, other = donor(images)[0], network(images)[0]
    load_shipped_weights(network, saved(yolo_graph(donor.fuse(), SIDE, SIDE), tmp_path), images)
    with torch.no_grad():
        assert not torch.allclose(other, expected, rtol=0.02, atol=0.02)
        assert torch.allclose(network(images)[0], expected, rtol=0.02, atol=0.02)


def test_normalisation_in_training_changes_little(yolo: type[nn.Module], images: Tensor, tmp_path: Path) -> None:
    """The statistics of a batch are those that were measured: training starts where the graph was."""
    from training.export.yolo import yolo_graph

    donor, network = (randomised(yolo("yolov5n.yaml", nc=2, verbose=False)) for _ in range(2))
    load_shipped_weights(network, saved(yolo_graph(donor.fuse(), SIDE, SIDE), tmp_path), images)
    first = next(module for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    inputs: list[Tensor] = []
    first.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    with torch.no_grad():
        network(images)
        in_evaluation, in_training = first(inputs[0]), first.train()(inputs[0])
    assert torch.allclose(in_evaluation, in_training, atol=0.01)


def test_faster_rcnn_computes_what_its_graph_computed(images: Tensor, tmp_path: Path) -> None:
    """The export names the layers of its backbone by their place in the graph only."""
    from training.export.faster_rcnn import faster_rcnn_graph

    settings = load_configuration("smoke").detector.faster_rcnn
    donor, network = (randomised(new_faster_rcnn(settings, SIDE)) for _ in range(2))
    nn.init.normal_(next(donor.parameters()), std=0.3)
    donor = donor.eval()
    with torch.no_grad():
        expected = donor.backbone(images)
    load_shipped_weights(network, saved(faster_rcnn_graph(donor, SIDE, SIDE), tmp_path), images)
    with torch.no_grad():
        for name, features in network.backbone(images).items():
            assert float((features - expected[name]).abs().max()) < 0.01 * float(expected[name].abs().max())
    for name in ("rpn.head.cls_logits", "roi_heads.box_predictor.cls_score"):
        assert torch.allclose(network.get_submodule(name).weight, donor.get_submodule(name).weight, atol=1e-3)


def test_a_graph_of_another_network_is_refused(yolo: type[nn.Module], images: Tensor, tmp_path: Path) -> None:
    from training.export.yolo import yolo_graph

    graph = saved(yolo_graph(randomised(yolo("yolov5n.yaml", nc=2, verbose=False)), SIDE, SIDE), tmp_path)
    with pytest.raises(UnusableData, match="has the shape"):
        load_shipped_weights(yolo("yolov5n.yaml", nc=5, verbose=False), graph, images)
    with pytest.raises(UnusableData, match="no weights for the layer"):
        load_shipped_weights(new_faster_rcnn(load_configuration("smoke").detector.faster_rcnn, SIDE), graph, images)


def test_training_images_are_grey_and_between_0_and_1(prepared: Path) -> None:
    images = training_images(prepared / "data")
    assert images.shape[1:] == (3, 128, 128)
    assert 0 <= float(images.min()) < float(images.max()) <= 1
    assert torch.equal(images[:, 0], images[:, 2])
