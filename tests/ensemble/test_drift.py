"""The index against values worked out by hand, and the window it is taken over."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from hepar.contracts.cards import Distribution
from hepar.ensemble.drift import IMAGES_MIN, WINDOW, DriftWatch, population_stability_index

HALVES = Distribution(edges=[0.5], shares=[0.5, 0.5])


def test_the_index_is_nothing_for_the_same_and_grows_with_the_shift() -> None:
    assert population_stability_index([0.5, 0.5], [0.5, 0.5]) == 0
    assert population_stability_index([0.5, 0.5], [0.75, 0.25]) == pytest.approx(0.25 * math.log(3))
    assert math.isfinite(population_stability_index([0.5, 0.5], [1, 0]))


def test_a_watch_speaks_only_of_enough_images_and_of_known_signals() -> None:
    watch = DriftWatch({"confidence": HALVES})
    for _ in range(IMAGES_MIN - 1):
        watch.observe({"confidence": 0.9, "something else": 1.0})
    assert watch.indices() == {}
    watch.observe({"confidence": 0.9})
    assert watch.indices()["confidence"] > 0.2
    assert watch.images() == IMAGES_MIN


def test_a_watch_forgets_what_is_long_ago() -> None:
    watch = DriftWatch({"confidence": HALVES})
    for _ in range(WINDOW):
        watch.observe({"confidence": 0.9})
    for turn in range(WINDOW):
        watch.observe({"confidence": turn % 2})
    assert watch.indices()["confidence"] == pytest.approx(0)
    assert watch.images() == WINDOW


def test_a_distribution_has_one_share_more_than_edges() -> None:
    with pytest.raises(ValidationError, match="1 ascending edges need 2 shares"):
        Distribution(edges=[0.5], shares=[1.0])
