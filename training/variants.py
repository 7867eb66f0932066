"""What one tumour-free slice becomes: copies without lesions, and copies with synthesised ones of each type."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from training.augment.distractors import Slice, add_distractors
from training.augment.domain import randomise_domain
from training.configuration import DataConfiguration
from training.fields import BoolImage, FloatImage
from training.lesions import LABELS, RECIPES, Label, LesionSlice, synthesise
from training.sources import LiverSlice

_ATTEMPTS = {"tabled": 1, "whole_range": 4}
"""The smallest lesions of the whole range may come out as too few pixels for a box: another draw helps."""


@dataclass(frozen=True)
class Variant:
    """label, lesions: None for a copy without lesions.  number: from 0; copy 0 without lesions is the slice itself."""

    label: Label | None
    number: int
    hu: FloatImage
    lesions: LesionSlice | None


def variants_of(item: LiverSlice, data: DataConfiguration, *, training: bool, epoch: int = 0) -> Iterator[Variant]:
    """The same slice, configuration and epoch give the same variants.

    training: only then are distractors and other domains drawn; held-out slices stay as they were taken.
    epoch: every one has draws of its own; 0 are those of the prepared data.
    """
    yield Variant(None, 0, item.hu, None)
    for number in range(1, data.lesion_free_copies if training else 1):
        rng = _generator(data, item.name, "lesion_free", number, epoch)
        hu, liver = _distracted(rng, item, data, training=True)
        yield Variant(None, number, _from_elsewhere(rng, hu, liver, data, training=True), None)
    for label in LABELS:
        for number in range(data.variants_train if training else data.variants_evaluation):
            rng = _generator(data, item.name, label, number, epoch)
            hu, liver = _distracted(rng, item, data, training=training)
            made = _with_lesions(rng, hu, liver, label, data)
            if made is None:
                break  # too little liver on this slice for any lesion: it stays a tumour-free example
            hu = _from_elsewhere(rng, made.hu, made.liver_mask, data, training=training)
            yield Variant(label, number, hu, made)


def _with_lesions(
    rng: np.random.Generator, hu: FloatImage, liver: BoolImage, label: Label, data: DataConfiguration
) -> LesionSlice | None:
    for _ in range(_ATTEMPTS[data.recipe]):
        try:
            return synthesise(hu, liver, data.pixel_spacing_mm, label, rng, RECIPES[data.recipe])
        except ValueError:
            continue
    return None


def _generator(data: DataConfiguration, name: str, what: str, number: int, epoch: int) -> np.random.Generator:
    words = f"{data.seed}/{name}/{what}/{number}" + (f"/{epoch}" if epoch else "")
    return np.random.default_rng(int.from_bytes(hashlib.sha256(words.encode()).digest()[:8]))


def _distracted(
    rng: np.random.Generator, item: LiverSlice, data: DataConfiguration, *, training: bool
) -> tuple[FloatImage, BoolImage]:
    if not (training and data.distractors):
        return item.hu, item.liver_mask
    changed = add_distractors(rng, Slice(item.hu, item.liver_mask.astype(bool), data.pixel_spacing_mm))
    return changed.hu, changed.liver


def _from_elsewhere(
    rng: np.random.Generator, hu: FloatImage, liver: BoolImage, data: DataConfiguration, *, training: bool
) -> FloatImage:
    if not training or not data.domain_share or rng.random() >= data.domain_share:
        return hu
    window = (data.window_low_hu, data.window_high_hu)
    return randomise_domain(rng, hu, liver, data.pixel_spacing_mm, window)
