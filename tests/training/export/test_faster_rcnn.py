"""Faster R-CNN with a batch axis finds what torchvision finds image by image."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.ops import MultiScaleRoIAlign

from training.configuration import load_configuration
from training.detector.faster_rcnn import new_faster_rcnn
from training.evaluation.inference import run_model_on
from training.export.faster_rcnn import faster_rcnn_graph, faster_rcnn_outputs
from training.export.parity import COMPARED_SCORE, require_parity
from training.export.passes import optimise

SIDE = 64


@pytest.fixture(scope="module")
def network() -> FasterRCNN:
    """Random, with scores that differ: else rounding decides which box suppresses which."""
    torch.manual_seed(3)
    network = new_faster_rcnn(load_configuration("smoke").detector.faster_rcnn, SIDE)
    classes = network.roi_heads.box_predictor.cls_score
    for module, deviation in ((network.rpn.head.cls_logits, 1.0), (classes, 0.1)):
        nn.init.normal_(module.weight, std=deviation)
    with torch.no_grad():
        classes.weight[0] = 0  # the background, which would win everywhere
        classes.weight[2] = -classes.weight[1]
    for module in (network.rpn.head.bbox_pred, network.roi_heads.box_predictor.bbox_pred):
        nn.init.normal_(module.weight, std=0.05)
    return network.eval()


@pytest.fixture(scope="module")
def graph(network: FasterRCNN) -> onnx.ModelProto:
    return optimise(faster_rcnn_graph(network, SIDE, SIDE))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, (3, SIDE, SIDE), dtype=np.uint8)


def test_a_batch_finds_the_boxes_of_torchvision(
    network: FasterRCNN, graph: onnx.ModelProto, images: np.ndarray
) -> None:
    expected = faster_rcnn_outputs(network, images)
    assert sum(int((boxes.scores >= COMPARED_SCORE).sum()) for boxes in expected) >= 5
    require_parity(expected, graph.SerializeToString(), images)


def test_the_number_of_boxes_of_a_score_is_that_of_torchvision(
    network: FasterRCNN, graph: onnx.ModelProto, images: np.ndarray
) -> None:
    """Parity looks for the boxes of torchvision; here nothing more is found than these."""
    found = run_model_on(graph.SerializeToString(), images)
    for boxes, scores in zip(faster_rcnn_outputs(network, images), found["scores"], strict=True):
        assert (scores > 0).sum() == len(boxes.scores)
        assert scores[: len(boxes.scores)] == pytest.approx(boxes.scores, abs=1e-4)
        assert (np.diff(scores) <= 0).all()


def test_the_first_convolution_reads_one_channel(graph: onnx.ModelProto) -> None:
    first = next(node for node in graph.graph.node if node.op_type == "Conv")
    (weights,) = [tensor for tensor in graph.graph.initializer if tensor.name == first.input[1]]
    assert weights.dims[1] == 1


def test_boxes_from_several_levels_are_refused(network: FasterRCNN) -> None:
    several = new_faster_rcnn(load_configuration("smoke").detector.faster_rcnn, SIDE)
    several.roi_heads.box_roi_pool = MultiScaleRoIAlign(["0", "1"], output_size=7, sampling_ratio=2)
    with pytest.raises(ValueError, match="pooled from 2 levels"):
        faster_rcnn_graph(several, SIDE, SIDE)
