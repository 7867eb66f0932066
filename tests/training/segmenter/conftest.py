"""Phantoms in the layout of the reviewed slices, with bright lesions."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.phantom import abdomen_phantom
from training.segmenter.prepare import ellipses

SIDE = 128
PATIENTS = 10
REVIEWS = ("none_seen", "none_seen", "lesion", "unclear")
LESION_GREY = 230


@pytest.fixture(scope="session")
def slices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out as msd-liver-slices with its second review: four phantoms of each patient."""
    folder = tmp_path_factory.mktemp("slices")
    for name in ("images", "liver_masks", "second-review"):
        (folder / name).mkdir()
    rows, boxes = [], []
    for patient in range(PATIENTS):
        for number, review in enumerate(REVIEWS):
            phantom = abdomen_phantom(np.random.default_rng([patient, number]), SIDE)
            image = f"{patient}_{number}.png"
            grey = np.clip(phantom.hu * (255 / 250), 0, 255).astype(np.uint8)
            if review == "lesion":
                row, column = np.argwhere(phantom.liver_mask)[int(phantom.liver_mask.sum()) // 2]
                boxes.append([image, column - 4, row - 3, column + 4, row + 3, "sure"])
                grey[ellipses(((column - 4, row - 3, column + 4, row + 3),), grey.shape)] = LESION_GREY
            Image.fromarray(grey).save(folder / "images" / image)
            Image.fromarray(phantom.liver_mask).save(folder / "liver_masks" / image)
            rows.append([image, patient, number, int(phantom.liver_mask.sum()), review])
    tables = {
        "slices.csv": (["image", "patient", "slice", "liver_pixels", "review"], rows),
        "lesions.csv": (["image", "x_min", "y_min", "x_max", "y_max", "confidence"], boxes),
    }
    for name, (header, values) in tables.items():
        with (folder / "second-review" / name).open("w", newline="") as file:
            csv.writer(file).writerows([header, *values])
    return folder
