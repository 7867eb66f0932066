"""Activation maps over the image, compared with values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepar.ensemble.activation_maps import MAP_SIDE, ensemble_activation_map, map_on_image
from hepar.ensemble.box_shares import share_in_boxes
from hepar.imaging.letterbox import letterbox


def test_the_letterbox_border_is_cropped() -> None:
    """An image twice as wide as high occupies the middle rows of a square input."""
    _, transform = letterbox(np.zeros((50, 100), dtype=np.uint8), 64, 64)
    activation = np.zeros((64, 64))
    activation[:16] = 9.0
    activation[48:] = 9.0
    activation[16:32, :32] = 3.0
    values = map_on_image(activation, transform)
    assert values.shape == (MAP_SIDE, MAP_SIDE)
    assert values[:30, :30] == pytest.approx(1)
    assert values[40:, 40:] == pytest.approx(0)


def test_negative_activation_becomes_zero() -> None:
    _, transform = letterbox(np.zeros((64, 64), dtype=np.uint8), 64, 64)
    assert map_on_image(np.full((4, 4), -3.0), transform).max() == 0


def test_maps_are_weighted_like_votes() -> None:
    maps = {"a": np.ones((2, 2)), "b": np.zeros((2, 2))}
    assert ensemble_activation_map(maps, {"a": 3.0, "b": 1.0}) == pytest.approx(0.75)
    assert ensemble_activation_map(maps, {}) == pytest.approx(0.5)


def test_overlapping_boxes_are_counted_once_in_the_share() -> None:
    even = np.ones((64, 64))
    assert share_in_boxes(even, [(0, 0, 50, 100)], 100, 100) == pytest.approx(0.5)
    assert share_in_boxes(even, [(0, 0, 50, 100), (0, 0, 50, 50)], 100, 100) == pytest.approx(0.5)
    assert share_in_boxes(even, [], 100, 100) == 0
    assert share_in_boxes(np.zeros((64, 64)), [(0, 0, 50, 100)], 100, 100) == 0
    corner = np.zeros((64, 64))
    corner[0, 63] = 1
    assert share_in_boxes(corner, [(198, 0, 200, 1)], 200, 100) == pytest.approx(0.6 * 0.6, abs=0.05)


@given(st.lists(st.tuples(*[st.floats(0, 90)] * 2, *[st.floats(0, 90)] * 2), max_size=4), st.integers(0, 99))
def test_a_share_is_between_zero_and_one(rows: list[tuple[float, float, float, float]], seed: int) -> None:
    values = np.random.default_rng(seed).random((16, 16))
    boxes = [(x, y, x + w, y + h) for x, y, w, h in rows]
    assert 0 <= share_in_boxes(values, boxes, 90, 90) <= 1 + 1e-9
