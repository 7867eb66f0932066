"""Exports a YOLO detector as ONNX: uint8 images in, a fixed number of boxes out, suppression in the graph."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from training.export.fixed_boxes import BOXES, best_boxes, keep_by_cluster_nms, rows
from training.export.parity import FrameworkBoxes, GreyImages

OVERLAP = 0.5
CANDIDATES = 100
"""Before suppression. docs/decisions/0076: with 300 nothing more is found."""


class FixedBoxes(nn.Module):
    """Wraps an anchor-free YOLO whose head outputs (n, 4 + labels, anchors): centre, size, scores.

    in   image   (n, H, W, 1) uint8
    out  boxes   (n, 100, 4) float32, x_min y_min x_max y_max, 0..1 of the image
    out  scores  (n, 100) float32, highest first, 0 in unused rows
    out  labels  (n, 100) int32
    """

    def __init__(self, network: nn.Module, height: int, width: int, overlap: float = OVERLAP) -> None:
        super().__init__()
        self.network = network
        self.overlap = overlap
        self.register_buffer("size", torch.tensor([width, height, width, height], dtype=torch.float32))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        grey = image.permute(0, 3, 1, 2).to(torch.float32) / 255
        output = self.network(torch.cat([grey, grey, grey], dim=1))
        output = output[0] if isinstance(output, (tuple, list)) else output
        centre, extent, by_label = output[:, 0:2], output[:, 2:4], output[:, 4:]
        corners = torch.cat([centre - extent / 2, centre + extent / 2], dim=1).permute(0, 2, 1) / self.size
        scores, labels = by_label.max(dim=1)
        scores, chosen = scores.topk(min(CANDIDATES, scores.shape[1]), dim=1)
        boxes = rows(corners.clamp(0, 1), chosen)
        return best_boxes(boxes, scores * keep_by_cluster_nms(boxes, self.overlap), labels.gather(1, chosen))


def load_network(checkpoint: Path) -> nn.Module:
    """The trained network of an ultralytics checkpoint, in evaluation mode, float32, layers fused."""
    from ultralytics import YOLO

    network = YOLO(checkpoint).model.float().fuse().eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network


def yolo_outputs(network: nn.Module, images: GreyImages) -> list[FrameworkBoxes]:
    """The boxes of the network after the suppression of ultralytics itself. images: (n, h, w)."""
    from ultralytics.utils.nms import non_max_suppression

    grey = torch.from_numpy(images).unsqueeze(1).to(torch.float32) / 255
    with torch.no_grad():
        output = network(grey.expand(-1, 3, -1, -1))
    output = output[0] if isinstance(output, (tuple, list)) else output
    selected = non_max_suppression(output, conf_thres=0.05, iou_thres=OVERLAP, agnostic=True, max_det=BOXES)
    side = torch.tensor([images.shape[2], images.shape[1]] * 2)
    return [
        FrameworkBoxes(
            torch.minimum(found[:, :4].clamp(min=0), side).numpy().astype(np.float64),
            found[:, 5].numpy().astype(np.intp),
            found[:, 4].numpy().astype(np.float64),
        )
        for found in selected
    ]


def yolo_graph(network: nn.Module, height: int, width: int) -> onnx.ModelProto:
    """Exports the wrapped network with a dynamic batch."""
    for module in network.modules():
        if hasattr(module, "export") and hasattr(module, "format"):
            module.export, module.format, module.dynamic = True, "onnx", False
    wrapped = FixedBoxes(network, height, width).eval()
    example = torch.zeros(2, height, width, 1, dtype=torch.uint8)
    with torch.no_grad():
        wrapped(example)
    buffer = io.BytesIO()
    torch.onnx.export(
        wrapped,
        (example,),
        buffer,
        dynamo=False,
        opset_version=17,
        input_names=["image"],
        output_names=["boxes", "scores", "labels"],
        dynamic_axes={name: {0: "batch"} for name in ("image", "boxes", "scores", "labels")},
    )
    graph = onnx.load_model_from_string(buffer.getvalue())
    for output, dims in zip(graph.graph.output, ((BOXES, 4), (BOXES,), (BOXES,)), strict=True):
        for axis, size in zip(output.type.tensor_type.shape.dim[1:], dims, strict=True):
            axis.dim_value = size  # the exporter does not infer what topk fixes
    return graph
