"""Writing a prepared data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.prepared.dataset import Example
from training.prepared.writing import start_dataset, write_example

SIDE = 64
BOX = (0.25, 0.25, 0.5, 0.5)


def test_a_given_mask_is_written_and_an_ellipse_without_one(tmp_path: Path) -> None:
    start_dataset(tmp_path, {})
    grey, own = np.zeros((SIDE, SIDE), dtype=np.uint8), np.zeros((SIDE, SIDE), dtype=bool)
    own[18:20, 18:20] = True
    for name, mask in (("own", own), ("none", None)):
        write_example(Example("train", name, "p", 0, [(0, *BOX)]), grey, mask, tmp_path)
    read = {name: np.asarray(Image.open(tmp_path / "train" / "lesions" / f"{name}.png")) for name in ("own", "none")}
    assert np.array_equal(read["own"], own)
    assert read["none"].sum() == pytest.approx(np.pi / 4 * 16**2, rel=0.05)
