"""Smooth random fields and outlines, from which phantoms and lesions get their irregular shapes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FloatImage = NDArray[np.float32]
BoolImage = NDArray[np.bool_]


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], scale_px: float) -> FloatImage:
    """A stationary Gaussian random field of zero mean and unit standard deviation.

    shape: (height, width) in pixels.  scale_px: standard deviation of the smoothing kernel.
    Computed on a coarse grid and interpolated, so that large scales cost no more than small ones.
    """
    step = max(1, int(scale_px / 3))
    coarse = tuple(int(np.ceil(side / step)) + 2 for side in shape)
    field = ndimage.gaussian_filter(rng.standard_normal(coarse), scale_px / step, mode="wrap")
    if step > 1:
        rows = np.arange(shape[0]) / step
        columns = np.arange(shape[1]) / step
        grid = np.meshgrid(rows, columns, indexing="ij")
        field = ndimage.map_coordinates(field, grid, order=3, mode="nearest")
    field = field[: shape[0], : shape[1]]
    deviation = float(field.std())
    return np.asarray((field - field.mean()) / max(deviation, 1e-9), dtype=np.float32)


def harmonic_radius(rng: np.random.Generator, angle: FloatImage, roughness: float, orders: range) -> FloatImage:
    """A closed outline: radius (mean 1) as a function of `angle` (radians), as a random Fourier sum.

    roughness: standard deviation of the radius, 0 for a circle.  orders: the harmonics used;
    amplitudes fall with the order, so that outlines stay smooth.
    """
    radius = np.ones_like(angle)
    weights = np.array([1.0 / order for order in orders])
    weights *= roughness * np.sqrt(2) / np.sqrt((weights**2).sum())
    for order, weight in zip(orders, weights, strict=True):
        amplitude = weight * rng.normal(1.0, 0.35)
        radius += amplitude * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    return np.clip(radius, 0.3, 1.9).astype(np.float32)
