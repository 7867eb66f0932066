"""Masks: shares of boxes inside the liver and outlines, computed by hand and by an independent count of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from hepar.ensemble.masks import LESION, LIVER, LIVER_SEEN_PX, MaskRegion, OrganMasks, share_inside
from hepar.imaging.geometry import Geometry, Orientation
from hepar.imaging.letterbox import InputFrame, LetterboxTransform, letterbox

SIDE = 64


def masks(
    transform: LetterboxTransform | None = None, threshold: float = 0.5, **regions: tuple[int, ...]
) -> OrganMasks:
    """regions: x_min, y_min, x_max, y_max in pixels of the network's input."""
    shares = np.zeros((2, SIDE, SIDE), dtype=np.uint8)
    for name, (x_min, y_min, x_max, y_max) in regions.items():
        shares[LIVER if name.startswith("liver") else LESION, y_min:y_max, x_min:x_max] = 255
    used = transform or LetterboxTransform(0, 0, 1, SIDE, SIDE, SIDE, SIDE)
    return OrganMasks(shares, threshold, used, Geometry(int(used.width), int(used.height)))


def bounds(region: MaskRegion) -> tuple[float, ...]:
    return (*region.rings[0].min(axis=0).tolist(), *region.rings[0].max(axis=0).tolist())


def test_the_share_of_a_box_inside_the_liver_by_hand() -> None:
    liver = masks(liver=(10, 10, 30, 30))
    assert liver.share_in_liver((10, 10, 30, 30)) == 1
    assert liver.share_in_liver((20, 10, 40, 30)) == 0.5
    assert liver.share_in_liver((20, 20, 40, 40)) == 0.25
    assert liver.share_in_liver((30, 10, 40, 30)) == 0


def test_a_box_without_a_whole_pixel_is_judged_by_the_pixel_that_it_lies_in() -> None:
    liver = masks(liver=(10, 10, 30, 30))
    assert liver.share_in_liver((12.1, 12.1, 12.3, 12.3)) == 1
    assert liver.share_in_liver((63.9, 63.9, 64, 64)) == 0


def test_shares_count_pixels_of_an_image_that_lies_scaled_and_shifted_in_the_input() -> None:
    """An image of 128 x 64: half the size, 16 rows below the upper edge."""
    liver = masks(LetterboxTransform(0, 16, 0.5, SIDE, SIDE, 128, 64), liver=(10, 20, 30, 40))
    assert liver.share_in_liver((20, 8, 60, 48)) == 1
    assert liver.share_in_liver((40, 8, 80, 48)) == 0.5
    assert liver.liver_area_px == 40 * 40


@given(
    st.integers(0, 2**32 - 1),
    st.tuples(*[st.floats(0, 1)] * 4),
)
def test_a_share_is_the_mean_over_the_pixels_of_the_box(seed: int, values: tuple[float, ...]) -> None:
    liver = np.random.default_rng(seed).random((8, 12)) > 0.5
    x_min, x_max = sorted(values[:2])
    y_min, y_max = sorted(values[2:])
    share = share_inside(np.array([x_min, y_min, x_max, y_max]), liver)
    columns = [column for column in range(12) if round(x_min * 12) <= column < round(x_max * 12)]
    rows = [row for row in range(8) if round(y_min * 8) <= row < round(y_max * 8)]
    if columns and rows:
        assert share == pytest.approx(np.mean([liver[row, column] for row in rows for column in columns]))
    else:
        assert 0 <= share <= 1


def test_a_liver_is_seen_from_a_minimum_of_pixels_on() -> None:
    assert masks(liver=(0, 0, LIVER_SEEN_PX, 1)).liver_seen
    assert not masks(liver=(0, 0, LIVER_SEEN_PX - 1, 1)).liver_seen


def test_regions_are_outlined_in_pixels_of_the_image_largest_first() -> None:
    transform = LetterboxTransform(0, 16, 0.5, SIDE, SIDE, 128, 64)
    small, large = (40, 20, 44, 24), (10, 20, 30, 40)
    first, second = masks(transform, lesion_a=small, lesion_b=large).regions(LESION)
    assert bounds(first) == pytest.approx((20, 8, 60, 48), abs=1)
    assert bounds(second) == pytest.approx((80, 8, 88, 16), abs=1)
    assert first.area_px == pytest.approx(40 * 40, rel=0.03)
    for region in (first, second):
        assert all((ring[0] == ring[-1]).all() for ring in region.rings)


def test_a_hole_is_a_ring_of_its_own_and_not_part_of_the_area() -> None:
    liver = masks(liver=(10, 10, 40, 40))
    liver.shares[LIVER, 20:30, 20:30] = 0
    (region,) = liver.regions(LIVER)
    assert len(region.rings) == 2
    assert region.area_px == pytest.approx(30 * 30 - 10 * 10, rel=0.01)


def test_regions_at_the_border_end_there_and_noise_is_left_out() -> None:
    (region,) = masks(lesion=(0, 0, 10, 10), lesion_noise=(50, 50, 51, 51)).regions(LESION)
    assert bounds(region) == pytest.approx((0, 0, 10, 10), abs=0.5)


def test_the_lesions_threshold_is_that_of_the_card_and_the_livers_is_a_half() -> None:
    shares = np.zeros((2, SIDE, SIDE), dtype=np.uint8)
    shares[:, 10:30, 10:30] = 100  # 0.39
    transform = LetterboxTransform(0, 0, 1, SIDE, SIDE, SIDE, SIDE)
    geometry = Geometry(SIDE, SIDE)
    found = OrganMasks(shares, 0.3, transform, geometry)
    assert (len(found.regions(LESION)), len(found.regions(LIVER)), found.liver_area_px) == (1, 0, 0)
    assert OrganMasks(shares, 0.5, transform, geometry).regions(LESION) == []


def test_the_outline_of_a_box_is_cut_off_at_its_edges() -> None:
    found = masks(lesion=(10, 10, 30, 30), lesion_other=(40, 40, 50, 50))
    (region,) = found.lesions_in((20, 5, 35, 35))
    assert bounds(region) == pytest.approx((20, 10, 30, 30), abs=0.5)
    assert found.lesions_in((52, 52, 60, 60)) == []


@pytest.mark.parametrize("size", [(64, 64), (200, 100), (33, 47)])
def test_the_picture_has_the_size_of_the_image_and_agrees_with_the_outline(size: tuple[int, int]) -> None:
    width, height = size
    scale = min(SIDE / width, SIDE / height)
    left, top = (SIDE - round(width * scale)) // 2, (SIDE - round(height * scale)) // 2
    transform = LetterboxTransform(left, top, scale, SIDE, SIDE, width, height)
    found = masks(transform, lesion=(24, 26, 44, 40))
    picture = found.picture(LESION)
    assert picture.shape == (height, width)
    assert set(np.unique(picture)) == {0, 255}
    drawn = Image.new("L", size)
    for region in found.regions(LESION):
        ImageDraw.Draw(drawn).polygon([(x - 0.5, y - 0.5) for x, y in region.rings[0]], fill=255)
    assert (np.asarray(drawn) != picture).mean() < 0.03


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("flipped_x", [False, True])
@pytest.mark.parametrize("flipped_y", [False, True])
@pytest.mark.parametrize("pixel_aspect", [1.0, 2.0])
def test_outlines_and_pictures_are_in_pixels_as_sent(
    transposed: bool, flipped_x: bool, flipped_y: bool, pixel_aspect: float
) -> None:
    """The mask of a known rectangle as sent is turned and scaled for the network; what comes back is the rectangle."""
    width, height = 60, 32
    geometry = Geometry(width, height, Orientation(transposed, flipped_x, flipped_y), pixel_aspect)
    sent = np.zeros((height, width), dtype=np.uint8)
    sent[4:12, 10:40] = 255
    grey, transform = letterbox(geometry.orientation.to_display(sent), SIDE, SIDE, geometry.display_size)
    found = OrganMasks(np.stack([grey, grey]), 0.5, transform, geometry)
    (region,) = found.regions(LESION)
    assert bounds(region) == pytest.approx((10, 4, 40, 12), abs=0.8)
    assert region.area_px == pytest.approx(30 * 8, rel=0.1)
    assert found.liver_area_px == pytest.approx(30 * 8, rel=0.15)
    assert (found.picture(LESION) != sent).mean() < 0.04


@pytest.mark.parametrize("turned", [Orientation(), Orientation(transposed=True, flipped_y=True)])
@pytest.mark.parametrize(("x", "y", "side"), [(32, 16, 24), (20, 10, 40), (32, 16, 90)])
def test_a_mask_of_a_part_of_the_image_lies_in_the_whole_image(
    turned: Orientation, x: float, y: float, side: float
) -> None:
    """Cropped or padded: what the network did not see has no mask."""
    geometry = Geometry(60, 32, turned)
    sent = np.zeros((32, 60), dtype=np.uint8)
    sent[4:24, 10:40] = 255
    centre_x, centre_y = geometry.to_display(np.array([[x, y]]))[0].tolist()
    frame = InputFrame(centre_x, centre_y, side)
    grey, transform = letterbox(turned.to_display(sent), SIDE, SIDE, geometry.display_size, frame)
    found = OrganMasks(np.stack([grey, grey]), 0.5, transform, geometry)
    seen = geometry.boxes_to_sent(transform.to_display(np.array([[0, 0, 1, 1]])))[0]
    expected = np.clip([10, 4, 40, 24], np.tile(seen[:2], 2), np.tile(seen[2:], 2))
    (region,) = found.regions(LESION)
    assert bounds(region) == pytest.approx(expected, abs=1)
    rows, columns = np.nonzero(found.picture(LESION))
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == pytest.approx(expected, abs=1.01)
    assert found.share_in_liver(tuple(geometry.boxes_to_display(expected[None])[0])) > 0.9
