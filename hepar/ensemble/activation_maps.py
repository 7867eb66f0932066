"""Class activation maps: from a network's input to the extent of the image, and from several models to one. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hepar.imaging.geometry import AS_SENT, Orientation
from hepar.imaging.letterbox import LetterboxTransform

ActivationMap = NDArray[np.float64]
MAP_SIDE = 64


def map_on_image(
    activation: NDArray[np.floating], transform: LetterboxTransform, orientation: Orientation = AS_SENT
) -> ActivationMap:
    """One label's class activation map (Zhou et al., CVPR 2016), resampled to (MAP_SIDE, MAP_SIDE) over the image.

    activation: (h, w) over the network's input.  transform: where the image lies in that input.
    orientation: how the image was turned for the networks; the map is turned back to the image as sent.
    Negative values, which are against the label, become 0; the maximum becomes 1. Without a positive value all are 0.
    """
    positive = np.maximum(np.asarray(activation, dtype=np.float32), 0)
    size = (transform.input_width, transform.input_height)
    resampled = Image.fromarray(positive).resize(size, Image.Resampling.BILINEAR)
    enlarged, extent = transform.whole_image(np.asarray(resampled))
    on_image = Image.fromarray(enlarged).resize((MAP_SIDE, MAP_SIDE), Image.Resampling.BOX, box=extent)
    values = np.maximum(np.asarray(on_image, dtype=np.float64), 0)
    highest = float(values.max())
    return orientation.to_sent(values / highest if highest > 0 else values)


def ensemble_activation_map(maps: Mapping[str, ActivationMap], weights: Mapping[str, float]) -> ActivationMap:
    """Mean of the models' maps, 0 to 1, weighted as their votes are.

    maps: by model, at least one.  weights: by model; equal where those of all maps are 0.
    """
    used = [weights.get(model, 0.0) for model in maps]
    return np.asarray(np.average(list(maps.values()), axis=0, weights=used if sum(used) > 0 else None))


def as_rows(values: ActivationMap) -> list[list[float]]:
    """For JSON, rounded to three decimals."""
    rounded: list[list[float]] = np.round(values, 3).tolist()
    return rounded
