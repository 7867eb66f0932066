"""Where the networks looked: class activation maps of several models to one, in the extent of the image. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hepar.imaging.letterbox import LetterboxTransform

Map = NDArray[np.float64]
MAP_SIDE = 64


def evidence(activation: NDArray[np.floating], placement: LetterboxTransform) -> Map:
    """One label's class activation map (Zhou et al., CVPR 2016) to (MAP_SIDE, MAP_SIDE) over the image, 0..1.

    activation: (h, w) over the network's input. Only what speaks for the label counts: negative values are 0, and the
    highest is 1; all are 0 where nothing speaks for it.
    """
    positive = np.maximum(np.asarray(activation, dtype=np.float32), 0)
    size = (placement.input_width, placement.input_height)
    spread = Image.fromarray(positive).resize(size, Image.Resampling.BILINEAR)
    left, top = placement.left, placement.top
    extent = (left, top, left + placement.width * placement.scale, top + placement.height * placement.scale)
    on_image = spread.resize((MAP_SIDE, MAP_SIDE), Image.Resampling.BOX, box=extent)
    values = np.maximum(np.asarray(on_image, dtype=np.float64), 0)
    highest = float(values.max())
    return values / highest if highest > 0 else values


def ensemble_activation_map(maps: Mapping[str, Map], weights: Mapping[str, float]) -> Map:
    """The mean of the models' maps by the weights that their votes have, 0..1. maps: at least one.

    Equal weights where all given are 0.
    """
    own = [weights.get(model, 0.0) for model in maps]
    return np.asarray(np.average(list(maps.values()), axis=0, weights=own if sum(own) > 0 else None))
