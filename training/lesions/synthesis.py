"""Synthesises lesions of one type into the liver of a slice, with their mask and boxes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from training.fields import BoolImage, FloatImage
from training.lesions import cholangiocarcinoma as icc
from training.lesions import metastasis as met
from training.lesions.labels import Label
from training.lesions.outline import Outline
from training.lesions.parenchyma import Parenchyma, blend_lesion, measure_parenchyma
from training.lesions.placement import Place, choose_place, midline_px, room_for
from training.lesions.recipe import TABLED, Recipe, whole_diameter_mm

_SMALLEST_SATELLITE_MM = 7.0


@dataclass(frozen=True)
class LesionBox:
    """Pixels; the two maxima are exclusive.

    diameter_mm: of the whole lesion in space, of which the slice may show less.  rim, lobulated: how it was drawn.
    """

    x_min: int
    y_min: int
    x_max: int
    y_max: int
    label: Label
    diameter_mm: float
    rim: bool
    lobulated: bool


@dataclass(frozen=True)
class LesionSlice:
    """hu: (h, w) float32.  lesion_mask: (h, w) bool, all lesions.  boxes: one a lesion, largest first."""

    hu: FloatImage
    lesion_mask: BoolImage
    liver_mask: BoolImage
    boxes: tuple[LesionBox, ...]


def synthesise(
    hu: FloatImage,
    liver_mask: BoolImage,
    spacing_mm: float,
    label: Label,
    rng: np.random.Generator,
    recipe: Recipe = TABLED,
) -> LesionSlice:
    """Puts lesions of one type into the liver of one slice, phantom or real.

    hu: (h, w) Hounsfield units.  liver_mask: (h, w) bool.  spacing_mm: one pixel's side.
    Raises ValueError when the liver has fewer than 200 pixels or no room for the smallest lesion.
    """
    parenchyma = measure_parenchyma(hu, liver_mask, spacing_mm)
    if 2 * float(parenchyma.depth_mm.max()) < recipe.smallest_mm + 4:
        raise ValueError("the liver is too narrow here for a lesion")
    shared = bool(recipe.shared_sizes_share and rng.random() < recipe.shared_sizes_share)
    build = _metastases if label == "metastasis" else _cholangiocarcinoma
    return build(hu, parenchyma, rng, _Drawing(recipe, midline_px(hu) if recipe.left_share else 0.0, shared))


@dataclass(frozen=True)
class _Drawing:
    """The recipe and what was decided for the slice."""

    recipe: Recipe
    middle_px: float
    shared_sizes: bool

    def diameters_mm(self, rng: np.random.Generator, label: Label, parenchyma: Parenchyma) -> tuple[float, float]:
        """Of the next lesion in space, and in the slice."""
        whole = whole_diameter_mm(rng, label, self.recipe, shared=self.shared_sizes)
        return whole, _in_plane_mm(rng, whole, parenchyma, self.recipe)

    def place(
        self, rng: np.random.Generator, parenchyma: Parenchyma, diameter_mm: float, taken: BoolImage
    ) -> Place | None:
        return choose_place(rng, parenchyma, self.middle_px, diameter_mm, self.recipe, taken)


def _metastases(hu: FloatImage, parenchyma: Parenchyma, rng: np.random.Generator, drawing: _Drawing) -> LesionSlice:
    blur_mm = rng.uniform(0.6, 1.2)
    mask = np.zeros(hu.shape, dtype=bool)
    liver = parenchyma.mask
    boxes: list[LesionBox] = []
    for _ in range(met.metastasis_count(rng)):
        whole, diameter = drawing.diameters_mm(rng, "metastasis", parenchyma)
        place = drawing.place(rng, parenchyma, diameter, taken=mask)
        if place is None:
            continue
        outline = met.metastasis(rng, hu.shape, place.centre_px, place.diameter_mm, parenchyma.spacing_mm)
        around = _with_room(parenchyma, outline, place, hu)
        hu = blend_lesion(hu, around, outline.alpha, outline.contrast_hu, blur_mm)
        mask |= _mark(outline, around, "metastasis", whole, boxes)
        liver = liver | around.mask
    return _finished(hu, liver, mask, boxes)


def _cholangiocarcinoma(
    hu: FloatImage, parenchyma: Parenchyma, rng: np.random.Generator, drawing: _Drawing
) -> LesionSlice:
    blur_mm = rng.uniform(0.6, 1.2)
    whole, diameter = drawing.diameters_mm(rng, "cholangiocarcinoma", parenchyma)
    place = drawing.place(rng, parenchyma, diameter, taken=np.zeros(hu.shape, dtype=bool))
    if place is None:
        raise ValueError("the liver has no room for the mass")
    centre, diameter = place.centre_px, place.diameter_mm
    rows, columns = np.nonzero(parenchyma.mask)
    hilum = (0.55 * rows.max() + 0.45 * rows.min(), 0.6 * columns.max() + 0.4 * columns.min())

    depth_mm = float(parenchyma.depth_mm[int(centre[0]), int(centre[1])])
    if not place.exophytic and depth_mm < 0.85 * diameter and rng.random() < 0.6:
        pull_mm = rng.uniform(3, min(10.0, 0.25 * diameter + 3))
        hu, moved = icc.retract_capsule(hu, parenchyma.mask, centre, parenchyma, pull_mm)
        parenchyma = measure_parenchyma(hu, moved, parenchyma.spacing_mm)
    if rng.random() < 0.55:
        ducts = icc.dilated_ducts(rng, parenchyma, centre, diameter, hilum)
        bile = np.minimum(icc.BILE_HU - parenchyma.level_hu, -25) * rng.uniform(0.75, 1.0)
        hu = blend_lesion(hu, parenchyma, ducts, bile.astype(np.float32), 0.8 * blur_mm)

    outline = icc.cholangiocarcinoma(rng, hu.shape, centre, diameter, parenchyma.spacing_mm)
    around = _with_room(parenchyma, outline, place, hu)
    hu = blend_lesion(hu, around, outline.alpha, outline.contrast_hu, blur_mm)
    boxes: list[LesionBox] = []
    mask = _mark(outline, around, "cholangiocarcinoma", whole, boxes)
    for _ in range(rng.integers(1, 4) if rng.random() < 0.25 else 0):
        hu, mask = _satellite(hu, parenchyma, rng, centre, diameter, mask, boxes)
    return _finished(hu, around.mask, mask, boxes)


def _with_room(parenchyma: Parenchyma, outline: Outline, place: Place, hu: FloatImage) -> Parenchyma:
    return replace(parenchyma, mask=room_for(outline, place, hu, parenchyma.mask, parenchyma.spacing_mm))


def _satellite(
    hu: FloatImage,
    parenchyma: Parenchyma,
    rng: np.random.Generator,
    centre: tuple[float, float],
    diameter_mm: float,
    mask: BoolImage,
    boxes: list[LesionBox],
) -> tuple[FloatImage, BoolImage]:
    """A small nodule of the same tumour within a radius of the mass."""
    around, reach_px = rng.uniform(0, 2 * np.pi), diameter_mm * rng.uniform(0.6, 0.95) / parenchyma.spacing_mm
    row, column = centre[0] + reach_px * np.sin(around), centre[1] + reach_px * np.cos(around)
    size_mm = rng.uniform(_SMALLEST_SATELLITE_MM, 16)
    inside = 0 <= row < hu.shape[0] and 0 <= column < hu.shape[1]
    if not inside or parenchyma.depth_mm[int(row), int(column)] < size_mm / 2:
        return hu, mask
    if mask[int(row), int(column)]:
        return hu, mask
    outline = met.metastasis(rng, hu.shape, (row, column), size_mm, parenchyma.spacing_mm)
    hu = blend_lesion(hu, parenchyma, outline.alpha, outline.contrast_hu, 1.0)
    return hu, mask | _mark(outline, parenchyma, "cholangiocarcinoma", size_mm, boxes)


def _in_plane_mm(rng: np.random.Generator, diameter_mm: float, parenchyma: Parenchyma, recipe: Recipe) -> float:
    """What a random axial cut shows of a ball of this diameter; without lobes it is bounded by the liver's width."""
    cut = diameter_mm * np.sqrt(1 - rng.uniform(0, 0.85) ** 2)
    widest_mm = 1.7 * float(parenchyma.depth_mm.max()) if recipe.left_share is None else diameter_mm
    return float(np.clip(cut, recipe.smallest_mm, max(widest_mm, recipe.smallest_mm)))


def _mark(
    outline: Outline, parenchyma: Parenchyma, label: Label, diameter_mm: float, boxes: list[LesionBox]
) -> BoolImage:
    """Adds the lesion's box and returns its mask; a lesion of under four pixels is not worth a box."""
    mask = np.asarray((outline.alpha > 0.5) & parenchyma.mask)
    if int(mask.sum()) >= 4:
        rows, columns = np.nonzero(mask)
        corner = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
        boxes.append(LesionBox(*corner, label, diameter_mm, outline.rim, outline.lobulated))
    return mask


def _finished(hu: FloatImage, liver: BoolImage, mask: BoolImage, boxes: list[LesionBox]) -> LesionSlice:
    if not boxes:
        raise ValueError("the liver has no room for a lesion")
    by_size = sorted(boxes, key=lambda box: (box.x_max - box.x_min) * (box.y_max - box.y_min), reverse=True)
    return LesionSlice(hu, mask, liver, tuple(by_size))
