"""The box around the body: a table, arms, lungs and bones do not move it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hepar.imaging.body import TISSUE_HU, BodyBox, body_box, organs_box, united

SIDE = 512
BODY = BodyBox(96 / SIDE, 140 / SIDE, 416 / SIDE, 380 / SIDE)
TOLERANCE = 5 / SIDE


def ellipse(x_min: int, y_min: int, x_max: int, y_max: int) -> NDArray[np.bool_]:
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    across = (x - (x_min + x_max) / 2) / ((x_max - x_min) / 2)
    down = (y - (y_min + y_max) / 2) / ((y_max - y_min) / 2)
    return np.asarray(across**2 + down**2 <= 1)


def slice_hu() -> NDArray[np.float32]:
    """A body of fat and liver with a spine and a lung, in air."""
    hu = np.full((SIDE, SIDE), -1000, dtype=np.float32)
    hu[ellipse(96, 140, 416, 380)] = -100
    hu[ellipse(110, 160, 260, 330)] = 110
    hu[ellipse(240, 310, 280, 360)] = 900
    hu[ellipse(290, 170, 390, 300)] = -850
    return hu


def found(hu: NDArray[np.float32]) -> tuple[float, ...]:
    box = body_box(hu > TISSUE_HU)
    assert box is not None
    return corners(box)


def corners(box: BodyBox) -> tuple[float, ...]:
    return box.x_min, box.y_min, box.x_max, box.y_max


def test_the_box_holds_the_body_and_little_more() -> None:
    box = found(slice_hu())
    assert box == pytest.approx(corners(BODY), abs=TOLERANCE)
    assert box[0] <= BODY.x_min
    assert box[1] <= BODY.y_min
    assert box[2] >= BODY.x_max
    assert box[3] >= BODY.y_max


@pytest.mark.parametrize("gap_px", [0, 8])
def test_a_table_does_not_count_even_where_the_body_touches_it(gap_px: int) -> None:
    hu = slice_hu()
    top = 380 + gap_px
    hu[top : top + 4, 30:480] = 200
    hu[top + 40 : top + 44, 30:480] = 200
    hu[top : top + 44, 30:34] = hu[top : top + 44, 476:480] = 200
    assert found(hu) == pytest.approx(corners(BODY), abs=2 * TOLERANCE)


def test_arms_beside_the_body_do_not_count() -> None:
    hu = slice_hu()
    hu[ellipse(20, 220, 80, 290)] = 40
    assert found(hu) == pytest.approx(corners(BODY), abs=TOLERANCE)


def test_a_body_that_fills_the_image_has_the_box_of_the_image() -> None:
    assert found(np.full((SIDE, SIDE), 40, dtype=np.float32)) == (0, 0, 1, 1)


def test_nothing_but_air_or_noise_has_no_box() -> None:
    assert body_box(np.zeros((SIDE, SIDE), dtype=bool)) is None
    assert body_box(np.random.default_rng(1).random((SIDE, SIDE)) < 0.1) is None
    assert organs_box(np.zeros((SIDE, SIDE), dtype=np.uint8)) is None


def test_organs_are_found_one_by_one_where_fat_is_black_and_a_table_is_a_line() -> None:
    grey = np.zeros((SIDE, SIDE), dtype=np.uint8)
    grey[ellipse(110, 160, 260, 330)] = 110
    grey[ellipse(360, 200, 400, 300)] = 120
    grey[440:443, 20:490] = 255
    box = organs_box(grey)
    assert box is not None
    assert corners(box) == pytest.approx((110 / SIDE, 160 / SIDE, 400 / SIDE, 330 / SIDE), abs=TOLERANCE)


def test_boxes_are_united() -> None:
    assert united([]) is None
    assert united([BodyBox(0.1, 0.2, 0.5, 0.6), BodyBox(0.2, 0.1, 0.4, 0.9)]) == BodyBox(0.1, 0.1, 0.5, 0.9)
