"""Perturbed images, and where their lesions are."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.support import boxes
from training.evaluation.perturbations import PERTURBATIONS, ROTATION_DEGREES, perturbed_boxes


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_perturbation_is_small_and_deterministic(name: str) -> None:
    rows, columns = np.mgrid[:64, :64]
    image = (120 + 60 * np.sin(rows / 5) * np.cos(columns / 7)).astype(np.uint8)
    changed = PERTURBATIONS[name](image)
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    difference = np.abs(changed.astype(int) - image).mean()
    assert 0.5 < difference < 40
    assert (PERTURBATIONS[name](image) == changed).all()


def test_a_rotation_moves_the_boxes() -> None:
    image = np.zeros((200, 200), dtype=np.uint8)
    image[40:60, 130:150] = 255
    name = f"rotation by {ROTATION_DEGREES:g} degrees"
    rows, columns = np.nonzero(PERTURBATIONS[name](image) > 127)
    (box,) = perturbed_boxes(name, boxes((0.65, 0.2, 0.75, 0.3, 0, 1))).corners * 200
    centre = (columns.mean() + 0.5, rows.mean() + 0.5)
    assert ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) == pytest.approx(centre, abs=1)
    assert perturbed_boxes("blur", boxes((0, 0, 1, 1, 0, 1))).corners.tolist() == [[0, 0, 1, 1]]
