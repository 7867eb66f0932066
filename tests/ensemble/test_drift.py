"""The drift index compared with values computed by hand, and its window."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from hepar.contracts.cards import Distribution
from hepar.ensemble.drift import IMAGES_MIN, WINDOW, DriftStatistics, population_stability_index

HALVES = Distribution(edges=[0.5], shares=[0.5, 0.5])


def test_the_index_is_zero_for_equal_shares_and_grows_with_the_shift() -> None:
    assert population_stability_index([0.5, 0.5], [0.5, 0.5]) == 0
    assert population_stability_index([0.5, 0.5], [0.75, 0.25]) == pytest.approx(0.25 * math.log(3))
    assert math.isfinite(population_stability_index([0.5, 0.5], [1, 0]))


def test_an_index_needs_enough_images_and_a_reference() -> None:
    statistics = DriftStatistics({"confidence": HALVES})
    for _ in range(IMAGES_MIN - 1):
        statistics.observe({"confidence": 0.9, "something else": 1.0})
    assert statistics.indices() == {}
    statistics.observe({"confidence": 0.9})
    assert statistics.indices()["confidence"] > 0.2
    assert statistics.image_count() == IMAGES_MIN


def test_old_values_leave_the_window() -> None:
    statistics = DriftStatistics({"confidence": HALVES})
    for _ in range(WINDOW):
        statistics.observe({"confidence": 0.9})
    for number in range(WINDOW):
        statistics.observe({"confidence": number % 2})
    assert statistics.indices()["confidence"] == pytest.approx(0)
    assert statistics.image_count() == WINDOW


def test_a_distribution_has_one_share_more_than_edges() -> None:
    with pytest.raises(ValidationError, match="1 ascending edges need 2 shares"):
        Distribution(edges=[0.5], shares=[1.0])
