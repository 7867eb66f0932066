"""What every lesion gives: how opaque it is and how it differs from the liver, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.fields import FloatImage


@dataclass(frozen=True)
class Outline:
    """alpha: (h, w) opacity 0..1.  contrast_hu: (h, w) attenuation minus that of the parenchyma."""

    alpha: FloatImage
    contrast_hu: FloatImage


def polar(shape: tuple[int, int], centre_px: tuple[float, float], spacing_mm: float) -> tuple[FloatImage, FloatImage]:
    """Distance (mm) and angle (radians) of every pixel as seen from `centre_px` (row, column)."""
    rows = (np.arange(shape[0], dtype=np.float32) - centre_px[0])[:, None] * spacing_mm
    columns = (np.arange(shape[1], dtype=np.float32) - centre_px[1])[None, :] * spacing_mm
    return np.hypot(rows, columns), np.arctan2(rows, columns) + np.zeros(shape, dtype=np.float32)
