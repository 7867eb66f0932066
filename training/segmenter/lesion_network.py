"""A U-Net for liver lesions of KU Leuven, trained elsewhere; it outlines boxed lesions. Needed for training only."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from training.fields import BoolImage, FloatImage
from training.segmenter.outlines import OUTLINED_BY

LEVELS = 4
_MARGIN_PX = 44
"""What the convolutions without padding take from each side."""
_SPACING_MM = 1.0
_LIMIT_HU = 200.0
_OUTSIDE = -0.5
"""The network's value of -_LIMIT_HU, and of everything outside the liver."""
_LIVER_GROWTH_PX = 2
_LEAK = 0.01

Weights = list[tuple[Tensor, Tensor]]


def lesion_probabilities(weights: Weights, hu: FloatImage, liver: BoolImage, spacing_mm: float) -> FloatImage:
    """(h, w) probability of a lesion in and next to the liver of one slice, 0 elsewhere.

    hu: (h, w) in standard radiological display.  liver: (h, w) with at least one pixel.  spacing_mm: side of a pixel.
    """
    scale = spacing_mm / _SPACING_MM
    values = _resampled(np.clip(hu, -_LIMIT_HU, _LIMIT_HU) / (2 * _LIMIT_HU), (scale, scale))
    within = _resampled(liver.astype(np.float32), (scale, scale)) > 0.5
    around = ndimage.binary_dilation(within, np.ones((3, 3), dtype=bool), iterations=_LIVER_GROWTH_PX)
    region = ndimage.find_objects(around.astype(np.int8))[0]
    found = np.zeros_like(values)
    found[region] = _predicted(weights, np.where(around, values, _OUTSIDE)[region])
    return _resampled(found, (hu.shape[0] / found.shape[0], hu.shape[1] / found.shape[1]))


def read_weights(folder: Path) -> Weights:
    """Kernels (out, in, h, w) and biases of the convolutions in their order.

    Each kernel is summed over the slices, so that a slice gets the answer of a volume of identical slices.
    folder: one that `training.packages.require_packages` accepts for OUTLINED_BY.
    """
    with h5py.File(io.BytesIO(OUTLINED_BY.read(folder))) as file:
        names = sorted((name for name in file if name.startswith("conv3d_")), key=lambda name: int(name.split("_")[1]))
        layers = [file[name][name] for name in names]
        return [(_flat(np.asarray(layer["kernel:0"])), torch.tensor(np.asarray(layer["bias:0"]))) for layer in layers]


def _resampled(values: FloatImage, factors: tuple[float, float]) -> FloatImage:
    return np.asarray(ndimage.zoom(values, factors, order=1, grid_mode=True, mode="nearest"), dtype=np.float32)


def _flat(kernel: NDArray[np.float32]) -> Tensor:
    """(h, w, slices, in, out) to (out, in, h, w)."""
    return torch.tensor(kernel.sum(axis=2).transpose(3, 2, 0, 1))


def _predicted(weights: Weights, values: FloatImage) -> FloatImage:
    """Of any size. The network's first axis runs to the patient's right, which is the image's left, its second up."""
    turned = values[::-1, ::-1].T
    pooled = 2 ** (LEVELS - 1)
    sides = [-(-(side - 4) // pooled) * pooled + 4 for side in turned.shape]
    padding = [(_MARGIN_PX, side - had + _MARGIN_PX) for side, had in zip(sides, turned.shape, strict=True)]
    padded = np.pad(turned.astype(np.float32), padding, constant_values=_OUTSIDE)
    with torch.inference_mode():
        found = _network(weights, torch.tensor(padded)[None, None])[0, 0].numpy()
    return found[: turned.shape[0], : turned.shape[1]].T[::-1, ::-1]


def _network(weights: Weights, image: Tensor) -> Tensor:
    """Residual U-Net: (n, 1, h, w) to probabilities (n, 1, h - 2 * _MARGIN_PX, w - 2 * _MARGIN_PX)."""
    layers = iter(weights)
    found, skipped = image, []
    for level in range(LEVELS):
        smaller = functional.max_pool2d(found, 2) if level else found
        found = _block(layers, smaller, _active(smaller) if level else smaller)
        skipped.append(found)
    for skip in reversed(skipped[:-1]):
        larger = functional.interpolate(found, scale_factor=2.0)
        joined = torch.cat([_cropped(skip, larger), larger], dim=1)
        found = _block(layers, joined, _active(joined))
    return torch.sigmoid(_convolved(layers, _active(found)))


def _block(layers: Iterator[tuple[Tensor, Tensor]], image: Tensor, activated: Tensor) -> Tensor:
    """Two convolutions of the activated image, added to the image or to its projection."""
    changed = _convolved(layers, _active(_convolved(layers, activated)))
    shortcut = _cropped(image, changed)
    return changed + (shortcut if shortcut.shape[1] == changed.shape[1] else _convolved(layers, shortcut))


def _convolved(layers: Iterator[tuple[Tensor, Tensor]], image: Tensor) -> Tensor:
    kernel, bias = next(layers)
    return functional.conv2d(image, kernel, bias)


def _active(image: Tensor) -> Tensor:
    return functional.leaky_relu(functional.instance_norm(image), _LEAK)


def _cropped(image: Tensor, like: Tensor) -> Tensor:
    """The middle of `image`, in the size of `like`."""
    top, left = ((image.shape[axis] - like.shape[axis]) // 2 for axis in (2, 3))
    return image[:, :, top : top + like.shape[2], left : left + like.shape[3]]
