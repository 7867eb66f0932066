"""Features of prepared images from frozen networks, around the liver. They are computed once and kept in a cache."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.teacher.networks import GRID, FeatureNetwork

COMPONENTS = 32
"""Channels of the reduced feature maps."""
_UNITS = 8
"""An image is cropped in eighths of its side: 32 pixels of 256, the coarsest stride of the networks."""
_MARGIN = 1 / 16
_IMAGES_FOR_PROJECTION = 96
_SMALLEST_COMPONENT = 1e-3
_CHUNK = 64
Images = NDArray[np.uint8]
Livers = NDArray[np.bool_]
Floats32 = NDArray[np.float32]


@dataclass(frozen=True)
class Features:
    """vectors: (n, d) mean and maximum over the liver.  maps: (n, GRID, GRID, COMPONENTS), 0 outside of the liver.

    livers: (n, GRID, GRID) share of each cell that is liver.
    """

    vectors: Floats32
    maps: Floats32
    livers: Floats32


@dataclass(frozen=True)
class Projection:
    """Principal components of standardised feature maps: maps (c, ...) become (components, ...) of unit variance."""

    mean: Tensor
    weights: Tensor

    def __call__(self, cells: Tensor) -> Tensor:
        """(cells, c) to (cells, components)."""
        return (cells - self.mean) @ self.weights


@dataclass(frozen=True)
class Extractor:
    """window_hu: of grey levels 0 and 255."""

    networks: Sequence[FeatureNetwork]
    window_hu: tuple[float, float]

    def maps(self, image: Images, liver: Livers) -> tuple[list[Tensor], Tensor, tuple[slice, slice]]:
        """The networks' maps (c, h, w) of the part of an image around the liver, and where that part is.

        liver: (side, side); the whole image without one.
        Returns the maps, the mask of the part (1, h, w) and its place in the GRID x GRID cells.
        """
        mask = liver if liver.any() else np.ones_like(liver)
        rows, columns = (_span(np.asarray(mask.any(axis=axis))) for axis in (1, 0))
        unit = len(mask) // _UNITS
        part = (slice(rows.start * unit, rows.stop * unit), slice(columns.start * unit, columns.stop * unit))
        low_hu, high_hu = self.window_hu
        hu = torch.from_numpy(image[part].astype(np.float32) * ((high_hu - low_hu) / 255) + low_hu)[None, None]
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            found = [features[0].float() for network in self.networks for features in network(hu)]
        cells = GRID // _UNITS
        place = (slice(rows.start * cells, rows.stop * cells), slice(columns.start * cells, columns.stop * cells))
        return found, torch.from_numpy(mask[part].astype(np.float32))[None], place


def extract(extractor: Extractor, images: Images, livers: Livers, projection: Projection) -> Features:
    """Features of images (n, side, side)."""
    vectors, maps, shares = [], [], []
    for image, liver in zip(images, livers, strict=True):
        found, mask, place = extractor.maps(image, liver)
        vectors.append(torch.cat([_pooled(features, mask) for features in found]).numpy())
        cells, share = _on_grid(found, mask, place)
        reduced = np.zeros((GRID, GRID, projection.weights.shape[1]), dtype=np.float32)
        reduced[place] = projection(cells).numpy()
        whole = np.zeros((GRID, GRID), dtype=np.float32)
        whole[place] = share.numpy()
        maps.append(reduced * (whole[..., None] > 0))
        shares.append(whole)
    return Features(np.stack(vectors), np.stack(maps), np.stack(shares))


def fit_projection(extractor: Extractor, images: Images, livers: Livers) -> Projection:
    """The principal components over the liver's cells of `images`, an even selection of the training images."""
    chosen = np.linspace(0, len(images) - 1, min(len(images), _IMAGES_FOR_PROJECTION)).astype(int)
    rows = []
    for index in chosen:
        found, mask, place = extractor.maps(images[index], livers[index])
        cells, share = _on_grid(found, mask, place)
        rows.append(cells[share > 0])
    cells = torch.cat(rows)
    mean, deviation = cells.mean(0), cells.std(0).clamp(min=1e-6)
    count = min(COMPONENTS, cells.shape[1])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        _, strengths, directions = torch.pca_lowrank((cells - mean) / deviation, q=count, niter=4)
    scale = strengths / len(cells) ** 0.5
    used = scale > _SMALLEST_COMPONENT * scale.max()  # fewer directions than components if channels repeat each other
    return Projection(mean, directions / deviation[:, None] * torch.where(used, 1 / scale, 0.0))


def cached_features(
    extractor: Extractor, images: Images, livers: Livers, projection_images: int, cache: Path
) -> Features:
    """As `extract`, kept in `cache` in chunks: an interrupted computation goes on where it was.

    projection_images: the projection is fitted on that many of the first images, those for training.
    """
    cache.mkdir(parents=True, exist_ok=True)
    projection = _cached_projection(extractor, images[:projection_images], livers[:projection_images], cache)
    chunks = list(_chunks(extractor, images, livers, projection, cache))
    return Features(*(np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in _FIELDS))


_FIELDS = ("vectors", "maps", "livers")


def _cached_projection(extractor: Extractor, images: Images, livers: Livers, cache: Path) -> Projection:
    file = cache / "projection.npz"
    if not file.exists():
        projection = fit_projection(extractor, images, livers)
        _save(file, mean=projection.mean.numpy(), weights=projection.weights.numpy())
    with np.load(file) as stored:
        return Projection(torch.from_numpy(stored["mean"]), torch.from_numpy(stored["weights"]))


def _chunks(
    extractor: Extractor, images: Images, livers: Livers, projection: Projection, cache: Path
) -> Iterator[Features]:
    for start in range(0, len(images), _CHUNK):
        part = slice(start, start + _CHUNK)
        digest = hashlib.sha256(images[part].tobytes() + livers[part].tobytes()).hexdigest()[:16]
        file = cache / f"{start:05d}_{digest}.npz"
        if not file.exists():
            features = extract(extractor, images[part], livers[part], projection)
            _save(file, **{name: getattr(features, name).astype(np.float16) for name in _FIELDS})
        with np.load(file) as stored:
            yield Features(*(stored[name].astype(np.float32) for name in _FIELDS))


def _save(file: Path, **arrays: NDArray[np.floating]) -> None:
    """Written under another name first: a file that exists is complete."""
    unfinished = file.with_suffix(".part.npz")
    np.savez(unfinished, allow_pickle=False, **arrays)
    unfinished.rename(file)


def _span(occupied: NDArray[np.bool_]) -> slice:
    """The part of an axis around its occupied pixels, in units of the image's side / _UNITS."""
    side, where = len(occupied), np.flatnonzero(occupied)
    first, last = where[0] - side * _MARGIN, where[-1] + 1 + side * _MARGIN
    unit = side / _UNITS
    return slice(max(0, int(first // unit)), min(_UNITS, int(-(-last // unit))))


def _pooled(features: Tensor, mask: Tensor) -> Tensor:
    """(2 c,) mean and maximum of (c, h, w) over the mask (1, H, W)."""
    share = functional.adaptive_avg_pool2d(mask, features.shape[1:])
    mean = (features * share).sum((1, 2)) / share.sum()
    highest = features.masked_fill(share == 0, float("-inf")).amax((1, 2))
    return torch.cat([mean, highest])


def _on_grid(found: Sequence[Tensor], mask: Tensor, place: tuple[slice, slice]) -> tuple[Tensor, Tensor]:
    """(h, w, all channels) of the maps on the cells of `place`, and (h, w) the share of each that is liver."""
    size = (place[0].stop - place[0].start, place[1].stop - place[1].start)
    resized = [_resized(features, size) for features in found]
    return torch.cat(resized).permute(1, 2, 0), functional.adaptive_avg_pool2d(mask, size)[0]


def _resized(features: Tensor, size: tuple[int, int]) -> Tensor:
    """Averaged where it is finer than `size`, repeated where it is coarser."""
    if features.shape[1] >= size[0]:
        return functional.adaptive_avg_pool2d(features, size)
    return functional.interpolate(features[None], size=size, mode="nearest")[0]
