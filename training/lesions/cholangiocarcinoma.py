"""Mass-forming intrahepatic cholangiocarcinoma: one large irregular mass and its effects on the surroundings.

Appearance after Chung et al., "Varying appearances of cholangiocarcinoma: radiologic-pathologic correlation",
RadioGraphics 29, 2009, and Han et al., "Cholangiocarcinoma: pictorial essay of CT and cholangiographic
findings", RadioGraphics 22, 2002: irregular rim enhancement around a hypo-attenuating fibrous centre, retraction
of the adjacent capsule, bile ducts dilated upstream (towards the periphery), sometimes satellite nodules.
Sizes, rims and lobulation follow the ICC row of MCT-LTDiag (Wu et al., Sci. Data 13:31, 2026).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from training.fields import BoolImage, FloatImage, harmonic_radius, smooth_field
from training.lesions.outline import Outline, lobulated_level, opacity, polar
from training.lesions.parenchyma import Parenchyma

BILE_HU = 8.0
RIM_SHARE = 0.61
LOBULATED_SHARE = 0.34


def cholangiocarcinoma_diameter_mm(rng: np.random.Generator) -> float:
    """Largest diameter in space: log-normal with the ICC median 70 mm and quartiles 46 and 93."""
    return float(np.clip(68 * np.exp(0.5 * rng.standard_normal()), 20, 150))


def cholangiocarcinoma(
    rng: np.random.Generator,
    shape: tuple[int, int],
    centre_px: tuple[float, float],
    diameter_mm: float,
    spacing_mm: float,
) -> Outline:
    """The mass: lobulated or with a rough outline, ill defined, often with a broken rim, patchy inside."""
    lobulated = bool(rng.random() < LOBULATED_SHARE)
    if lobulated:
        level = lobulated_level(rng, shape, centre_px, diameter_mm / 2, spacing_mm, roughness=(0.06, 0.13))
    else:
        distance_mm, angle = polar(shape, centre_px, spacing_mm)
        radius = harmonic_radius(rng, angle, rng.uniform(0.09, 0.17), range(2, 14))
        level = 0.45 * diameter_mm * radius - distance_mm
    rough = 0.04 * diameter_mm * smooth_field(rng, shape, 3.5 / spacing_mm)
    depth_mm = np.asarray(level + rough, dtype=np.float32)
    rim = bool(rng.random() < RIM_SHARE)
    contrast = _contrast(rng, depth_mm, spacing_mm, rim=rim)
    return Outline(opacity(depth_mm, rng.uniform(0.8, 2.4)), contrast, rim, lobulated)


def _contrast(rng: np.random.Generator, depth_mm: FloatImage, spacing_mm: float, *, rim: bool) -> FloatImage:
    patches = smooth_field(rng, depth_mm.shape, rng.uniform(4, 9) / spacing_mm)
    strands = smooth_field(rng, depth_mm.shape, 1.8 / spacing_mm)
    contrast = rng.uniform(-88, -50) + rng.uniform(8, 17) * patches + rng.uniform(3, 8) * strands
    if rim:
        breaks = 1 / (1 + np.exp(-2 * (smooth_field(rng, depth_mm.shape, 7 / spacing_mm) + 0.3)))
        width_mm = rng.uniform(2.2, 4.5)
        ring = np.exp(-(((depth_mm - width_mm) / width_mm) ** 2)) * breaks
        contrast = contrast + ring * rng.uniform(25, 60)
    return np.asarray(contrast, dtype=np.float32)


def retract_capsule(
    hu: FloatImage, mask: BoolImage, centre_px: tuple[float, float], parenchyma: Parenchyma, pull_mm: float
) -> tuple[FloatImage, BoolImage]:
    """Moves the border of the liver nearest to the mass inwards by up to `pull_mm`; returns warped slice and mask.

    A smooth inverse warp: every pixel near the capsule gets its value from further outside.
    """
    depth_px = np.where(mask, parenchyma.depth_mm / parenchyma.spacing_mm, 0)
    border = mask & (depth_px <= 1.5)
    rows, columns = np.nonzero(border)
    nearest = int(np.hypot(rows - centre_px[0], columns - centre_px[1]).argmin())
    dent = np.array([rows[nearest], columns[nearest]], dtype=np.float64)
    outward = dent - np.array(centre_px)
    outward /= max(float(np.linalg.norm(outward)), 1e-6)
    distance_mm, _ = polar(hu.shape, (dent[0], dent[1]), parenchyma.spacing_mm)
    strength_px = pull_mm / parenchyma.spacing_mm * np.exp(-((distance_mm / (2.2 * pull_mm)) ** 2))
    grid = np.indices(hu.shape).astype(np.float64)
    source = [grid[axis] + outward[axis] * strength_px for axis in (0, 1)]
    warped = ndimage.map_coordinates(hu, source, order=1, mode="nearest")
    moved = ndimage.map_coordinates(mask.astype(np.float32), source, order=1, mode="nearest") > 0.5
    return warped.astype(np.float32), np.asarray(moved)


def dilated_ducts(
    rng: np.random.Generator,
    parenchyma: Parenchyma,
    centre_px: tuple[float, float],
    diameter_mm: float,
    hilum_px: tuple[float, float],
) -> FloatImage:
    """Opacity (h, w) of two to five tapering ducts that start at the mass and point away from the hilum."""
    shape, spacing = parenchyma.mask.shape, parenchyma.spacing_mm
    ducts = np.zeros(shape, dtype=np.float32)
    away = np.arctan2(centre_px[0] - hilum_px[0], centre_px[1] - hilum_px[1])
    for _ in range(rng.integers(2, 6)):
        heading = away + rng.normal(0, 0.6)
        position = np.array(centre_px) + 0.45 * diameter_mm / spacing * np.array([np.sin(heading), np.cos(heading)])
        length_px = rng.uniform(18, 50) / spacing
        width_px = rng.uniform(2.0, 4.2) / spacing / 2
        for travelled in np.arange(0, length_px, 0.7):
            heading += rng.normal(0, 0.12)
            position = position + 0.7 * np.array([np.sin(heading), np.cos(heading)])
            row, column = int(position[0]), int(position[1])
            if not (0 <= row < shape[0] and 0 <= column < shape[1]) or parenchyma.depth_mm[row, column] < 3:
                break
            radius = width_px * (1 - 0.6 * travelled / length_px)
            reach = int(radius) + 2
            top, left = max(row - reach, 0), max(column - reach, 0)
            window = np.s_[top : row + reach + 1, left : column + reach + 1]
            rows, columns = np.ogrid[window]
            distance = np.hypot(rows - position[0], columns - position[1])
            ducts[window] = np.maximum(ducts[window], np.clip(radius + 0.5 - distance, 0, 1))
    return ducts
