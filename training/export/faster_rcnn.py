"""Exports Faster R-CNN as ONNX: a batch of uint8 images in, a fixed number of boxes of each image out."""

from __future__ import annotations

import io

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops import roi_align

from training.export.fixed_boxes import BOXES, best_boxes, keep_by_cluster_nms, rows
from training.export.parity import FrameworkBoxes, GreyImages

_SMALLEST_PROPOSAL_PX = 1e-3
_SMALLEST_BOX_PX = 1e-2
"""torchvision drops what is smaller, with these constants in its code."""


class FixedBoxesOfProposals(nn.Module):
    """What torchvision computes image by image, on a batch: a fixed number of proposals is kept at every step.

    Suppressed proposals and boxes stay as rows of score 0, where torchvision has fewer rows.

    in   image   (n, H, W, 1) uint8
    out  boxes   (n, 100, 4) float32, x_min y_min x_max y_max, 0..1 of the image
    out  scores  (n, 100) float32, highest first, 0 in unused rows
    out  labels  (n, 100) int32, from 0
    """

    def __init__(self, network: FasterRCNN, height: int, width: int) -> None:
        """Raises ValueError for a network whose boxes are pooled from several levels of the pyramid.

        All three channels of its input must be normalised alike.
        """
        super().__init__()
        self.network = network
        pooling = network.roi_heads.box_roi_pool
        if len(pooling.featmap_names) != 1:
            raise ValueError(f"boxes are pooled from {len(pooling.featmap_names)} levels; a batch needs one")
        self.side_px = float(max(height, width))
        with torch.no_grad():
            image = torch.zeros(1, 3, height, width)
            features = list(network.backbone(image).values())
            (anchors,) = network.rpn.anchor_generator(ImageList(image, [(height, width)]), features)
        self.register_buffer("anchors", anchors)
        self.register_buffer("size", torch.tensor([width, height, width, height], dtype=torch.float32))
        (self.mean,), (self.deviation,) = set(network.transform.image_mean), set(network.transform.image_std)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        grey = image.permute(0, 3, 1, 2).to(torch.float32) / 255
        grey = (grey - self.mean) / self.deviation
        features = self.network.backbone(torch.cat([grey, grey, grey], dim=1))
        proposals = self._proposals(list(features.values()))
        boxes, scores, labels = self._candidates(features, proposals)
        keep = keep_by_cluster_nms(self._apart(boxes, labels), self.network.roi_heads.nms_thresh)
        return best_boxes(boxes / self.size, scores * keep, labels)

    def _proposals(self, features: list[Tensor]) -> Tensor:
        """(n, k, 4) pixels: the best of each level of the pyramid, after suppression within the level."""
        rpn = self.network.rpn
        by_level, deltas_by_level = rpn.head(features)
        sizes = [level.shape[1] * level.shape[2] * level.shape[3] for level in by_level]
        images = by_level[0].shape[0]
        objectness, deltas = concat_box_prediction_layers(by_level, deltas_by_level)
        scores, deltas = objectness.reshape(images, -1), deltas.reshape(images, -1, 4)
        chosen, levels, start = [], [], 0
        for number, size in enumerate(sizes):
            count = min(rpn.pre_nms_top_n(), size)
            chosen.append(scores[:, start : start + size].topk(count, dim=1).indices + start)
            levels.append(torch.full((count,), number))
            start += size
        together = torch.cat(chosen, dim=1)
        scores, order = scores.gather(1, together).sort(dim=1, descending=True)
        together = together.gather(1, order)
        level = torch.cat(levels).expand_as(order).gather(1, order)
        boxes = rpn.box_coder.decode_single(
            rows(deltas, together).reshape(-1, 4), self.anchors[together].reshape(-1, 4)
        )
        boxes = self._clipped(boxes.reshape(images, -1, 4))
        keep = keep_by_cluster_nms(self._apart(boxes, level), rpn.nms_thresh)
        keep = keep * (_shorter_side(boxes) >= _SMALLEST_PROPOSAL_PX).to(keep.dtype)
        best = (torch.sigmoid(scores) * keep).topk(min(rpn.post_nms_top_n(), keep.shape[1]), dim=1).indices
        return rows(boxes, best)

    def _candidates(self, features: dict[str, Tensor], proposals: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (n, m, 4) in pixels, scores (n, m) from the highest down, labels (n, m) from 0."""
        heads = self.network.roi_heads
        (name,) = heads.box_roi_pool.featmap_names
        level = features[name]
        images, count = proposals.shape[0], proposals.shape[1]
        image = torch.arange(images, dtype=proposals.dtype).reshape(-1, 1, 1).expand(-1, count, 1)
        pooled = roi_align(
            level,
            torch.cat([image, proposals], dim=2).reshape(-1, 5),
            heads.box_roi_pool.output_size,
            level.shape[-1] / self.side_px,
            heads.box_roi_pool.sampling_ratio,
        )
        logits, deltas = heads.box_predictor(heads.box_head(pooled))
        boxes = heads.box_coder.decode_single(deltas, proposals.reshape(-1, 4))
        kinds = logits.shape[1] - 1
        boxes = self._clipped(boxes.reshape(images, count, kinds + 1, 4)[:, :, 1:]).reshape(images, -1, 4)
        scores = logits.softmax(dim=1).reshape(images, count, kinds + 1)[:, :, 1:].reshape(images, -1)
        used = (scores > heads.score_thresh) & (_shorter_side(boxes) >= _SMALLEST_BOX_PX)
        scores, order = (scores * used.to(scores.dtype)).sort(dim=1, descending=True)
        labels = torch.arange(kinds).repeat(count).expand_as(order).gather(1, order)
        return rows(boxes, order), scores, labels

    def _clipped(self, boxes: Tensor) -> Tensor:
        return torch.minimum(boxes.clamp(min=0), self.size)

    def _apart(self, boxes: Tensor, group: Tensor) -> Tensor:
        """The boxes with each group moved to a place of its own, so that only boxes of a group suppress each other."""
        return boxes + (group * (2 * self.side_px)).unsqueeze(-1)


def _shorter_side(boxes: Tensor) -> Tensor:
    return torch.minimum(boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1])


def faster_rcnn_graph(network: FasterRCNN, height: int, width: int) -> onnx.ModelProto:
    """Exports the network in evaluation mode with a dynamic batch."""
    wrapped = FixedBoxesOfProposals(network.eval(), height, width).eval()
    buffer = io.BytesIO()
    names = ["image", "boxes", "scores", "labels"]
    torch.onnx.export(
        wrapped,
        (torch.zeros(2, height, width, 1, dtype=torch.uint8),),
        buffer,
        dynamo=False,
        opset_version=17,
        input_names=names[:1],
        output_names=names[1:],
        dynamic_axes={name: {0: "batch"} for name in names},
    )
    graph = onnx.load_model_from_string(buffer.getvalue())
    for output, dims in zip(graph.graph.output, ((BOXES, 4), (BOXES,), (BOXES,)), strict=True):
        for axis, size in zip(output.type.tensor_type.shape.dim[1:], dims, strict=True):
            axis.dim_value = size  # the exporter does not infer what topk fixes
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
