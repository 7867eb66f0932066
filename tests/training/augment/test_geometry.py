"""Where an affine change puts a point, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from training.augment.geometry import Affine

SIDE = 65
CENTRE = 32
NEAREST = Image.Resampling.NEAREST


def moved(affine: Affine, row: int, column: int) -> tuple[int, int]:
    image = np.zeros((SIDE, SIDE), dtype=np.float32)
    image[row - 1 : row + 2, column - 1 : column + 2] = 1
    rows, columns = np.nonzero(affine.apply(image, NEAREST) > 0.5)
    return round(float(rows.mean())), round(float(columns.mean()))


@pytest.mark.parametrize(
    ("affine", "to"),
    [
        (Affine(0, 0, 0, 1, 1), (22, 42)),
        (Affine(0, 10 / SIDE, -5 / SIDE, 1, 1), (17, 52)),
        (Affine(0, 0, 0, 2, 1), (22, 52)),
        (Affine(0, 0, 0, 1, 2), (12, 42)),
        (Affine(np.pi / 2, 0, 0, 1, 1), (42, 42)),
    ],
)
def test_a_point_moves_as_computed(affine: Affine, to: tuple[int, int]) -> None:
    """From ten pixels above and ten right of the centre; a turn is clockwise on the screen."""
    row, column = moved(affine, CENTRE - 10, CENTRE + 10)
    assert abs(row - to[0]) <= 1
    assert abs(column - to[1]) <= 1


def test_what_is_drawn_keeps_to_its_bounds() -> None:
    rng = np.random.default_rng(0)
    drawn = [Affine.drawn(rng, 10, 0.1, 0.25) for _ in range(500)]
    assert max(abs(item.turn) for item in drawn) <= np.deg2rad(10)
    assert max(abs(item.right) for item in drawn) <= 0.1
    widths = [item.wider for item in drawn]
    assert 0.7 < min(widths) < 0.85
    assert 1.15 < max(widths) < 1.32
