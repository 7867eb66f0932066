"""The outline of a lesion: its opacity and its contrast to the liver, per pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.fields import FloatImage, harmonic_radius


@dataclass(frozen=True)
class Outline:
    """alpha: (h, w) opacity 0..1.  contrast_hu: (h, w) attenuation minus that of the parenchyma.

    rim, lobulated: whether the lesion has a brighter rim, and several lobules.
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
    """Depth in mm below the border (negative outside) of the union of a body and two to six lobules around it."""
    level = np.full(shape, -np.inf, dtype=np.float32)
    for lobule in range(rng.integers(3, 8)):
        direction = rng.uniform(0, 2 * np.pi)
        offset_px = 0.0 if lobule == 0 else rng.uniform(0.42, 0.62) * radius_mm / spacing_mm
        size_mm = radius_mm * (0.72 if lobule == 0 else rng.uniform(0.3, 0.52))
        centre = (centre_px[0] + offset_px * np.sin(direction), centre_px[1] + offset_px * np.cos(direction))
        distance_mm, angle = polar(shape, centre, spacing_mm)
        outline_mm = size_mm * harmonic_radius(rng, angle, rng.uniform(*roughness), range(2, 12))
        level = np.maximum(level, outline_mm - distance_mm)
    return level


def opacity(depth_mm: FloatImage, softness_mm: float) -> FloatImage:
    """(h, w) 0..1: a logistic step of width `softness_mm` across the border, 0.5 on it."""
    return np.asarray(1 / (1 + np.exp(np.clip(-depth_mm / softness_mm, -30, 30))), dtype=np.float32)


def polar(shape: tuple[int, int], centre_px: tuple[float, float], spacing_mm: float) -> tuple[FloatImage, FloatImage]:
    """Distance (mm) and angle (radians) of every pixel from `centre_px` (row, column)."""
    rows = (np.arange(shape[0], dtype=np.float32) - centre_px[0])[:, None] * spacing_mm
    columns = (np.arange(shape[1], dtype=np.float32) - centre_px[1])[None, :] * spacing_mm
    return np.hypot(rows, columns), np.arctan2(rows, columns) + np.zeros(shape, dtype=np.float32)
