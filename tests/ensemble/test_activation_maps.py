"""Activation maps over the image, compared with values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepar.ensemble.activation_maps import MAP_SIDE, as_rows, ensemble_activation_map, map_on_image
from hepar.ensemble.box_shares import share_in_boxes
from hepar.imaging.letterbox import InputFrame, LetterboxTransform, letterbox


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


def test_the_map_of_an_image_with_offsets_is_computed_by_hand() -> None:
    """An image of 128 x 256 pixels at half size lies at (10, 20): a map cell covers one column and two rows of it."""
    transform = LetterboxTransform(10, 20, 0.5, 96, 200, 128, 256)
    activation = np.random.default_rng(3).normal(size=(200, 96)).astype(np.float32)
    activation[:20] = activation[148:] = activation[:, :10] = activation[:, 74:] = 50
    inside = np.maximum(activation, 0)[20:148, 10:74]
    means = (inside[0::2] + inside[1::2]) / 2
    assert map_on_image(activation, transform) == pytest.approx(means / means.max(), abs=1e-6)


def test_an_activation_map_smaller_than_the_input_is_interpolated_linearly() -> None:
    """The two values lie in the middle of the halves of 128 columns; a map cell is the mean of two columns."""
    transform = LetterboxTransform(0, 0, 1.0, 128, 64, 128, 64)
    centres = (np.arange(128) + 0.5) / 64
    columns = np.clip(centres - 0.5, 0, 1)
    expected = (columns[0::2] + columns[1::2]) / 2
    assert map_on_image(np.array([[-5, 7]]), transform) == pytest.approx(np.tile(expected, (64, 1)), abs=1e-6)


def test_maps_smaller_than_one_are_scaled_up() -> None:
    transform = LetterboxTransform(0, 0, 1.0, MAP_SIDE, MAP_SIDE, MAP_SIDE, MAP_SIDE)
    values = map_on_image(np.full((2, 2), 0.25, dtype=np.float32), transform)
    assert values == pytest.approx(1)
    assert values.dtype == np.float64


def test_three_maps_with_unequal_weights_are_averaged_by_hand() -> None:
    maps = {"a": np.array([[1.0, 0.0]]), "b": np.array([[0.0, 0.4]]), "without": np.array([[0.9, 0.9]])}
    averaged = ensemble_activation_map(maps, {"b": 1.5, "a": 0.5, "absent": 8.0})
    assert averaged.tolist() == [pytest.approx([0.25, 0.3])]
    small = ensemble_activation_map(maps, {"b": 0.15, "a": 0.05})
    assert small == pytest.approx(averaged)
    equal = ensemble_activation_map(maps, {"absent": 1.0})
    assert equal.tolist() == [pytest.approx([1.9 / 3, 1.3 / 3])]


def test_rows_are_rounded_to_three_decimals() -> None:
    assert as_rows(np.array([[0.12345, 1], [0.9996, 0]])) == [[0.123, 1.0], [1.0, 0.0]]


# Cells of 20 x 20 pixels in an image of 100 x 80.
CELLS = np.array([[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12, 13, 14, 15], [16, 17, 18, 19, 20]])


def test_the_share_of_an_offset_box_is_computed_by_hand() -> None:
    """The box covers half of the first and third columns, and the second row whole and the third half."""
    inside = (6 / 2 + 7 + 8 / 2) + (11 / 2 + 12 + 13 / 2) / 2
    assert share_in_boxes(CELLS, [(10, 20, 50, 50)], 100, 80) == pytest.approx(inside / 210)
    other = 20 + 15 / 2
    assert share_in_boxes(CELLS, [(80, 50, 100, 80)], 100, 80) == pytest.approx(other / 210)
    assert share_in_boxes(CELLS.tolist(), [(10, 20, 50, 50), (80, 50, 100, 80)], 100, 80) == pytest.approx(
        (inside + other) / 210
    )


def test_the_intersection_of_two_boxes_counts_once() -> None:
    """The boxes cover columns 0 to 2 and 1 to 3 of the first two rows."""
    boxes = [(0.0, 0.0, 60.0, 40.0), (20.0, 0.0, 80.0, 40.0)]
    assert share_in_boxes(CELLS, boxes, 100, 80) == pytest.approx((1 + 2 + 3 + 4 + 6 + 7 + 8 + 9) / 210)


def test_box_edges_are_rounded_to_a_tenth_of_a_cell() -> None:
    """10.9 pixels are 0.545 cells, 4.9 are 0.245."""
    assert share_in_boxes(CELLS, [(0, 0, 10.9, 4.9)], 100, 80) == pytest.approx(0.5 * 0.2 / 210)


def test_a_map_whose_sum_is_below_one_has_a_share() -> None:
    assert share_in_boxes([[0.25, 0.0]], [(0, 0, 50, 100)], 100, 100) == pytest.approx(1)


def test_the_sum_of_a_map_in_half_precision_does_not_overflow() -> None:
    """The sum is 245,760; the highest number in half precision is 65,504."""
    values = np.full((64, 64), 60, dtype=np.float16)
    assert share_in_boxes(values, [(0, 0, 50, 100)], 100, 100) == pytest.approx(0.5)


@given(st.lists(st.tuples(*[st.floats(0, 90)] * 2, *[st.floats(0, 90)] * 2), max_size=4), st.integers(0, 99))
def test_a_share_is_between_zero_and_one(rows: list[tuple[float, float, float, float]], seed: int) -> None:
    values = np.random.default_rng(seed).random((16, 16))
    boxes = [(x, y, x + w, y + h) for x, y, w, h in rows]
    assert 0 <= share_in_boxes(values, boxes, 90, 90) <= 1 + 1e-9


def test_the_map_of_a_part_of_the_image_is_zero_elsewhere() -> None:
    """The network saw a quarter of the image, the lower right one."""
    _, transform = letterbox(np.zeros((128, 128), dtype=np.uint8), 64, 64, None, InputFrame(96, 96, 64))
    values = map_on_image(np.ones((8, 8)), transform)
    assert values.shape == (MAP_SIDE, MAP_SIDE)
    half = MAP_SIDE // 2
    assert (values[half:, half:] == 1).all()
    assert values.sum() == half**2
