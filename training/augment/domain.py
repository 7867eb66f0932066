"""Domain randomisation: what a slice would look like from another scanner, kernel, contrast phase or export.

All functions take and return slices in Hounsfield units, (h, w) float32. They change grey levels only; masks and boxes
stay valid.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy import ndimage

from training.fields import BoolImage, FloatImage, smooth_field

LIVER_HU = (40.0, 190.0)
"""Range of mean liver attenuation, from unenhanced fatty livers to the late arterial phase."""
GAIN = (0.6, 1.6)
RESAMPLED_MM = (2.0, 3.0)
BROAD_SHARE = 0.5
"""Of the slices whose liver level is drawn from all of LIVER_HU; the others stay within NEAR_HU of their own."""
NEAR_HU = 15.0
FADE_HU = 30.0

Change = Callable[[np.random.Generator, FloatImage, float], FloatImage]


def randomise_domain(
    rng: np.random.Generator, hu: FloatImage, liver_mask: BoolImage, spacing_mm: float, window_hu: tuple[float, float]
) -> FloatImage:
    """Applies contrast, then each other change with its own probability, in the order of an acquisition.

    liver_mask: (h, w); it may be empty.  spacing_mm: one pixel's side.
    window_hu: the range of the grey levels, for changes that an 8-bit export makes.
    """
    hu = _with_liver_level(rng, hu, liver_mask)
    for share, change in _CHANGES:
        if rng.random() < share:
            hu = change(rng, hu, spacing_mm)
    if rng.random() < _JPEG_SHARE:
        hu = jpeg_compressed(hu, window_hu, int(rng.integers(45, 96)))
    return hu


def drawn_liver_level(rng: np.random.Generator, own_hu: float) -> float:
    """Mean attenuation that a liver of `own_hu` is moved to."""
    if rng.random() < BROAD_SHARE:
        return float(rng.uniform(*LIVER_HU))
    return float(np.clip(own_hu + rng.uniform(-NEAR_HU, NEAR_HU), *LIVER_HU))


def with_level(hu: FloatImage, own_hu: float, target_hu: float, gain: float) -> FloatImage:
    """Scales by `gain` and shifts so that `own_hu` becomes `target_hu`.

    The shift fades out below FADE_HU: an 8-bit slice holds no air or fat below 0 HU that could become brighter.
    """
    shift = target_hu - gain * own_hu
    return np.asarray(gain * hu + shift * np.clip(hu / FADE_HU, 0, 1), dtype=np.float32)


def blurred(rng: np.random.Generator, hu: FloatImage, spacing_mm: float) -> FloatImage:
    """A smoother kernel: Gaussian of 0.7 to 2 mm."""
    return ndimage.gaussian_filter(hu, rng.uniform(0.7, 2.0) / spacing_mm)


def sharpened(rng: np.random.Generator, hu: FloatImage, spacing_mm: float) -> FloatImage:
    """A sharper kernel: unsharp masking."""
    soft = ndimage.gaussian_filter(hu, rng.uniform(1.0, 2.0) / spacing_mm)
    return np.asarray(hu + rng.uniform(0.3, 1.0) * (hu - soft), dtype=np.float32)


def resampled(rng: np.random.Generator, hu: FloatImage, spacing_mm: float) -> FloatImage:
    """Coarser pixels of 2 to 3 mm and back."""
    factor = spacing_mm / rng.uniform(*RESAMPLED_MM)
    if factor >= 1:
        return hu
    height, width = hu.shape
    small = (max(8, round(width * factor)), max(8, round(height * factor)))
    coarse = Image.fromarray(hu).resize(small, Image.Resampling.BOX)
    way = Image.Resampling.BILINEAR if rng.random() < 0.7 else Image.Resampling.NEAREST
    return np.asarray(coarse.resize((width, height), way), dtype=np.float32)


def noisy(rng: np.random.Generator, hu: FloatImage, spacing_mm: float) -> FloatImage:
    """Quantum noise of 3 to 20 HU, half of the time correlated as by a soft kernel."""
    strength_hu = rng.uniform(3, 20)
    if rng.random() < 0.5:
        field = smooth_field(rng, (hu.shape[0], hu.shape[1]), rng.uniform(0.8, 1.8) / spacing_mm)
    else:
        field = rng.standard_normal(hu.shape).astype(np.float32)
    return np.asarray(hu + strength_hu * field, dtype=np.float32)


def stepped(rng: np.random.Generator, hu: FloatImage, spacing_mm: float) -> FloatImage:  # noqa: ARG001
    """Few grey levels, as an 8-bit copy of a wide window has: steps of 3 to 12 HU."""
    step_hu = rng.uniform(3, 12)
    return np.asarray(np.round(hu / step_hu) * step_hu, dtype=np.float32)


def jpeg_compressed(hu: FloatImage, window_hu: tuple[float, float], quality: int) -> FloatImage:
    """Through a JPEG of the window's grey levels; values outside of the window are cut."""
    low, high = window_hu
    grey = np.asarray(np.clip((hu - low) * (255 / (high - low)), 0, 255), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=quality)
    back = np.asarray(Image.open(file), dtype=np.float32)
    return np.asarray(low + back * ((high - low) / 255), dtype=np.float32)


def _with_liver_level(rng: np.random.Generator, hu: FloatImage, liver_mask: BoolImage) -> FloatImage:
    own_hu = float(np.median(hu[liver_mask])) if liver_mask.any() else _TYPICAL_LIVER_HU
    target_hu = drawn_liver_level(rng, own_hu)
    gain = float(np.clip(target_hu / max(own_hu, 1.0) * rng.uniform(0.85, 1.15), *GAIN))
    return with_level(hu, own_hu, target_hu, gain)


_TYPICAL_LIVER_HU = 100.0
_JPEG_SHARE = 0.2
_CHANGES: tuple[tuple[float, Change], ...] = (
    (0.30, blurred),
    (0.12, sharpened),
    (0.25, resampled),
    (0.45, noisy),
    (0.15, stepped),
)
