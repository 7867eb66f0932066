"""What becomes of a tumour-free slice, in the shipped configuration and in the one for real patients."""

from __future__ import annotations

import numpy as np
import pytest

from training.configuration import DataConfiguration, load_configuration
from training.lesions import LABELS
from training.sources import LiverSlice, phantom_slices
from training.variants import Variant, variants_of

SIDE = 128


def small(name: str) -> DataConfiguration:
    """The data of a configuration at a quarter of the pixels."""
    data = load_configuration(name).data
    return data.model_copy(update={"input_size_px": SIDE, "pixel_spacing_mm": 2 * data.pixel_spacing_mm})


@pytest.fixture(scope="module")
def slices() -> list[LiverSlice]:
    return list(phantom_slices(4, small("compact-2")))


def made(slices: list[LiverSlice], data: DataConfiguration, *, training: bool) -> list[Variant]:
    return [variant for item in slices for variant in variants_of(item, data, training=training)]


def test_a_fifth_to_a_quarter_of_the_training_images_have_no_lesion(slices: list[LiverSlice]) -> None:
    variants = made(slices, small("compact-2"), training=True)
    assert 0.2 <= np.mean([variant.lesions is None for variant in variants]) <= 0.27
    assert [variant.label for variant in variants].count("metastasis") == 6 * len(slices)


def test_the_shipped_configuration_makes_one_copy_without_lesions_and_twelve_of_each_type(
    slices: list[LiverSlice],
) -> None:
    variants = made(slices[:1], small("compact"), training=True)
    assert [variant.label for variant in variants] == [None, *["cholangiocarcinoma"] * 12, *["metastasis"] * 12]


def test_the_first_copy_is_the_slice_itself_and_the_others_are_changed(slices: list[LiverSlice]) -> None:
    free = [variant for variant in made(slices, small("compact-2"), training=True) if variant.label is None]
    for number, variant in enumerate(free):
        own = slices[number // 4].hu
        assert variant.number == number % 4
        assert bool((variant.hu == own).all()) or variant.number > 0
    assert np.mean([bool((variant.hu != slices[0].hu).any()) for variant in free[1:4]]) > 0.5


def test_held_out_slices_get_lesions_and_nothing_else(slices: list[LiverSlice]) -> None:
    for variant in made(slices[:2], small("compact-2"), training=False):
        if variant.lesions is None:
            assert variant.number == 0
        else:
            assert (variant.hu == variant.lesions.hu).all()


def test_the_same_slice_gives_the_same_variants(slices: list[LiverSlice]) -> None:
    data = small("compact-2").model_copy(update={"variants_train": 1, "lesion_free_copies": 2})
    one, again = (made(slices[:1], data, training=True) for _ in range(2))
    assert len(one) == 2 + len(LABELS)
    assert all((first.hu == second.hu).all() for first, second in zip(one, again, strict=True))
