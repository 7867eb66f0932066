"""What every lesion gives: how opaque it is and how it differs from the liver, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.fields import FloatImage, harmonic_radius


@dataclass(frozen=True)
class Outline:
    """alpha: (h, w) opacity 0..1.  contrast_hu: (h, w) attenuation minus that of the parenchyma.

    rim, lobulated: whether it was drawn with a brighter rim, and of several lobules.
    """

    alpha: FloatImage
    contrast_hu: FloatImage
    rim: bool
    lobulated: bool


def lobulated_level(
    rng: np.random.Generator,
    shape: tuple[int, int],
    centre_px: tuple[float, float],
    radius_mm: float,
    spacing_mm: float,
    roughness: tuple[float, float],
) -> FloatImage:
    """Depth (mm, negative outside) below the border of a union of two to six lobules about a body."""
    level = np.full(shape, -np.inf, dtype=np.float32)
    for lobule in range(rng.integers(3, 8)):
        around = rng.uniform(0, 2 * np.pi)
        offset_px = 0.0 if lobule == 0 else rng.uniform(0.42, 0.62) * radius_mm / spacing_mm
        size_mm = radius_mm * (0.72 if lobule == 0 else rng.uniform(0.3, 0.52))
        centre = (centre_px[0] + offset_px * np.sin(around), centre_px[1] + offset_px * np.cos(around))
        distance_mm, angle = polar(shape, centre, spacing_mm)
        outline_mm = size_mm * harmonic_radius(rng, angle, rng.uniform(*roughness), range(2, 12))
        level = np.maximum(level, outline_mm - distance_mm)
    return level


def opacity(depth_mm: FloatImage, softness_mm: float) -> FloatImage:
    """(h, w) 0..1, one half on the border, a logistic step of that width across it."""
    return np.asarray(1 / (1 + np.exp(np.clip(-depth_mm / softness_mm, -30, 30))), dtype=np.float32)


def polar(shape: tuple[int, int], centre_px: tuple[float, float], spacing_mm: float) -> tuple[FloatImage, FloatImage]:
    """Distance (mm) and angle (radians) of every pixel as seen from `centre_px` (row, column)."""
    rows = (np.arange(shape[0], dtype=np.float32) - centre_px[0])[:, None] * spacing_mm
    columns = (np.arange(shape[1], dtype=np.float32) - centre_px[1])[None, :] * spacing_mm
    return np.hypot(rows, columns), np.arctan2(rows, columns) + np.zeros(shape, dtype=np.float32)
