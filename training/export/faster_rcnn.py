"""Exports Faster R-CNN as ONNX: one uint8 image in, a fixed number of boxes out. The graph has no batch axis."""

from __future__ import annotations

import io

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN

from training.detector.faster_rcnn import BOXES
from training.export.parity import FrameworkBoxes, GreyImages


class FixedBoxesOfOne(nn.Module):
    """Pads the output of torchvision, which is already suppressed and sorted, to a fixed number of rows.

    in   image   (H, W, 1) uint8
    out  boxes   (100, 4) float32, x_min y_min x_max y_max, 0..1 of the image
    out  scores  (100,) float32, highest first, 0 in unused rows
    out  labels  (100,) int32, from 0
    """

    def __init__(self, network: FasterRCNN, height: int, width: int) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("size", torch.tensor([width, height, width, height], dtype=torch.float32))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        grey = image.permute(2, 0, 1).to(torch.float32) / 255
        (found,) = self.network([grey.expand(3, -1, -1)])
        corners = torch.cat([found["boxes"] / self.size, torch.zeros(BOXES, 4)])[:BOXES].clamp(0, 1)
        scores = torch.cat([found["scores"], torch.zeros(BOXES)])[:BOXES]
        labels = torch.cat([found["labels"] - 1, torch.zeros(BOXES, dtype=torch.int64)])[:BOXES]
        return corners, scores, labels.to(torch.int32)


def faster_rcnn_graph(network: FasterRCNN, height: int, width: int) -> onnx.ModelProto:
    """Exports the network in evaluation mode. Shapes are fixed: torchvision unrolls a batch image by image."""
    wrapped = FixedBoxesOfOne(network.eval(), height, width).eval()
    buffer = io.BytesIO()
    torch.onnx.export(
        wrapped,
        (torch.zeros(height, width, 1, dtype=torch.uint8),),
        buffer,
        dynamo=False,
        opset_version=17,
        input_names=["image"],
        output_names=["boxes", "scores", "labels"],
    )
    graph = onnx.load_model_from_string(buffer.getvalue())
    for output, dims in zip(graph.graph.output, ((BOXES, 4), (BOXES,), (BOXES,)), strict=True):
        shape = output.type.tensor_type.shape
        del shape.dim[:]
        for size in dims:
            shape.dim.add().dim_value = size
    return graph


def faster_rcnn_outputs(network: FasterRCNN, images: GreyImages) -> list[FrameworkBoxes]:
    """The output of torchvision itself. images: (n, h, w)."""
    network.eval()
    boxes = []
    for image in images:
        with torch.no_grad():
            (found,) = network([torch.from_numpy(image)[None].expand(3, -1, -1) / 255])
        boxes.append(
            FrameworkBoxes(
                found["boxes"].numpy().astype(np.float64),
                found["labels"].numpy() - 1,
                found["scores"].numpy().astype(np.float64),
            )
        )
    return boxes
