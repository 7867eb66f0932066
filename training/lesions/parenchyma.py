"""The liver around a lesion: its level, its noise, and how a lesion is blended into it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from training.fields import BoolImage, FloatImage


@dataclass(frozen=True)
class Parenchyma:
    """Measurements of the liver on one slice.

    level_hu: local attenuation without vessels and noise.  texture_hu: the noise.
    depth_mm: distance of each pixel to the border of the liver, 0 outside.
    """

    level_hu: FloatImage
    texture_hu: FloatImage
    noise_hu: float
    depth_mm: FloatImage
    mask: BoolImage
    spacing_mm: float


def measure_parenchyma(hu: FloatImage, mask: BoolImage, spacing_mm: float) -> Parenchyma:
    """Splits a liver into a smooth level and a noise texture.

    hu: (h, w) Hounsfield units.  mask: (h, w), True in the liver, at least 200 pixels.
    Level and texture are clipped at the median +/- 2.5 robust standard deviations to exclude vessels: a lesion
    displaces vessels, but the noise of the scanner remains.
    Raises ValueError for a smaller mask.
    """
    if int(mask.sum()) < 200:
        raise ValueError("the liver mask has fewer than 200 pixels")
    values = hu[mask]
    median = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - median))) + 1e-3
    clipped = np.clip(hu, median - 2.5 * spread, median + 2.5 * spread)

    sigma_px = 8 / spacing_mm
    weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma_px)
    blurred = ndimage.gaussian_filter(np.where(mask, clipped, 0), sigma_px) / np.maximum(weight, 1e-3)
    level = np.asarray(np.where(weight > 1e-2, blurred, median), dtype=np.float32)

    residual = np.where(mask, hu - ndimage.gaussian_filter(hu, 2.2 / spacing_mm), 0)
    core = ndimage.binary_erosion(mask, iterations=3)
    sample = residual[core] if core.any() else residual[mask]
    noise = 1.4826 * float(np.median(np.abs(sample - np.median(sample)))) + 1e-3
    texture = _texture_without_edges(residual, core if core.any() else mask, noise)
    depth = np.asarray(ndimage.distance_transform_edt(mask) * spacing_mm, dtype=np.float32)
    return Parenchyma(level, texture, noise, depth, mask, spacing_mm)


def _texture_without_edges(residual: FloatImage, core: BoolImage, noise: float) -> FloatImage:
    """The noise of the core; pixels near the border, which contain edges, are filled by mirroring the core."""
    nearest = ndimage.distance_transform_edt(~core, return_distances=False, return_indices=True)
    rows, columns = np.indices(core.shape)
    mirrored = (2 * nearest[0] - rows, 2 * nearest[1] - columns)
    inside = tuple(np.clip(axis, 0, side - 1) for axis, side in zip(mirrored, core.shape, strict=True))
    source = np.where(core, residual, residual[inside])
    source = np.where(core | core[inside], source, residual[tuple(nearest)])
    return np.clip(source, -2.5 * noise, 2.5 * noise).astype(np.float32)


def blend_lesion(
    hu: FloatImage, parenchyma: Parenchyma, alpha: FloatImage, contrast_hu: FloatImage, blur_mm: float
) -> FloatImage:
    """Blends a lesion into the liver by `alpha` (0..1), with the sharpness and noise of the surroundings.

    contrast_hu: the lesion's attenuation minus the parenchyma's.  blur_mm: standard deviation of the
    scanner's point spread function, applied to the lesion before the noise of the slice is added.
    """
    sigma_px = blur_mm / parenchyma.spacing_mm
    opacity = ndimage.gaussian_filter(alpha * parenchyma.mask, sigma_px)
    lesion = parenchyma.level_hu + ndimage.gaussian_filter(contrast_hu, sigma_px) + parenchyma.texture_hu
    return (hu * (1 - opacity) + lesion * opacity).astype(np.float32)
