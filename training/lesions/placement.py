"""Where in a liver a lesion lies, and how large it may be there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.fields import BoolImage, FloatImage
from training.lesions.outline import Outline
from training.lesions.parenchyma import Parenchyma
from training.lesions.recipe import Recipe

FITTING_DEPTH = 0.36
"""Depth of a centre below the liver's contour, as a share of the diameter, that keeps most of a lesion inside."""
EXOPHYTIC_DEPTH = 0.15
BULGE = 0.35
"""How far an exophytic lesion may leave the liver, as a share of its diameter."""
CLEARANCE_MM = 3.0
BONE_HU = 220.0
_BODY_GREY_SHARE = 0.03


@dataclass(frozen=True)
class Place:
    """centre_px: row, column.  diameter_mm: in the slice, at most what was asked for."""

    centre_px: tuple[float, float]
    diameter_mm: float
    exophytic: bool


def midline_px(hu: FloatImage) -> float:
    """Column of the body's middle; the patient's left lies right of it in standard radiological display."""
    columns = np.flatnonzero(body(hu).any(axis=0))
    return float(columns[0] + columns[-1]) / 2 if len(columns) else float(hu.shape[1]) / 2


def body(hu: FloatImage) -> BoolImage:
    """(h, w) the largest connected region that is brighter than the slice's darkest values."""
    floor = float(hu.min()) + _BODY_GREY_SHARE * float(np.ptp(hu))
    regions, count = ndimage.label(ndimage.binary_opening(hu > floor, iterations=2))
    if count == 0:
        return np.zeros(hu.shape, dtype=bool)
    sizes = np.bincount(regions.ravel())[1:]
    return np.asarray(regions == 1 + int(sizes.argmax()))


def choose_place(
    rng: np.random.Generator,
    parenchyma: Parenchyma,
    middle_px: float,
    diameter_mm: float,
    recipe: Recipe,
    taken: BoolImage,
) -> Place | None:
    """Draws the lobe first, then a centre in it; shrinks the lesion to the depth that the lobe has.

    A recipe without lobes places the lesion anywhere in the liver where it fits, and never shrinks it.
    taken: (h, w) lesions that are there already.  None where the liver has no room for `recipe.smallest_mm`.
    """
    if recipe.left_share is None:
        return _anywhere(rng, parenchyma, diameter_mm, taken)
    exophytic = bool(rng.random() < recipe.exophytic_share)
    depth_share = EXOPHYTIC_DEPTH if exophytic else FITTING_DEPTH
    clear_mm = _clearance_mm(taken, parenchyma.spacing_mm)
    for lobe in _lobes(rng, parenchyma, middle_px, recipe.left_share):
        room_mm = np.where(lobe, np.minimum(parenchyma.depth_mm / depth_share, 2 * (clear_mm - CLEARANCE_MM)), 0)
        largest_mm = float(room_mm.max())
        if largest_mm < recipe.smallest_mm:
            continue
        fitted_mm = min(diameter_mm, largest_mm)
        places = np.argwhere(room_mm >= fitted_mm)
        row, column = places[rng.integers(len(places))]
        return Place((float(row), float(column)), fitted_mm, exophytic)
    return None


def room_for(outline: Outline, place: Place, hu: FloatImage, liver: BoolImage, spacing_mm: float) -> BoolImage:
    """(h, w) where the lesion is drawn: the liver, and for an exophytic lesion its bulge, which spares bone."""
    if not place.exophytic:
        return liver
    outside_mm = ndimage.distance_transform_edt(~liver) * spacing_mm
    near = (outside_mm <= BULGE * place.diameter_mm) & (hu < BONE_HU) & (outline.alpha > 0.5)
    regions, _ = ndimage.label(liver | near)
    centre = regions[int(place.centre_px[0]), int(place.centre_px[1])]
    return np.asarray(liver | (near & (regions == centre)))


def _anywhere(rng: np.random.Generator, parenchyma: Parenchyma, diameter_mm: float, taken: BoolImage) -> Place | None:
    """A random place that is deep enough for at least two thirds of the lesion to lie in the liver."""
    needed_mm = min(FITTING_DEPTH * diameter_mm, 0.9 * float(parenchyma.depth_mm.max()))
    free = parenchyma.depth_mm >= needed_mm
    free &= _clearance_mm(taken, parenchyma.spacing_mm) >= diameter_mm / 2 + CLEARANCE_MM
    places = np.argwhere(free)
    if len(places) == 0:
        return None
    row, column = places[rng.integers(len(places))]
    return Place((float(row), float(column)), diameter_mm, exophytic=False)


def _clearance_mm(taken: BoolImage, spacing_mm: float) -> NDArray[np.float64]:
    if not taken.any():
        return np.full(taken.shape, np.inf)
    return np.asarray(ndimage.distance_transform_edt(~taken) * spacing_mm)


def _lobes(
    rng: np.random.Generator, parenchyma: Parenchyma, middle_px: float, left_share: float
) -> tuple[BoolImage, BoolImage]:
    """The lobe that was drawn, then the other one for livers that show only one."""
    left_side = np.arange(parenchyma.mask.shape[1])[None, :] > middle_px
    left, right = parenchyma.mask & left_side, parenchyma.mask & ~left_side
    return (left, right) if rng.random() < left_share else (right, left)
