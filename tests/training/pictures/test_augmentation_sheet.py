"""The contact sheet of augmentations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from training.configuration import Configuration, load_configuration
from training.pictures.augmentation_sheet import DRAWS, augmentation_sheet


def configuration_with_every_setting() -> Configuration:
    smoke = load_configuration("smoke")
    classifier = smoke.classifier.model_copy(update={"noise": 0.05, "horizontal_flip": True})
    detector = smoke.detector.model_copy(update={"noise": 0.05, "shear_degrees": 3.0, "horizontal_flip": True})
    return smoke.model_copy(update={"classifier": classifier, "detector": detector})


def test_the_sheet_has_one_row_per_setting(tmp_path: Path) -> None:
    with Image.open(augmentation_sheet(configuration_with_every_setting(), tmp_path / "sheet.png")) as sheet:
        side = sheet.width // (DRAWS + 1)
        assert side == 128
        assert sheet.height == (8 + 7) * (side + 14)
        grey = np.asarray(sheet.convert("L"), dtype=float)
    for row in range(15):
        top = row * (side + 14) + 14
        tiles = [grey[top : top + side, column * side : (column + 1) * side] for column in range(DRAWS + 1)]
        assert max(np.abs(tile - tiles[0]).mean() for tile in tiles[1:]) > 0.5, f"row {row} shows no change"
