"""Other scanners, kernels and phases: what changes, what must not."""

from __future__ import annotations

import numpy as np
import pytest

from training.augment import domain
from training.fields import FloatImage
from training.phantom import abdomen_phantom

WINDOW = (0.0, 250.0)
SPACING_MM = 1.6


@pytest.fixture(scope="module")
def hu() -> FloatImage:
    return np.asarray(np.clip(abdomen_phantom(np.random.default_rng(3), 128, 128 * SPACING_MM).hu, *WINDOW), np.float32)


def test_livers_are_drawn_from_40_to_190_hu_half_of_them_near_their_own_level() -> None:
    rng = np.random.default_rng(0)
    levels = np.array([domain.drawn_liver_level(rng, 100.0) for _ in range(4000)])
    assert levels.min() >= 40
    assert levels.max() <= 190
    assert np.mean(np.abs(levels - 100) <= 15) == pytest.approx(0.5 + 0.5 * 30 / 150, abs=0.03)
    assert np.mean(levels < 60) > 0.04
    assert np.mean(levels > 150) > 0.1


def test_the_liver_takes_the_level_that_it_is_given_and_air_stays_black() -> None:
    slice_ = np.array([[0.0, 100.0, 130.0]], dtype=np.float32)
    moved = domain.with_level(slice_, own_hu=100, target_hu=160, gain=1.2)
    assert moved.tolist() == [[0.0, 160.0, pytest.approx(196.0)]]


def spread(hu: FloatImage) -> float:
    return float(np.abs(np.diff(hu, axis=1)).mean())


def test_blur_and_resampling_smooth_and_sharpening_and_noise_do_not(hu: FloatImage) -> None:
    rng = np.random.default_rng(1)
    assert spread(domain.blurred(rng, hu, SPACING_MM)) < 0.9 * spread(hu)
    assert spread(domain.sharpened(rng, hu, SPACING_MM)) > spread(hu)
    assert spread(domain.noisy(rng, hu, SPACING_MM)) > spread(hu)
    smoothed = [spread(domain.resampled(np.random.default_rng(seed), hu, 0.8)) for seed in range(6)]
    assert max(smoothed) < spread(hu)


def test_resampling_leaves_slices_alone_that_are_coarser_already(hu: FloatImage) -> None:
    assert (domain.resampled(np.random.default_rng(0), hu, 3.2) == hu).all()


def test_steps_are_3_to_12_hu_wide(hu: FloatImage) -> None:
    for seed in range(8):
        levels = np.unique(domain.stepped(np.random.default_rng(seed), hu, SPACING_MM))
        assert float(np.diff(levels).min()) + 1e-3 >= 3
        assert float(np.diff(levels).min()) <= 12 + 1e-3


def test_jpeg_stays_in_the_window_and_near_the_slice(hu: FloatImage) -> None:
    back = domain.jpeg_compressed(hu, WINDOW, 90)
    assert back.min() >= WINDOW[0]
    assert back.max() <= WINDOW[1]
    assert np.abs(back - hu).mean() < 4


def test_the_same_draw_gives_the_same_slice_and_another_draw_another(hu: FloatImage) -> None:
    liver = np.asarray((hu > 80) & (hu < 140))
    one, again, other = (
        domain.randomise_domain(np.random.default_rng(seed), hu, liver, SPACING_MM, WINDOW) for seed in (4, 4, 5)
    )
    assert (one == again).all()
    assert not np.allclose(one, other)
    nothing = domain.randomise_domain(np.random.default_rng(4), hu, np.zeros_like(liver), SPACING_MM, WINDOW)
    assert nothing.shape == hu.shape
