"""What is drawn into a liver: sizes, lobes, and how far a lesion may leave the liver's contour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.lesions.cholangiocarcinoma import cholangiocarcinoma_diameter_mm
from training.lesions.labels import Label
from training.lesions.metastasis import metastasis_diameter_mm


@dataclass(frozen=True)
class Recipe:
    """Shares are probabilities, 0..1; diameters are of the lesion in the slice, in mm.

    smallest_mm: nothing smaller is drawn.
    left_share: of lesions on slices that show both lobes, those that lie left of the body's midline; None places them
        anywhere in the liver. Many slices show the right lobe alone: 0.6 gives 0.2 to 0.25 of all lesions.
    exophytic_share: of lesions that may bulge out of the liver.
    small_share: of metastases that are drawn from `smallest_mm` to SMALL_MM instead of the table of largest lesions.
    shared_sizes_share: of slices whose lesion sizes come from one distribution for both types.
    """

    smallest_mm: float = 7.0
    left_share: float | None = None
    exophytic_share: float = 0.0
    small_share: float = 0.0
    shared_sizes_share: float = 0.0


TABLED = Recipe()
"""Sizes of each type's largest lesion in the tables of MCT-LTDiag, placed where the whole lesion fits."""
WHOLE_RANGE = Recipe(smallest_mm=5.0, left_share=0.6, exophytic_share=0.15, small_share=0.5, shared_sizes_share=0.5)
"""From 5 mm, both lobes, exophytic lesions, and sizes that do not tell the type in half of the slices."""

RECIPES = {"tabled": TABLED, "whole_range": WHOLE_RANGE}
"""By the name that a configuration gives them."""

SMALL_MM = 20.0
SHARED_LARGEST_MM = 100.0


def whole_diameter_mm(rng: np.random.Generator, label: Label, recipe: Recipe, *, shared: bool) -> float:
    """Diameter in space of the next lesion.

    shared: whether this slice draws from the distribution that both types have in common (log-uniform).
    """
    if shared:
        return _log_uniform(rng, recipe.smallest_mm, SHARED_LARGEST_MM)
    if label == "metastasis":
        if recipe.small_share and rng.random() < recipe.small_share:
            return _log_uniform(rng, recipe.smallest_mm, SMALL_MM)
        return metastasis_diameter_mm(rng)
    return cholangiocarcinoma_diameter_mm(rng)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
