"""Augmentation for Faster R-CNN."""

from __future__ import annotations

import numpy as np
import torch
from torchvision import tv_tensors

from training.configuration import load_configuration
from training.detector.augmentation import training_transform


def test_boxes_move_with_their_lesion() -> None:
    """The image is black except for one white square, which its box must follow."""
    image = torch.zeros(3, 128, 128)
    image[:, 40:60, 70:90] = 1
    boxes = tv_tensors.BoundingBoxes(
        torch.tensor([[70.0, 40, 90, 60]]), format=tv_tensors.BoundingBoxFormat.XYXY, canvas_size=(128, 128)
    )
    changes = {"brightness": 0.0, "shear_degrees": 3.0, "horizontal_flip": True}
    settings = load_configuration("smoke").detector.model_copy(update=changes)
    transform = training_transform(settings)
    torch.manual_seed(0)
    moved = 0
    for _ in range(20):
        changed, target = transform(tv_tensors.Image(image), {"boxes": boxes, "labels": torch.tensor([1])})
        rows, columns = np.nonzero(changed[0].numpy() > 0.5)
        corners = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert np.abs(target["boxes"][0].numpy() - corners).max() <= 2.5
        moved += corners != [70, 40, 90, 60]
    assert moved > 10
