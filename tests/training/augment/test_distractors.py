"""Distractors: what they do to a slice and to its liver, and how often they come."""

from __future__ import annotations

import numpy as np
import pytest

from training.augment import distractors
from training.augment.distractors import Distractor, Slice
from training.phantom import abdomen_phantom

SEEDS = range(8)


@pytest.fixture(scope="module")
def slices() -> list[Slice]:
    phantoms = [abdomen_phantom(np.random.default_rng(seed), 128) for seed in SEEDS]
    return [Slice(np.clip(item.hu, 0, 250).astype(np.float32), item.liver_mask, item.spacing_mm) for item in phantoms]


def drawn(distractor: Distractor, slices: list[Slice]) -> list[Slice]:
    return [distractor(np.random.default_rng(seed), item) for seed, item in zip(SEEDS, slices, strict=True)]


@pytest.mark.parametrize("distractor", [distractors.gallbladder, distractors.fat_wedge])
def test_bile_and_fat_are_darker_than_the_liver_and_no_part_of_it(distractor: Distractor, slices: list[Slice]) -> None:
    lost = 0
    for before, after in zip(slices, drawn(distractor, slices), strict=True):
        gone = before.liver & ~after.liver
        assert not (after.liver & ~before.liver).any()
        if gone.any():
            assert after.hu[gone].mean() < np.median(before.hu[before.liver]) - 30
        lost += int(gone.any())
    assert lost >= 4


def test_a_bowel_blob_lies_outside_of_the_liver(slices: list[Slice]) -> None:
    for before, after in zip(slices, drawn(distractors.bowel_blob, slices), strict=True):
        assert (after.liver == before.liver).all()
        assert np.abs(after.hu - before.hu)[before.liver].max() < 1e-3
        assert np.abs(after.hu - before.hu).max() > 5


def test_a_dark_vessel_stays_liver_and_is_longer_than_wide(slices: list[Slice]) -> None:
    for before, after in zip(slices, drawn(distractors.dark_vessel, slices), strict=True):
        assert (after.liver == before.liver).all()
        darker = before.hu - after.hu > 7
        assert darker[~before.liver].sum() == 0
        rows, columns = np.nonzero(darker)
        extent_mm = max(np.ptp(rows), np.ptp(columns)) * before.spacing_mm
        assert darker.sum() * before.spacing_mm**2 < 12 * (extent_mm + 15)


@pytest.mark.parametrize("distractor", [distractors.motion, distractors.metal])
def test_artefacts_change_the_slice_and_not_the_liver(distractor: Distractor, slices: list[Slice]) -> None:
    for before, after in zip(slices, drawn(distractor, slices), strict=True):
        assert (after.liver == before.liver).all()
        assert np.abs(after.hu - before.hu).mean() > 0.1
        assert after.hu.dtype == np.float32


def test_a_liver_that_was_taken_out_is_black_and_has_no_mask(slices: list[Slice]) -> None:
    for before, after in zip(slices, drawn(distractors.without_liver, slices), strict=True):
        assert not after.liver.any()
        assert np.median(after.hu[before.liver]) < 15


def test_more_than_half_of_the_slices_get_a_distractor(slices: list[Slice]) -> None:
    changed = [
        bool((distractors.add_distractors(np.random.default_rng([seed, draw]), item).hu != item.hu).any())
        for seed, item in zip(SEEDS, slices, strict=True)
        for draw in range(12)
    ]
    assert 0.5 <= np.mean(changed) <= 0.85


def test_a_slice_without_liver_bears_all_of_them(slices: list[Slice]) -> None:
    empty = Slice(slices[0].hu, np.zeros_like(slices[0].liver), slices[0].spacing_mm)
    for _, distractor in distractors.SHARES:
        assert distractor(np.random.default_rng(0), empty).hu.shape == empty.hu.shape
