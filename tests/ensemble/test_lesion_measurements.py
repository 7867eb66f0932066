"""Diameters and volumes: compared with brute force over pixels and with the formulas of ellipsoids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from hepar.ensemble.lesion_linking import link_boxes
from hepar.ensemble.lesion_masks import LesionMask, MaskGrid, lesion_masks
from hepar.ensemble.lesion_measurements import Measurement, measure_boxes, measure_mask
from hepar.imaging.volume import VolumeGeometry
from tests.support.volumes import Ellipsoid, box, boxes_of, organ_of

UNIT = MaskGrid(1, 1, 0, 0)


def mask_of(voxels: NDArray[np.bool_]) -> LesionMask:
    """The whole volume as one lesion, at the resolution of the slices."""
    shares = np.pad(255 * voxels.astype(np.uint8), ((0, 0), (1, 1), (1, 1)))
    return LesionMask(shares, 0.5, 0, -1, -1, UNIT)


def measured(voxels: NDArray[np.bool_], spacing_mm: tuple[float, float, float] = (1, 1, 1)) -> Measurement:
    count, rows, columns = voxels.shape
    return measure_mask(mask_of(voxels), VolumeGeometry((count, rows, columns), spacing_mm))


def brute_force_mm(voxels: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> float:
    """Longest distance between the middles of the outer edges of two pixels of one connected part of a slice."""
    best = 0.0
    for image in voxels:
        parts, count = ndimage.label(image)  # by edges, as the outline connects pixels
        for part in range(1, count + 1):
            rows, columns = np.nonzero(parts == part)
            points = np.concatenate(
                [
                    np.column_stack([rows + down, columns + right])
                    for down, right in ((-0.5, 0), (0.5, 0), (0, -0.5), (0, 0.5))
                ]
            ) * (spacing_mm[1], spacing_mm[2])
            distances = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
            best = max(best, float(distances.max()))
    return best


@st.composite
def blobs(draw: st.DrawFn) -> NDArray[np.bool_]:
    """Connected shapes without holes that are never too thin: unions of rectangles around the middle."""
    voxels = np.zeros((2, 16, 16), dtype=bool)
    for _ in range(draw(st.integers(1, 4))):
        top, left = draw(st.integers(1, 8)), draw(st.integers(1, 8))
        bottom, right = draw(st.integers(9, 15)), draw(st.integers(9, 15))
        voxels[draw(st.integers(0, 1)), top:bottom, left:right] = True
    return voxels


@settings(max_examples=60)
@given(blobs(), st.sampled_from([(1.0, 1.0, 1.0), (5.0, 0.7, 0.7), (2.0, 0.5, 1.5)]))
def test_the_long_axis_is_the_longest_distance_of_a_brute_force_search(
    voxels: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> None:
    long_axis = measured(voxels, spacing_mm).long_axis
    assert long_axis.length_mm == pytest.approx(brute_force_mm(voxels, spacing_mm), abs=0.051)


@settings(max_examples=60)
@given(blobs())
def test_axes_are_perpendicular_and_their_ends_are_their_length_apart(voxels: NDArray[np.bool_]) -> None:
    result = measured(voxels, (2.0, 0.8, 0.8))
    for axis in (result.long_axis, result.short_axis):
        assert np.linalg.norm(np.subtract(axis.end_mm, axis.start_mm)) == pytest.approx(axis.length_mm, abs=0.08)
        assert axis.slice == result.long_axis.slice
    long_mm = np.subtract(result.long_axis.end_mm, result.long_axis.start_mm)
    short_mm = np.subtract(result.short_axis.end_mm, result.short_axis.start_mm)
    cosine = np.dot(long_mm, short_mm) / np.linalg.norm(long_mm) / np.linalg.norm(short_mm)
    assert cosine == pytest.approx(0, abs=0.02)
    assert result.short_axis.length_mm <= result.long_axis.length_mm


@settings(max_examples=40)
@given(blobs())
def test_the_short_axis_is_the_longest_of_many_perpendicular_chords(voxels: NDArray[np.bool_]) -> None:
    """Oracle: 400 lines across the long axis, sampled in a mask of sixteen pixels per pixel."""
    result = measured(voxels)
    long_axis = result.long_axis
    start, end = np.array(long_axis.start_px), np.array(long_axis.end_px)
    direction = (end - start) / np.linalg.norm(end - start)
    normal = np.array([-direction[1], direction[0]])
    steps = np.arange(-24, 24, 0.05)
    framed = np.pad(voxels[long_axis.slice].astype(float), 1)
    longest = 0.0
    for share in np.linspace(0, 1, 400):
        points = start + share * (end - start) + steps[:, None] * normal
        inside = ndimage.map_coordinates(framed, [points[:, 1] + 0.5, points[:, 0] + 0.5], order=1) >= 0.5
        if inside.any():
            longest = max(longest, float(np.ptp(steps[inside])))
    assert result.short_axis.length_mm == pytest.approx(longest, abs=0.3)


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (5.0, 0.7, 0.7), (1.25, 0.9, 0.6)])
def test_an_ellipsoid_has_the_axes_and_volume_of_its_formula(spacing_mm: tuple[float, float, float]) -> None:
    shape = tuple(int(np.ceil(70 / step)) for step in spacing_mm)
    geometry = VolumeGeometry((shape[0], shape[1], shape[2]), spacing_mm)
    centre = tuple(float(side // 2) for side in shape)
    ellipsoid = Ellipsoid((centre[0], centre[1], centre[2]), (20.0, 15.0, 24.0))
    result = measured(ellipsoid.voxels(geometry), spacing_mm)
    assert result.long_axis.length_mm == pytest.approx(48, abs=max(spacing_mm[1:]))
    assert result.short_axis.length_mm == pytest.approx(30, abs=max(spacing_mm[1:]))
    assert result.volume_ml == pytest.approx(ellipsoid.volume_ml, rel=0.03)
    assert result.long_axis.slice == round(centre[0])
    x, y, z = result.centre_mm
    expected = np.multiply(centre, spacing_mm)
    assert (z, y, x) == pytest.approx(tuple(expected), abs=0.02)


def test_a_rectangle_by_hand() -> None:
    """6 x 4 pixels of 1 mm. The outline cuts the corners by half a pixel each way: 24 - 4 / 8 = 23.5 mm2."""
    voxels = np.zeros((3, 12, 12), dtype=bool)
    voxels[1, 3:7, 2:8] = True
    result = measured(voxels, (5, 1, 1))
    assert result.volume_ml == pytest.approx(23.5 * 5 / 1000, abs=5e-4)
    assert result.long_axis.length_mm == pytest.approx(np.hypot(6, 3), abs=0.05)
    assert result.centre_mm == (4.5, 4.5, 5.0)
    assert (result.long_axis.slice, result.measured_on) == (1, "mask")


def test_a_hole_is_no_part_of_the_volume_and_does_not_change_the_axes() -> None:
    voxels = np.zeros((1, 40, 40), dtype=bool)
    voxels[0, 5:35, 5:35] = True
    whole = measured(voxels)
    voxels[0, 15:25, 15:25] = False
    holed = measured(voxels)
    assert whole.volume_ml is not None
    assert holed.volume_ml == pytest.approx(whole.volume_ml - 0.1, abs=2e-3)
    assert (holed.long_axis, holed.short_axis) == (whole.long_axis, whole.short_axis)


def test_parts_of_one_slice_are_measured_one_by_one() -> None:
    voxels = np.zeros((1, 30, 60), dtype=bool)
    voxels[0, 5:15, 2:22] = True
    voxels[0, 5:15, 40:50] = True
    result = measured(voxels)
    assert result.long_axis.length_mm == pytest.approx(np.hypot(20, 9), abs=0.3)
    assert result.long_axis.end_px[0] <= 22


def test_a_lesion_at_the_border_of_the_volume_ends_there() -> None:
    voxels = np.zeros((2, 20, 20), dtype=bool)
    voxels[:, :6, :8] = True
    organ = organ_of(voxels)
    linked = link_boxes(boxes_of(voxels), 1.0)
    (mask,) = lesion_masks(linked, organ, VolumeGeometry((2, 20, 20), (1, 1, 1)))
    assert mask is not None
    result = measure_mask(mask, VolumeGeometry((2, 20, 20), (1, 1, 1)))
    assert result.volume_ml == pytest.approx(2 * 47.5 / 1000)
    assert min(*result.long_axis.start_px, *result.long_axis.end_px) >= 0
    assert np.array_equal(mask.in_slice(0, (20, 20)), voxels[0])


def test_a_single_pixel_has_a_length() -> None:
    voxels = np.zeros((1, 5, 5), dtype=bool)
    voxels[0, 2, 2] = True
    result = measured(voxels)
    assert (result.long_axis.length_mm, result.short_axis.length_mm) == (1.0, 1.0)


def test_boxes_give_their_sides_through_the_middle() -> None:
    """40 x 30 pixels of 0.5 x 1 mm: 20 mm across, 30 mm down."""
    geometry = VolumeGeometry((5, 100, 100), (5, 1, 0.5), (10, 20, 30))
    result = measure_boxes([box(1, (10, 20, 30, 30)), box(2, (10, 20, 50, 50))], geometry)
    assert (result.measured_on, result.volume_ml) == ("box", None)
    assert (result.long_axis.length_mm, result.short_axis.length_mm) == (30, 20)
    assert result.long_axis.slice == 2
    assert (result.long_axis.start_px, result.long_axis.end_px) == ((30, 20), (30, 50))
    assert result.long_axis.start_mm == (10 + 29.5 * 0.5, 20 + 19.5, 40)
    assert (result.first_slice, result.last_slice) == (1, 2)


@given(st.tuples(*[st.floats(-500, 500)] * 3))
def test_moving_the_volume_moves_centre_and_ends(by: tuple[float, float, float]) -> None:
    voxels = Ellipsoid((4, 15, 15), (4, 8, 6)).voxels(VolumeGeometry((9, 30, 30), (1, 1, 1)))
    there = measured(voxels)
    here = measure_mask(mask_of(voxels), VolumeGeometry((9, 30, 30), (1, 1, 1), by))
    for one, other in (
        (here.centre_mm, there.centre_mm),
        (here.long_axis.start_mm, there.long_axis.start_mm),
        (here.short_axis.end_mm, there.short_axis.end_mm),
    ):
        assert np.subtract(one, other) == pytest.approx(by, abs=0.011)
    assert here.long_axis.length_mm == there.long_axis.length_mm
    assert here.volume_ml == there.volume_ml


@given(st.floats(0.5, 4))
def test_scaling_the_spacing_scales_millimetres(factor: float) -> None:
    voxels = Ellipsoid((4, 15, 15), (4, 8, 6)).voxels(VolumeGeometry((9, 30, 30), (1, 1, 1)))
    one, scaled = measured(voxels), measured(voxels, (factor, factor, factor))
    assert scaled.long_axis.length_mm == pytest.approx(factor * one.long_axis.length_mm, abs=0.05 + 0.05 * factor)
    assert one.volume_ml is not None
    assert scaled.volume_ml == pytest.approx(factor**3 * one.volume_ml, rel=2e-3, abs=1e-3)


@pytest.mark.parametrize(
    ("length_px", "thickness_mm", "measurable"),
    [(10, 1.0, True), (9, 1.0, False), (14, 7.5, False), (15, 7.5, True), (10, 5.0, True)],
)
def test_measurable_needs_ten_millimetres_and_two_slices(length_px: int, thickness_mm: float, measurable: bool) -> None:
    voxels = np.zeros((1, 3, 30), dtype=bool)
    voxels[0, 1, 2 : 2 + length_px] = True
    assert measured(voxels).measurable(thickness_mm) is measurable


def test_directions_of_the_volume_are_followed() -> None:
    """Columns to the right, rows to the front: a patient who lies on the belly, feet first."""
    geometry = VolumeGeometry((3, 20, 20), (2, 1, 1), (0, 0, 0), (0, 0, -1), (0, -1, 0), (-1, 0, 0))
    voxels = np.zeros((3, 20, 20), dtype=bool)
    voxels[1, 4:8, 10:16] = True
    x, y, z = measure_mask(mask_of(voxels), geometry).centre_mm
    assert (x, y, z) == (-12.5, -5.5, -2)
