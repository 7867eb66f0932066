"""Features around the liver: what they depend on, and their cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training.prepared.dataset import Example
from training.teacher.features import Extractor, cached_features, extract, fit_projection
from training.teacher.livers import livers_of, slice_name
from training.teacher.networks import GRID, random_networks

SIDE = 128
WINDOW = (0.0, 250.0)


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor(random_networks(5), WINDOW)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(4).integers(0, 255, (6, SIDE, SIDE), dtype=np.uint8)


@pytest.fixture
def livers() -> np.ndarray:
    """In the left upper quarter."""
    masks = np.zeros((6, SIDE, SIDE), dtype=bool)
    masks[:, 32:56, 16:40] = True
    return masks


def test_only_the_liver_counts(extractor: Extractor, images: np.ndarray, livers: np.ndarray) -> None:
    projection = fit_projection(extractor, images, livers)
    features = extract(extractor, images, livers, projection)
    elsewhere = images.copy()
    elsewhere[:, 80:] = 0
    again = extract(extractor, elsewhere, livers, projection)
    assert np.array_equal(features.vectors, again.vectors)
    inside = features.livers[0] > 0
    assert [axis.tolist() for axis in (np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0)))] == [
        [4, 5, 6], [2, 3, 4]
    ]  # fmt: skip
    assert features.maps.shape[:3] == (6, GRID, GRID)
    assert not features.maps[:, ~inside].any()
    components = features.maps[:, inside].reshape(-1, features.maps.shape[-1])
    assert components.mean(axis=0) == pytest.approx(0, abs=1e-3)
    assert components[:, :4].std(axis=0) == pytest.approx(1, abs=0.1)
    images[:, 40:44, 20:24] = 255
    changed = extract(extractor, images, livers, projection)
    assert not np.allclose(features.vectors, changed.vectors)


def test_an_interrupted_extraction_goes_on_from_the_cache(
    extractor: Extractor, images: np.ndarray, livers: np.ndarray, tmp_path: Path
) -> None:
    first = cached_features(extractor, images, livers, 4, tmp_path)

    def broken(hu: torch.Tensor) -> list[torch.Tensor]:
        raise AssertionError

    again = cached_features(Extractor([broken], WINDOW), images, livers, 4, tmp_path)
    assert np.array_equal(first.vectors, again.vectors)
    assert np.array_equal(first.maps, again.maps)
    images[0] = 0
    with pytest.raises(AssertionError):
        cached_features(Extractor([broken], WINDOW), images, livers, 4, tmp_path)


def test_all_copies_of_a_slice_share_the_mask_of_the_first() -> None:
    names = [
        "10001_81_no_tumour",
        "10001_81_no_tumour_1",
        "10001_81_metastasis_0",
        "10001_95_real_cholangiocarcinoma_2",
    ]
    assert [slice_name(name) for name in names] == ["10001_81"] * 3 + ["10001_95"]
    examples = [Example("train", name, name[:5], 2, []) for name in names]
    images = np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((1, 8, 8), dtype=np.uint8)
    seen: list[np.ndarray] = []

    def find(chosen: np.ndarray) -> np.ndarray:
        seen.append(chosen)
        return chosen > 0

    masks = livers_of(examples, images, find)
    assert [int(image[0, 0]) for image in seen[0]] == [0, 3]
    assert masks[:, 0, 0].tolist() == [False, False, False, True]
