"""What the recipes draw: sizes, lobes, bulges, and that the shipped recipe draws what it drew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from training.fields import BoolImage
from training.lesions import LABELS, TABLED, WHOLE_RANGE, Label, LesionBox, Recipe, synthesise
from training.lesions.placement import midline_px
from training.lesions.recipe import SMALL_MM, whole_diameter_mm
from training.phantom import abdomen_phantom

SIDE = 256
PHANTOMS = 40


@dataclass(frozen=True)
class Drawn:
    box: LesionBox
    left: bool
    spacing_mm: float

    @property
    def longer_mm(self) -> float:
        return max(self.box.x_max - self.box.x_min, self.box.y_max - self.box.y_min) * self.spacing_mm


def drawn(label: Label, recipe: Recipe) -> Iterator[Drawn]:
    for seed in range(PHANTOMS):
        phantom = abdomen_phantom(np.random.default_rng(seed), SIDE)
        rng = np.random.default_rng([seed, LABELS.index(label)])
        made = synthesise(phantom.hu, phantom.liver_mask, phantom.spacing_mm, label, rng, recipe)
        middle = midline_px(phantom.hu)
        for box in made.boxes:
            yield Drawn(box, (box.x_min + box.x_max) / 2 > middle, phantom.spacing_mm)


@pytest.fixture(scope="module")
def whole_range() -> dict[Label, list[Drawn]]:
    return {label: list(drawn(label, WHOLE_RANGE)) for label in LABELS}


def test_three_in_five_lesions_lie_left_where_a_slice_shows_both_lobes(whole_range: dict[Label, list[Drawn]]) -> None:
    """All phantoms show both lobes."""
    lesions = [lesion for found in whole_range.values() for lesion in found]
    assert 0.45 <= np.mean([lesion.left for lesion in lesions]) <= 0.7
    assert np.mean([lesion.left for label in LABELS for lesion in drawn(label, TABLED)]) < 0.45
    big = [lesion.left for lesion in lesions if lesion.longer_mm >= 26 * 1.6]
    assert any(big), "the left lobe has large lesions too"


def test_metastases_are_drawn_from_five_millimetres_up(whole_range: dict[Label, list[Drawn]]) -> None:
    sizes = np.array([lesion.longer_mm for lesion in whole_range["metastasis"]])
    assert np.quantile(sizes, 0.1) < 9
    assert 9 < np.quantile(sizes, 0.5) < 25
    assert np.quantile(sizes, 0.95) > 35
    assert 0.25 < np.mean(sizes < 12) < 0.65


def test_the_tabled_recipe_has_no_such_small_lesions() -> None:
    sizes = np.array([lesion.longer_mm for lesion in drawn("metastasis", TABLED)])
    assert np.mean(sizes < 10) < 0.15


def test_in_slices_with_shared_sizes_the_diameter_does_not_tell_the_type() -> None:
    rng = np.random.default_rng(0)
    sizes = {
        label: np.array([whole_diameter_mm(rng, label, WHOLE_RANGE, shared=True) for _ in range(2000)])
        for label in LABELS
    }
    for quantile in (0.1, 0.5, 0.9):
        first, second = (np.quantile(values, quantile) for values in sizes.values())
        assert first == pytest.approx(second, rel=0.12)
    own = [
        np.median([whole_diameter_mm(rng, label, WHOLE_RANGE, shared=False) for _ in range(2000)]) for label in LABELS
    ]
    assert own[0] > 2 * own[1]


def test_half_of_the_metastases_with_sizes_of_their_own_are_small() -> None:
    rng = np.random.default_rng(1)
    sizes = np.array([whole_diameter_mm(rng, "metastasis", WHOLE_RANGE, shared=False) for _ in range(4000)])
    assert sizes.min() >= 5
    assert 0.5 < np.mean(sizes <= SMALL_MM) < 0.65


def outside(mask: BoolImage, liver: BoolImage) -> float:
    return float((mask & ~liver).sum() / mask.sum())


def test_an_exophytic_lesion_bulges_out_of_the_liver_and_its_box_and_mask_hold_the_bulge() -> None:
    always = Recipe(smallest_mm=20, left_share=0.5, exophytic_share=1.0)
    shares, boxed = [], []
    for seed in range(PHANTOMS):
        phantom = abdomen_phantom(np.random.default_rng(seed), SIDE)
        made = synthesise(
            phantom.hu, phantom.liver_mask, phantom.spacing_mm, "metastasis", np.random.default_rng(seed), always
        )
        shares.append(outside(made.lesion_mask, phantom.liver_mask))
        assert not (made.lesion_mask & ~made.liver_mask).any(), "the liver's mask includes the bulge"
        rows, columns = np.nonzero(made.lesion_mask)
        boxed.append(
            min(box.x_min for box in made.boxes) <= columns.min() and max(box.y_max for box in made.boxes) > rows.max()
        )
    assert np.mean(np.array(shares) > 0.05) > 0.25
    assert all(boxed)


def test_lesions_that_are_not_exophytic_stay_in_the_liver() -> None:
    never = Recipe(smallest_mm=5, left_share=0.5)
    for seed in range(12):
        phantom = abdomen_phantom(np.random.default_rng(seed), SIDE)
        made = synthesise(
            phantom.hu, phantom.liver_mask, phantom.spacing_mm, "metastasis", np.random.default_rng(seed), never
        )
        assert outside(made.lesion_mask, phantom.liver_mask) == 0


def test_the_shipped_recipe_draws_the_same_boxes_as_before_there_were_others() -> None:
    """The data of the shipped cards must come out again: the fingerprint was taken before this recipe had a name."""
    digest = hashlib.sha256()
    for seed in range(6):
        phantom = abdomen_phantom(np.random.default_rng(seed), SIDE)
        for label in LABELS:
            rng = np.random.default_rng([seed, 5])
            made = synthesise(phantom.hu, phantom.liver_mask, phantom.spacing_mm, label, rng)
            boxes = [(box.x_min, box.y_min, box.x_max, box.y_max, box.rim, box.lobulated) for box in made.boxes]
            digest.update(repr(boxes).encode())
    assert digest.hexdigest()[:16] == "86164ae954c98a55"
