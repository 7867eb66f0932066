"""Augmentation for classifiers: random per image, identical for an image and its mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torchvision  # noqa: F401  must be imported before TensorFlow: the other order crashes

from training.classifier.augmentation import RandomAffine, RandomNoise

SIDE = 64
NO_CHANGE: dict[str, Any] = {"rotation_turns": 0.0, "translation": 0.0, "zoom": 0.0, "shear": 0.0}


def affine(*, flip: bool = False, **limits: float) -> RandomAffine:
    """Without any change but those of `limits`."""
    values = NO_CHANGE | limits
    return RandomAffine(
        values["rotation_turns"], values["translation"], values["zoom"], values["shear"], seed=1, horizontal_flip=flip
    )


def square(count: int) -> np.ndarray:
    """(count, SIDE, SIDE, 2): a bright square in the image and in the mask."""
    images = np.zeros((count, SIDE, SIDE, 2), dtype=np.float32)
    images[:, 20:28, 36:44] = 200
    return images


def centres(images: np.ndarray) -> np.ndarray:
    """(count, 2) centre of gravity of the grey levels relative to the image's centre, in pixels."""
    rows, columns = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    weights = images[..., 0] / images[..., 0].sum(axis=(1, 2), keepdims=True)
    return np.stack([(weights * rows).sum(axis=(1, 2)), (weights * columns).sum(axis=(1, 2))], axis=1)


@pytest.mark.parametrize("setting", sorted(NO_CHANGE))
def test_each_image_gets_its_own_affine_change_and_the_mask_the_same(setting: str) -> None:
    images = square(30)
    changed = np.asarray(affine(flip=False, **{setting: 0.1})(images))
    assert np.array_equal(changed[..., 0], changed[..., 1])
    before, after = centres(images)[0], centres(changed)
    moved = np.hypot(*(after - before).T)
    assert moved.std() > 0.1
    radius = np.hypot(*before)
    if setting == "rotation_turns":
        assert np.hypot(*after.T) == pytest.approx(radius, abs=0.2), "it rotates around the centre"
        assert moved.max() <= 2 * radius * np.sin(np.pi * 0.1) + 0.2
    elif setting == "translation":
        assert np.abs(after - before).max() == pytest.approx(0.1 * SIDE, rel=0.15)
    else:
        assert moved.max() <= 0.1 * radius / 0.9 * 1.5


def test_zero_limits_change_nothing() -> None:
    assert np.asarray(affine()(square(2))) == pytest.approx(square(2), abs=1e-3)


def test_the_noise_level_differs_between_images_up_to_the_maximum() -> None:
    deviations = np.asarray(RandomNoise(20.0, seed=3)(np.full((60, SIDE, SIDE, 1), 100.0))).std(axis=(1, 2, 3))
    assert deviations.max() == pytest.approx(20, rel=0.1)
    assert deviations.min() < 3


def test_coarser_maps_move_like_their_images() -> None:
    """A map of 8-pixel cells: its centre of gravity, in pixels, is that of the image."""
    change = RandomAffine(0.1, 0.1, 0.1, 0.1, seed=1, horizontal_flip=True)
    images = np.zeros((20, SIDE, SIDE, 1), dtype=np.float32)
    images[:, 16:40, 24:40] = 100
    maps = images.reshape(20, SIDE // 8, 8, SIDE // 8, 8, 1).mean(axis=(2, 4))
    drawn = change.draw(20)
    moved = centres(np.asarray(change.apply_drawn(images, drawn)))
    enlarged = np.asarray(change.apply_drawn(maps, drawn)).repeat(8, axis=1).repeat(8, axis=2)
    assert centres(enlarged) == pytest.approx(moved, abs=0.5)
    assert moved.std(axis=0).min() > 1


def test_half_of_the_images_are_mirrored() -> None:
    mirrored = np.asarray(affine(flip=True)(square(40)))
    columns = centres(mirrored)[:, 1]
    original = centres(square(1))[0, 1]
    assert np.abs(columns) == pytest.approx(np.full(40, abs(original)), abs=1e-3)
    assert 8 < (columns > 0).sum() < 32
