"""What a training image may suffer: each line of the configuration, with boxes and masks that move along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision import tv_tensors  # before TensorFlow, which else crashes it

from training.configuration import Configuration, load_configuration
from training.detector.augmentation import training_transform
from training.evaluation.augmentation_sheet import DRAWS, augmentation_sheet


def everything() -> Configuration:
    smoke = load_configuration("smoke")
    classifier = smoke.classifier.model_copy(update={"noise": 0.05, "horizontal_flip": True})
    detector = smoke.detector.model_copy(update={"noise": 0.05, "shear_degrees": 3.0, "horizontal_flip": True})
    return smoke.model_copy(update={"classifier": classifier, "detector": detector})


def test_the_sheet_has_a_row_for_every_line_of_the_configuration(tmp_path: Path) -> None:
    with Image.open(augmentation_sheet(everything(), tmp_path / "sheet.png")) as sheet:
        side = sheet.width // (DRAWS + 1)
        assert side == 128
        assert sheet.height == (8 + 7) * (side + 14)
        grey = np.asarray(sheet.convert("L"), dtype=float)
    for row in range(15):
        top = row * (side + 14) + 14
        tiles = [grey[top : top + side, column * side : (column + 1) * side] for column in range(DRAWS + 1)]
        assert max(np.abs(tile - tiles[0]).mean() for tile in tiles[1:]) > 0.5, f"row {row} does nothing"


def test_boxes_of_a_detector_stay_on_their_lesion() -> None:
    """A white square is all there is; wherever it goes, its box goes."""
    image = torch.zeros(3, 128, 128)
    image[:, 40:60, 70:90] = 1
    boxes = tv_tensors.BoundingBoxes(
        torch.tensor([[70.0, 40, 90, 60]]), format=tv_tensors.BoundingBoxFormat.XYXY, canvas_size=(128, 128)
    )
    settings = everything().detector.model_copy(update={"noise": 0.0, "brightness": 0.0})
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
