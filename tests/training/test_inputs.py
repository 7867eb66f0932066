"""What a classifier is fed: weights, augmented images, and lesion maps that move with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torchvision  # noqa: F401  before TensorFlow, which else crashes it
from PIL import Image

from training.classifier.augmentation import RandomAffine, RandomNoise
from training.classifier.inputs import training_batches
from training.configuration import load_configuration
from training.prepare import Example, start_dataset, write_example

SIDE = 64
BOX = (0.25, 0.25, 0.5, 0.5)


@pytest.fixture
def examples(tmp_path: Path) -> list[Example]:
    """One cholangiocarcinoma with its box, three metastases without, and no healthy slice."""
    start_dataset(tmp_path, {})
    grey = np.zeros((SIDE, SIDE), dtype=np.uint8)
    made = [Example("train", "a", "a", 0, [(0, *BOX)])]
    made += [Example("train", name, name, 1, []) for name in "bcd"]
    return [write_example(example, grey, None, tmp_path) for example in made]


def test_rare_labels_weigh_more_and_what_nobody_located_teaches_no_map(tmp_path: Path, examples: list[Example]) -> None:
    settings = load_configuration("smoke").classifier.model_copy(update={"balance": "class_weights", "batch_size": 4})
    ((_, targets, weights),) = training_batches(examples, tmp_path, settings, 1, 2, 8).as_numpy_iterator()
    for label, weight, of_map in zip(targets["logits"], weights["logits"], weights["activation"], strict=True):
        rare = label.argmax() == 0
        assert weight == pytest.approx(4 / 2 if rare else 4 / 6)
        assert of_map == pytest.approx(2.0 if rare else 0.0)


def test_repeating_shows_every_label_as_often(tmp_path: Path, examples: list[Example]) -> None:
    settings = load_configuration("smoke").classifier.model_copy(update={"balance": "repeat", "batch_size": 6})
    ((_, targets, weights),) = training_batches(examples, tmp_path, settings, 1, 2, 8).as_numpy_iterator()
    assert targets["logits"].sum(axis=0).tolist() == [3, 3]
    assert weights["logits"].tolist() == [1] * 6


NOTHING = {"rotation_turns": 0.0, "translation": 0.0, "zoom": 0.0, "shear": 0.0}


def square(count: int) -> np.ndarray:
    """(count, SIDE, SIDE, 2): a bright square, and the same in the channel of the mask."""
    images = np.zeros((count, SIDE, SIDE, 2), dtype=np.float32)
    images[:, 20:28, 36:44] = 200
    return images


def centres(images: np.ndarray) -> np.ndarray:
    """(count, 2) centre of what is bright, from the image's centre, in pixels."""
    rows, columns = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    weights = images[..., 0] / images[..., 0].sum(axis=(1, 2), keepdims=True)
    return np.stack([(weights * rows).sum(axis=(1, 2)), (weights * columns).sum(axis=(1, 2))], axis=1)


@pytest.mark.parametrize("line", sorted(NOTHING))
def test_an_affine_change_is_its_own_for_each_image_and_moves_the_mask_alike(line: str) -> None:
    images = square(30)
    changed = np.asarray(RandomAffine(**(NOTHING | {line: 0.1}), seed=1)(images))
    assert np.array_equal(changed[..., 0], changed[..., 1])
    before, after = centres(images)[0], centres(changed)
    moved = np.hypot(*(after - before).T)
    assert moved.std() > 0.1
    radius = np.hypot(*before)
    if line == "rotation_turns":
        assert np.hypot(*after.T) == pytest.approx(radius, abs=0.2), "about the centre"
        assert moved.max() <= 2 * radius * np.sin(np.pi * 0.1) + 0.2
    elif line == "translation":
        assert np.abs(after - before).max() == pytest.approx(0.1 * SIDE, rel=0.15)
    else:
        assert moved.max() <= 0.1 * radius / 0.9 * 1.5


def test_nothing_configured_changes_nothing() -> None:
    assert np.asarray(RandomAffine(**NOTHING, seed=1)(square(2))) == pytest.approx(square(2), abs=1e-3)


def test_noise_differs_in_strength_from_image_to_image_up_to_the_largest() -> None:
    deviations = np.asarray(RandomNoise(20.0, seed=3)(np.full((60, SIDE, SIDE, 1), 100.0))).std(axis=(1, 2, 3))
    assert deviations.max() == pytest.approx(20, rel=0.1)
    assert deviations.min() < 3


def test_a_mask_of_ones_own_is_written_and_an_ellipse_where_there_is_none(tmp_path: Path) -> None:
    start_dataset(tmp_path, {})
    grey, own = np.zeros((SIDE, SIDE), dtype=np.uint8), np.zeros((SIDE, SIDE), dtype=bool)
    own[18:20, 18:20] = True
    for name, mask in (("own", own), ("none", None)):
        write_example(Example("train", name, "p", 0, [(0, *BOX)]), grey, mask, tmp_path)
    read = {name: np.asarray(Image.open(tmp_path / "train" / "lesions" / f"{name}.png")) for name in ("own", "none")}
    assert np.array_equal(read["own"], own)
    assert read["none"].sum() == pytest.approx(np.pi / 4 * 16**2, rel=0.05)
