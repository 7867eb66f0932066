"""The transform between pixels as sent and pixels of the display: its inverse, its matrix, and what rasters become."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepar.imaging.geometry import Geometry, Orientation

orientations = st.builds(Orientation, st.booleans(), st.booleans(), st.booleans())
geometries = st.builds(Geometry, st.integers(1, 900), st.integers(1, 900), orientations, st.floats(1 / 8, 8))
shares = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5)


@given(geometries, shares)
def test_points_return_to_where_they_were_sent(geometry: Geometry, relative: list[tuple[float, float]]) -> None:
    sent = np.array(relative) * [geometry.width, geometry.height]
    shown = geometry.to_display(sent)
    assert geometry.to_sent(shown) == pytest.approx(sent, abs=1e-6)
    assert (shown >= -1e-6).all()
    assert (shown <= np.array(geometry.display_size) + 1e-6).all()


@given(geometries, shares)
def test_the_matrix_is_the_transform(geometry: Geometry, relative: list[tuple[float, float]]) -> None:
    sent = np.array(relative) * [geometry.width, geometry.height]
    a, b, c, d, e, f = geometry.matrix
    expected = [(a * x + c * y + e, b * x + d * y + f) for x, y in sent.tolist()]
    assert geometry.to_display(sent) == pytest.approx(np.array(expected), abs=1e-3)


@given(geometries)
def test_the_whole_display_is_the_whole_image(geometry: Geometry) -> None:
    box = np.array([[0, 0, *geometry.display_size]])
    assert geometry.boxes_to_sent(box) == pytest.approx(np.array([[0, 0, geometry.width, geometry.height]]))


@given(orientations, st.integers(1, 9), st.integers(1, 9), st.data())
def test_a_pixel_and_its_box_are_turned_alike(
    orientation: Orientation, width: int, height: int, data: st.DataObject
) -> None:
    """The box around the only bright pixel of the turned raster is mapped to the bright pixel as sent."""
    sent = np.zeros((height, width), dtype=np.uint8)
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    sent[row, column] = 1
    (y,), (x,) = np.nonzero(orientation.to_display(sent))
    geometry = Geometry(width, height, orientation)
    box = np.array([x, y, x + 1, y + 1])
    assert geometry.boxes_to_sent(box).tolist() == [[column, row, column + 1, row + 1]]
    assert geometry.boxes_to_display(np.array([column, row, column + 1, row + 1])).tolist() == [box.tolist()]
    assert np.array_equal(orientation.to_sent(orientation.to_display(sent)), sent)


def test_a_box_of_an_image_with_high_pixels_is_computed_by_hand() -> None:
    """40 columns and 30 rows, each twice as high as wide, are shown as 60 by 40 after a turn to the right."""
    geometry = Geometry(40, 30, Orientation(transposed=True, flipped_x=True), pixel_aspect=2.0)
    assert geometry.display_size == (60, 40)
    assert geometry.matrix == (0, 1, -2, 0, 60, 0)
    assert geometry.boxes_to_sent(np.array([[10, 5, 30, 15]])).tolist() == [[5, 15, 15, 25]]
    assert geometry.boxes_to_sent(np.array([[-9, -9, 99, 99]])).tolist() == [[0, 0, 40, 30]]


def test_wide_pixels_are_stretched_across() -> None:
    geometry = Geometry(40, 30, pixel_aspect=0.5)
    assert geometry.display_size == (80, 30)
    assert geometry.to_display(np.array([[10, 10]])).tolist() == [[20, 10]]
