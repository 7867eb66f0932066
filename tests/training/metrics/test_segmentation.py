"""Figures of a segmenter on masks whose figures are computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.fields import BoolImage
from training.metrics.segmentation import (
    best_threshold,
    dice,
    false_regions,
    lesions_of,
    overlap,
    recall,
    surface_distance_mm,
)


def square(top: int, left: int, side: int, canvas: int = 40) -> BoolImage:
    mask = np.zeros((canvas, canvas), dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_dice_is_of_all_slices_together() -> None:
    same, half = overlap(square(5, 5, 10), square(5, 5, 10)), overlap(square(5, 5, 10), square(5, 10, 10))
    assert dice([same]) == 1
    assert dice([half]) == pytest.approx(0.5)
    assert dice([same, half]) == pytest.approx(0.75)
    assert np.isnan(dice([overlap(square(0, 0, 0), square(0, 0, 0))]))


def test_the_surface_distance_of_nested_squares() -> None:
    """Every border pixel of the inner square is 2 pixels away; of the outer one all but the corners are too."""
    inner, outer = square(12, 12, 10), square(10, 10, 14)
    sides, corners = 4 * 10, 4 * 3
    corner_px = np.hypot([2, 2, 1], [2, 1, 2]).sum() * 4
    expected = (2 * 36 + 2 * sides + corner_px) / (36 + sides + corners)
    assert surface_distance_mm(inner, outer, 1.6) == pytest.approx(1.6 * expected)
    assert np.isnan(surface_distance_mm(inner, np.zeros_like(inner), 1.6))


def test_a_lesion_is_found_when_three_tenths_of_it_are_covered() -> None:
    true = square(2, 2, 10) | square(20, 30, 5)
    said = square(2, 2, 10)
    said[5:12] = False  # three of ten rows stay
    found = lesions_of(said, true, spacing_mm=2.0, middle_px=20)
    assert [(lesion.diameter_mm, lesion.found, lesion.left) for lesion in found] == [
        (20, True, False),
        (10, False, True),
    ]
    assert recall(found) == 0.5
    assert np.isnan(recall([]))
    said[4] = False
    assert recall(lesions_of(said, true, 2.0, 20)) == 0


def test_specks_of_under_four_pixels_and_regions_that_touch_a_lesion_are_not_false() -> None:
    said = square(1, 1, 2) | square(10, 10, 1) | square(20, 20, 6)
    assert false_regions(said, np.zeros_like(said)) == 2
    assert false_regions(said, square(25, 25, 9)) == 1


def test_the_best_threshold_weighs_lesions_and_not_their_pixels() -> None:
    """At 0.9 the large lesion alone is found; at 0.6 both are; at 0.35 two regions more that are none."""
    true = square(0, 0, 20) | square(30, 30, 3)
    shares = np.where(square(0, 0, 20), 0.95, 0) + np.where(square(30, 30, 3), 0.62, 0)
    shares += np.where(square(30, 0, 4) | square(0, 30, 4), 0.37, 0)
    assert best_threshold(shares.astype(np.float32)[None], true[None]) in (0.4, 0.45, 0.5, 0.55, 0.6)
    assert best_threshold(shares.astype(np.float32)[None], square(0, 0, 20)[None]) > 0.6


def test_the_best_threshold_has_few_false_regions_on_slices_without_a_lesion() -> None:
    """At 0.5 both lesions are found; each of the other 20 slices may have a false region there. 1 of 20 is accepted."""
    two = square(0, 0, 9) | square(20, 20, 9)
    true = np.stack([two, *[np.zeros_like(two)] * 20])
    shares = np.zeros(true.shape, dtype=np.float32)
    shares[0][square(0, 0, 9)], shares[0][square(20, 20, 9)] = 0.8, 0.6
    shares[1][square(5, 5, 6)] = 0.64
    assert best_threshold(shares, true) <= 0.6
    shares[2][square(5, 5, 6)] = 0.64
    assert 0.64 < best_threshold(shares, true) <= 0.8
    shares[1][square(5, 5, 6)] = shares[2][square(5, 5, 6)] = 1
    assert best_threshold(shares, true) <= 0.6, "no threshold has fewer"
