"""Synthesises lesions into a volume: every lesion is one solid, cut by the slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.fields import BoolImage, FloatImage
from training.lesions.cholangiocarcinoma import cholangiocarcinoma
from training.lesions.labels import Label
from training.lesions.metastasis import metastasis, metastasis_count
from training.lesions.parenchyma import Parenchyma, blend_lesion, measure_parenchyma
from training.lesions.placement import CLEARANCE_MM, FITTING_DEPTH
from training.lesions.recipe import WHOLE_RANGE, Recipe, whole_diameter_mm

_SMALLEST_LIVER_PX = 200
_SMALLEST_CUT_MM = 3.0
_HEIGHT = (0.8, 1.2)
"""Height of a lesion as a share of its diameter in the slice."""


@dataclass(frozen=True)
class Solid:
    """What is drawn. centre: slice, row, column.  diameter_mm: of the largest cross-section, before its outline is
    made irregular.  height_mm: along the body.  seed: of everything else, the same in all slices.
    """

    label: Label
    centre: tuple[float, float, float]
    diameter_mm: float
    height_mm: float
    seed: int

    def cut_mm(self, offset_mm: float) -> float:
        """Diameter of the cross-section at a distance from the centre along the body."""
        relative = 2 * offset_mm / self.height_mm
        return self.diameter_mm * float(np.sqrt(max(0.0, 1 - relative**2)))


@dataclass(frozen=True)
class LesionVolume:
    """hu: (slices, h, w) int16.  lesions: the same shape, uint8: 0, or 1 + index in `solids`.

    solids: of one patient, in the order in which they were drawn; those that no slice shows are left out.
    """

    hu: NDArray[np.int16]
    lesions: NDArray[np.uint8]
    solids: tuple[Solid, ...]


def synthesise_volume(
    hu: NDArray[np.int16],
    liver: NDArray[np.bool_],
    spacing_mm: tuple[float, float, float],
    label: Label,
    rng: np.random.Generator,
    recipe: Recipe = WHOLE_RANGE,
) -> LesionVolume:
    """Puts the lesions of one patient into a liver: one mass of cholangiocarcinoma, or one to eight metastases.

    hu, liver: (slices, h, w).  spacing_mm: between slices, rows and columns; pixels are square.
    Cross-sections of one solid are similar to each other. Retraction, dilated ducts and satellites are not drawn.
    Raises ValueError where the liver has no room for a lesion.
    """
    shared = bool(rng.random() < recipe.shared_sizes_share)
    count = metastasis_count(rng) if label == "metastasis" else 1
    diameters_mm = [whole_diameter_mm(rng, label, recipe, shared=shared) for _ in range(count)]
    solids = _place(rng, liver, spacing_mm, label, sorted(diameters_mm, reverse=True), recipe)
    if not solids:
        raise ValueError("the liver has no room for a lesion")
    return draw_solids(hu, liver, spacing_mm, solids)


def draw_solids(
    hu: NDArray[np.int16], liver: NDArray[np.bool_], spacing_mm: tuple[float, float, float], solids: Sequence[Solid]
) -> LesionVolume:
    """Draws these solids; see `synthesise_volume`."""
    drawn, marks = hu.copy(), np.zeros(hu.shape, dtype=np.uint8)
    for index in range(len(hu)):
        cuts = [
            (number, solid, solid.cut_mm((index - solid.centre[0]) * spacing_mm[0]))
            for number, solid in enumerate(solids, 1)
        ]
        cuts = [cut for cut in cuts if cut[2] >= _SMALLEST_CUT_MM]
        if not cuts or liver[index].sum() < _SMALLEST_LIVER_PX:
            continue
        parenchyma = measure_parenchyma(hu[index].astype(np.float32), liver[index], spacing_mm[1])
        image = hu[index].astype(np.float32)
        for number, solid, cut_mm in cuts:
            image, mask = _draw(image, parenchyma, solid, cut_mm)
            marks[index][mask & (marks[index] == 0)] = number
        drawn[index] = np.clip(np.rint(image), -1024, 3071).astype(np.int16)
    return _without_unseen(drawn, marks, solids)


def _draw(image: FloatImage, parenchyma: Parenchyma, solid: Solid, cut_mm: float) -> tuple[FloatImage, BoolImage]:
    rng = np.random.default_rng(solid.seed)
    blur_mm = rng.uniform(0.6, 1.2)
    draw = metastasis if solid.label == "metastasis" else cholangiocarcinoma
    outline = draw(rng, image.shape, solid.centre[1:], cut_mm, parenchyma.spacing_mm)
    mask = np.asarray((outline.alpha > 0.5) & parenchyma.mask)
    return blend_lesion(image, parenchyma, outline.alpha, outline.contrast_hu, blur_mm), mask


def _without_unseen(drawn: NDArray[np.int16], marks: NDArray[np.uint8], solids: Sequence[Solid]) -> LesionVolume:
    seen = [number for number in range(1, len(solids) + 1) if (marks == number).any()]
    renumbered = np.zeros(len(solids) + 1, dtype=np.uint8)
    renumbered[seen] = np.arange(1, len(seen) + 1)
    return LesionVolume(drawn, renumbered[marks], tuple(solids[number - 1] for number in seen))


def _place(
    rng: np.random.Generator,
    liver: NDArray[np.bool_],
    spacing_mm: tuple[float, float, float],
    label: Label,
    diameters_mm: Sequence[float],
    recipe: Recipe,
) -> list[Solid]:
    """Largest first; each keeps CLEARANCE_MM from the others, and is made smaller where the liver has no room."""
    depth_mm = np.asarray(ndimage.distance_transform_edt(liver, sampling=spacing_mm))
    solids: list[Solid] = []
    for diameter_mm in diameters_mm:
        room_mm = np.minimum(depth_mm / FITTING_DEPTH, 2 * (_clearance_mm(liver.shape, spacing_mm, solids)))
        fitted_mm = min(diameter_mm, float(room_mm.max()))
        if fitted_mm < recipe.smallest_mm:
            continue
        places = np.argwhere(room_mm >= fitted_mm)
        row = places[rng.integers(len(places))]
        centre = (float(row[0]), float(row[1]), float(row[2]))
        seed = int(rng.integers(2**32))
        solids.append(Solid(label, centre, fitted_mm, fitted_mm * float(rng.uniform(*_HEIGHT)), seed))
    return solids


def _clearance_mm(
    shape: tuple[int, ...], spacing_mm: tuple[float, float, float], solids: Sequence[Solid]
) -> NDArray[np.float64]:
    """Distance of each voxel from the spheres around the other lesions, less CLEARANCE_MM."""
    clear_mm = np.full(shape, np.inf)
    axes = np.ogrid[tuple(slice(side) for side in shape)]
    for solid in solids:
        squares = [
            ((axis - centre) * step) ** 2 for axis, centre, step in zip(axes, solid.centre, spacing_mm, strict=True)
        ]
        radius_mm = max(solid.diameter_mm * 1.2, solid.height_mm) / 2
        clear_mm = np.minimum(clear_mm, np.sqrt(sum(squares)) - radius_mm - CLEARANCE_MM)
    return clear_mm
