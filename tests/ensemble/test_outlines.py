"""Outlines of readers: geometry by hand, and pixels counted independently."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from hepar.ensemble.lesion_measurements import measure_mask
from hepar.ensemble.outlines import mask_regions, outlined_lesion, polygon_fault
from hepar.imaging.volume import VolumeGeometry

GEOMETRY = VolumeGeometry((6, 40, 60), (5.0, 0.8, 0.5), (-20.0, -15.0, 30.0))
RECTANGLE = [(10.0, 5.0), (30.0, 5.0), (30.0, 15.0), (10.0, 15.0)]
BOW_TIE = [(10.0, 5.0), (30.0, 15.0), (30.0, 5.0), (10.0, 15.0)]


def test_a_rectangle_in_two_slices_is_measured_by_hand() -> None:
    lesion = outlined_lesion({}, {2: RECTANGLE, 3: RECTANGLE})
    assert lesion is not None
    measured = measure_mask(lesion, GEOMETRY)
    assert (measured.first_slice, measured.last_slice) == (2, 3)
    assert measured.volume_ml == pytest.approx(2 * (20 * 0.5) * (10 * 0.8) * 5 / 1000)
    assert measured.long_axis.length_mm == pytest.approx(np.hypot(10, 8), abs=0.05)
    assert measured.centre_mm == pytest.approx((-20 + 19.5 * 0.5, -15 + 9.5 * 0.8, 30 + 2.5 * 5), abs=0.01)


def test_an_outline_replaces_the_mask_of_its_slice_only() -> None:
    mask = np.zeros((40, 60), dtype=bool)
    mask[5:15, 10:30] = True
    lesion = outlined_lesion({1: mask, 2: mask}, {2: [], 3: RECTANGLE})
    assert lesion is not None
    assert (lesion.first_slice, lesion.last_slice, list(lesion.regions(2))) == (1, 3, [])
    volume_ml = measure_mask(lesion, GEOMETRY).volume_ml
    assert volume_ml == pytest.approx((199.5 + 200) * 0.5 * 0.8 * 5 / 1000, abs=0.001)
    assert outlined_lesion({1: mask}, {1: []}) is None


def test_parts_and_holes_of_a_mask_are_told_apart() -> None:
    mask = np.zeros((40, 60), dtype=bool)
    mask[0:9, 0:9], mask[3:6, 3:6], mask[20:30, 40:60] = True, False, True
    assert sorted(len(rings) for rings in mask_regions(mask)) == [1, 2]


@pytest.mark.parametrize(
    ("corners", "part"),
    [
        ([], None),
        (RECTANGLE, None),
        ([RECTANGLE[0], *RECTANGLE, RECTANGLE[-1]], None),
        ([(10.0, 5.0)] * 3, "three corners"),
        (BOW_TIE, "crosses itself"),
        (RECTANGLE[:2], "three corners"),
        ([(10.0, 5.0), (20.0, 5.0), (30.0, 5.0)], "three corners"),
        ([(10.0, 5.0), (61.0, 5.0), (30.0, 15.0)], "outside"),
        ([(-1.0, 5.0), (20.0, 5.0), (30.0, 15.0)], "outside"),
    ],
)
def test_what_is_no_outline_is_named(corners: list[tuple[float, float]], part: str | None) -> None:
    fault = polygon_fault(corners, GEOMETRY.shape[1:])
    assert fault is None if part is None else fault is not None and part in fault


@settings(max_examples=25)
@given(
    st.lists(st.floats(6.0, 18.0), min_size=5, max_size=40),
    st.tuples(st.floats(20.0, 40.0), st.floats(19.0, 21.0)),
)
def test_the_volume_of_a_star_agrees_with_the_pixels_that_it_covers(
    radii: list[float], centre: tuple[float, float]
) -> None:
    """Oracle: Pillow fills the same polygon, drawn sixteen times larger."""
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    corners = [
        (float(centre[0] + radius * np.cos(angle)), float(centre[1] + radius * np.sin(angle)))
        for radius, angle in zip(radii, angles, strict=True)
    ]
    assert polygon_fault(corners, GEOMETRY.shape[1:]) is None
    image = Image.new("1", (60 * 16, 40 * 16))
    ImageDraw.Draw(image).polygon([(16 * x - 0.5, 16 * y - 0.5) for x, y in corners], fill=1)
    covered_px = np.asarray(image).sum() / 256
    lesion = outlined_lesion({}, {0: corners})
    assert lesion is not None
    volume_ml = measure_mask(lesion, GEOMETRY).volume_ml
    assert volume_ml is not None
    assert volume_ml * 1000 / (0.5 * 0.8 * 5) == pytest.approx(covered_px, rel=0.03)
