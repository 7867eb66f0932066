"""A fixed number of boxes of each image, with non-maximum suppression that works on batches."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BOXES = 100
SUPPRESSION_ROUNDS = 12


def best_boxes(boxes: Tensor, scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The BOXES rows of the highest scores, padded with zeros where there are fewer.

    boxes: (n, m, 4).  scores, labels: (n, m).
    """
    missing = max(0, BOXES - scores.shape[1])
    scores, order = nn.functional.pad(scores, (0, missing)).topk(BOXES, dim=1)
    boxes = nn.functional.pad(boxes, (0, 0, 0, missing))
    return rows(boxes, order), scores, nn.functional.pad(labels, (0, missing)).gather(1, order).to(torch.int32)


def rows(values: Tensor, order: Tensor) -> Tensor:
    """(n, k, c): of values (n, m, c) the rows that order (n, k) names."""
    return values.gather(1, order.unsqueeze(-1).expand(-1, -1, values.shape[-1]))


def keep_by_cluster_nms(boxes: Tensor, overlap: float) -> Tensor:
    """1 for each box that greedy non-maximum suppression keeps, 0 for the rest.

    boxes: (n, m, 4), highest score first.  Cluster-NMS (Zheng et al., "Enhancing geometric factors in
    model learning and inference for object detection", IEEE Trans. Cybern. 52, 2022): repeating the
    parallel suppression from the survivors of the round before reaches the greedy result once the
    rounds exceed the longest chain of boxes that suppress each other.  Works on batches, without a loop in the graph.
    """
    x_min, y_min, x_max, y_max = boxes.unbind(dim=-1)  # pairs of one coordinate: their last axis is long
    area = (x_max - x_min) * (y_max - y_min)
    width = torch.minimum(x_max[:, :, None], x_max[:, None]) - torch.maximum(x_min[:, :, None], x_min[:, None])
    height = torch.minimum(y_max[:, :, None], y_max[:, None]) - torch.maximum(y_min[:, :, None], y_min[:, None])
    shared = width.clamp(min=0) * height.clamp(min=0)
    union = area[:, :, None] + area[:, None, :] - shared
    ranks = torch.arange(boxes.shape[1])
    earlier = (ranks[:, None] < ranks[None, :]).to(boxes.dtype)
    suppresses = (shared > overlap * union).to(boxes.dtype) * earlier
    keep = torch.ones_like(area)
    for _ in range(SUPPRESSION_ROUNDS):
        keep = ((suppresses * keep[:, :, None]).amax(dim=1) < 0.5).to(boxes.dtype)
    return keep
