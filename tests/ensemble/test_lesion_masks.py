"""Masks of lesions: what belongs to which, compared with labelled volumes, at two resolutions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from hepar.ensemble.lesion_linking import link_boxes
from hepar.ensemble.lesion_masks import LesionMask, MaskGrid, OrganVolume, lesion_masks
from hepar.ensemble.lesion_measurements import measure_mask
from hepar.imaging.letterbox import InputFrame, LetterboxTransform, letterbox
from hepar.imaging.volume import VolumeGeometry
from tests.support.volumes import Ellipsoid, box, boxes_of, organ_of

GEOMETRY = VolumeGeometry((20, 64, 64), (5.0, 1.0, 1.0))


def drawn(mask: LesionMask | None, geometry: VolumeGeometry = GEOMETRY) -> NDArray[np.bool_]:
    """The whole volume of one lesion."""
    if mask is None:
        return np.zeros(geometry.shape, dtype=bool)
    return np.stack([mask.in_slice(index, geometry.shape[1:]) for index in range(geometry.shape[0])])


def test_each_of_two_lesions_gets_its_connected_part() -> None:
    """Oracle: scipy's labels of the whole volume."""
    one = Ellipsoid((6, 20, 20), (15, 8, 8)).voxels(GEOMETRY)
    other = Ellipsoid((12, 44, 44), (20, 10, 10)).voxels(GEOMETRY)
    found = lesion_masks(link_boxes([*boxes_of(one), *boxes_of(other)], 5.0), organ_of(one | other), GEOMETRY)
    labels, count = ndimage.label(one | other)
    assert count == 2
    parts = [drawn(mask) for mask in found]
    assert {tuple(np.unique(labels[part])) for part in parts} == {(1,), (2,)}
    assert sum(int(part.sum()) for part in parts) == int((one | other).sum())


def test_lesions_that_touch_are_separated_by_their_boxes_and_not_counted_twice() -> None:
    one = Ellipsoid((8, 32, 24), (15, 10, 10)).voxels(GEOMETRY)
    other = Ellipsoid((8, 32, 40), (15, 10, 10)).voxels(GEOMETRY)
    together = one | other
    assert ndimage.label(together)[1] == 1
    found = lesion_masks(link_boxes([*boxes_of(one), *boxes_of(other)], 5.0), organ_of(together), GEOMETRY)
    first, second = (drawn(mask) for mask in found)
    assert not (first & second).any()
    assert (first | second).sum() == pytest.approx(together.sum(), rel=0.02)
    assert first.sum() == pytest.approx(second.sum(), rel=0.1)
    assert np.argwhere(first)[:, 2].max() <= 33
    assert np.argwhere(second)[:, 2].min() >= 31


def test_a_part_outside_of_all_boxes_belongs_to_nobody() -> None:
    one = Ellipsoid((8, 20, 20), (15, 8, 8)).voxels(GEOMETRY)
    stray = Ellipsoid((8, 50, 50), (15, 8, 8)).voxels(GEOMETRY)
    (mask,) = lesion_masks(link_boxes(boxes_of(one), 5.0), organ_of(one | stray), GEOMETRY)
    assert np.array_equal(drawn(mask), one)


def test_a_mask_may_leave_its_box_by_three_millimetres() -> None:
    voxels = np.zeros(GEOMETRY.shape, dtype=bool)
    voxels[5, 20:40, 20:40] = True
    (mask,) = lesion_masks(link_boxes([box(5, (25, 25, 40, 40))], 5.0), organ_of(voxels), GEOMETRY)
    rows, columns = np.nonzero(drawn(mask)[5])
    assert (rows.min(), columns.min(), rows.max(), columns.max()) == (22, 22, 39, 39)


def test_a_mask_continues_above_and_below_its_boxes_by_ten_millimetres() -> None:
    voxels = np.zeros(GEOMETRY.shape, dtype=bool)
    voxels[2:18, 20:40, 20:40] = True
    boxes = [box(index, (20, 20, 40, 40)) for index in (8, 9, 10)]
    (mask,) = lesion_masks(link_boxes(boxes, 5.0), organ_of(voxels), GEOMETRY)
    assert mask is not None
    assert (mask.first_slice, mask.last_slice) == (6, 12)


def test_a_lesion_above_is_not_taken_by_the_one_below() -> None:
    voxels = np.zeros(GEOMETRY.shape, dtype=bool)
    voxels[4:12, 20:40, 20:40] = True
    below = [box(index, (20, 20, 40, 40)) for index in range(4, 8)]
    above = [box(index, (20, 38, 40, 58)) for index in range(8, 12)]
    voxels[8:12, 20:58, 20:40] = True
    found = lesion_masks(link_boxes([*below, *above], 5.0), organ_of(voxels), GEOMETRY)
    first, second = (drawn(mask) for mask in found)
    assert not (first & second).any()
    assert second[8:12, 45, 30].all()
    assert first[4:8, 30, 30].all()


def test_a_missing_slice_between_boxes_takes_its_box_from_both_neighbours() -> None:
    voxels = np.zeros(GEOMETRY.shape, dtype=bool)
    voxels[5:8, 10:50, 10:50] = True
    boxes = [box(5, (20, 20, 30, 30)), box(7, (30, 30, 50, 50))]
    (mask,) = lesion_masks(link_boxes([*boxes], 5.0)[:1], organ_of(voxels), GEOMETRY)
    assert len(link_boxes(boxes, 5.0)) == 2  # they do not overlap: two lesions
    touching = [box(5, (20, 20, 40, 40)), box(7, (24, 24, 44, 44))]
    (mask,) = lesion_masks(link_boxes(touching, 5.0), organ_of(voxels), GEOMETRY)
    rows, _ = np.nonzero(drawn(mask)[6])
    assert (rows.min(), rows.max() + 1) == (22 - 3, 42 + 3)


def test_noise_of_three_pixels_is_no_mask() -> None:
    voxels = np.zeros(GEOMETRY.shape, dtype=bool)
    voxels[5, 20, 20:23] = True
    linked = link_boxes([box(5, (15, 15, 30, 30))], 5.0)
    assert lesion_masks(linked, organ_of(voxels), GEOMETRY) == [None]
    voxels[5, 20, 20:24] = True
    assert lesion_masks(linked, organ_of(voxels), GEOMETRY) != [None]


def test_slices_without_masks_have_none() -> None:
    """The segmenter saw slices 10 to 14 only."""
    voxels = np.ones((5, 64, 64), dtype=bool)
    organ = OrganVolume(organ_of(voxels).shares, organ_of(voxels).transform, 0.5, first_slice=10)
    outside, inside = link_boxes([box(2, (10, 10, 30, 30)), box(12, (10, 10, 30, 30))], 5.0)
    assert lesion_masks([outside], organ, GEOMETRY) == [None]
    (mask,) = lesion_masks([inside], organ, GEOMETRY)
    assert mask is not None
    assert (mask.first_slice, mask.last_slice) == (10, 14)
    assert organ.liver(9) is None
    assert organ.liver(10) is not None


@pytest.mark.parametrize("frame", [None, InputFrame(110, 80, 170), InputFrame(100, 80, 230)])
def test_a_network_input_of_half_the_size_gives_the_same_measurements(frame: InputFrame | None) -> None:
    """Slices of 200 x 160 pixels of 0.8 mm in an input of 100 x 100: whole, cropped, and padded more than needed."""
    geometry = VolumeGeometry((15, 160, 200), (2.0, 0.8, 0.8))
    voxels = Ellipsoid((7, 90, 110), (12, 20, 16)).voxels(geometry)
    fitted = [letterbox(255 * image.astype(np.uint8), 100, 100, None, frame) for image in voxels]
    shares = np.zeros((15, 2, 100, 100), dtype=np.uint8)
    shares[:, 1] = np.stack([image for image, _ in fitted])
    organ = OrganVolume(shares, fitted[0][1], 0.5)
    (mask,) = lesion_masks(link_boxes(boxes_of(voxels), 2.0), organ, geometry)
    assert mask is not None
    result = measure_mask(mask, geometry)
    assert result.long_axis.length_mm == pytest.approx(40, abs=0.8)
    assert result.short_axis.length_mm == pytest.approx(32, abs=0.8)
    assert result.volume_ml == pytest.approx(voxels.sum() * geometry.voxel_ml, rel=0.02)
    shown = drawn(mask, geometry)
    assert 2 * (shown & voxels).sum() / (shown.sum() + voxels.sum()) > 0.98


def test_pixels_that_are_not_square_are_scaled_by_axis() -> None:
    """Rows 2 mm, columns 1 mm apart: the display of 64 x 128 square pixels lies in an input of the same size."""
    geometry = VolumeGeometry((3, 64, 64), (5.0, 2.0, 1.0))
    grid = MaskGrid.of(LetterboxTransform(0, 0, 1, 64, 128, 64, 128), geometry)
    assert (grid.scale_x, grid.scale_y) == (1, 2)
    assert grid.to_slice(grid.to_grid(np.array([[3.5, 7.25]]))).tolist() == [[3.5, 7.25]]


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_no_voxel_belongs_to_two_lesions_and_none_comes_from_elsewhere(seed: int) -> None:
    rng = np.random.default_rng(seed)
    geometry = VolumeGeometry((8, 32, 32), (5.0, 1.0, 1.0))
    solids = [
        Ellipsoid((rng.uniform(0, 8), *rng.uniform(4, 28, 2)), (rng.uniform(3, 15), *rng.uniform(3, 9, 2)))
        for _ in range(4)
    ]
    voxels = [solid.voxels(geometry) for solid in solids]
    together = np.any(voxels, axis=0)
    linked = link_boxes([found for each in voxels for found in boxes_of(each)], 5.0)
    counts = sum(drawn(mask, geometry).astype(int) for mask in lesion_masks(linked, organ_of(together), geometry))
    assert np.max(counts) <= 1
    assert not (np.asarray(counts, dtype=bool) & ~together).any()


def test_liver_columns_leave_small_parts_out() -> None:
    liver = np.zeros((10, 40, 40), dtype=bool)
    liver[:, 4:24, 4:24] = True
    liver[:2, 30:36, 30:36] = True
    columns = organ_of(np.zeros_like(liver), liver).liver_columns()
    assert columns.sum() == 10 * 20 * 20
    assert np.flatnonzero(columns).max() < 24


def test_a_voxel_next_to_the_end_of_a_lesion_belongs_to_the_one_that_has_a_box_there() -> None:
    """In slice 8 the voxel is near the middle of the lower lesion's last box and near the edge of the upper one's."""
    voxels = np.zeros(GEOMETRY.shape, dtype=bool)
    voxels[4:8, 20:40, 20:40] = True
    voxels[8:12, 20:40, 31:51] = True
    below = [box(index, (20, 20, 40, 40)) for index in range(4, 8)]
    above = [box(index, (31, 20, 51, 40)) for index in range(8, 12)]
    first, second = (
        drawn(mask) for mask in lesion_masks(link_boxes([*below, *above], 5.0), organ_of(voxels), GEOMETRY)
    )
    assert second[8, 30, 32]
    assert not first[8, 30, 32]
