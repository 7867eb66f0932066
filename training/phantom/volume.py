"""The procedural abdomen in three dimensions: one body, drawn slice by slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.phantom.abdomen import Level, Phantom, abdomen_phantom

LIVER_HEIGHT_MM = (130.0, 175.0)
"""From the lower tip of the right lobe to the dome."""
_TURN_MM = 45.0
"""Height over which the vessels turn by one radian: trees differ between distant slices and agree between near ones."""


@dataclass(frozen=True)
class PhantomVolume:
    """hu: (slices, size, size) int16, from the feet to the head.  liver: the same shape, bool.

    spacing_mm: between slices, rows and columns.
    """

    hu: NDArray[np.int16]
    liver: NDArray[np.bool_]
    spacing_mm: tuple[float, float, float]


def abdomen_volume(
    seed: int,
    size_px: int = 256,
    slice_spacing_mm: float = 5.0,
    field_of_view_mm: float = 410.0,
    margin_mm: float = 20.0,
) -> PhantomVolume:
    """Draws slices from `margin_mm` below the liver to `margin_mm` above it.

    Anatomy and textures come from `seed` and are the same in all slices; lobes and vessels change with the height, and
    the noise of each slice is its own.
    """
    rng = np.random.default_rng((seed, 1))
    height_mm = rng.uniform(*LIVER_HEIGHT_MM)
    count = round((height_mm + 2 * margin_mm) / slice_spacing_mm) + 1
    slices = [
        _slice(seed, (index * slice_spacing_mm - margin_mm) / height_mm, height_mm, index, size_px, field_of_view_mm)
        for index in range(count)
    ]
    spacing_mm = slices[0].spacing_mm
    return PhantomVolume(
        np.stack([np.clip(np.rint(item.hu), -1024, 3071).astype(np.int16) for item in slices]),
        np.stack([item.liver_mask for item in slices]),
        (slice_spacing_mm, spacing_mm, spacing_mm),
    )


def _slice(seed: int, position: float, height_mm: float, index: int, size_px: int, field_of_view_mm: float) -> Phantom:
    """position: 0 at the lower tip of the liver, 1 at its dome."""
    level = Level(
        right_lobe=_cross_section(position, 0.0, 1.0),
        left_lobe=_cross_section(position, 0.3, 1.0),
        vessel_turn=position * height_mm / _TURN_MM,
        vessels=seed,
        noise=seed * 10_000 + index,
    )
    return abdomen_phantom(np.random.default_rng(seed), size_px, field_of_view_mm, level)


def _cross_section(position: float, low: float, high: float) -> float:
    """Size of a lobe's cross-section, 0 to 1: that of an ellipsoid between two positions."""
    relative = (position - (low + high) / 2) / ((high - low) / 2)
    return float(np.sqrt(max(0.0, 1 - relative**2)))
