"""Logits of a classifier from the evidence inside the liver. Pure; docs/decisions/0054 has the measurements."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hepar.contracts.cards import LiverPooling


def cell_shares(liver: NDArray[np.bool_], height: int, width: int) -> NDArray[np.float64]:
    """(height, width): of each cell of an activation map, the share that is liver.

    liver: (h, w) over the same network input, or one of the same shape in another resolution.
    """
    mask = Image.fromarray(np.asarray(liver, dtype=np.float32))
    return np.asarray(mask.resize((width, height), Image.Resampling.BOX), dtype=np.float64)


def pooled_evidence(
    activation: NDArray[np.floating], shares: NDArray[np.float64], sharpness: float
) -> NDArray[np.float64]:
    """(labels,): log-mean-exp of each map over the liver (Pinheiro and Collobert, CVPR 2015, eq. 3).

    activation: (labels, h, w).  shares: (h, w), the weight of each cell.
    Raises ValueError where no cell has a weight.
    """
    total = float(shares.sum())
    if total <= 0:
        raise ValueError("there is no liver to pool over")
    scaled = sharpness * np.asarray(activation, dtype=np.float64)
    highest = scaled.max(axis=(1, 2), where=shares > 0, initial=-np.inf)
    weighted = np.exp(np.minimum(scaled - highest[:, None, None], 0)) * shares
    return np.asarray((highest + np.log(weighted.sum(axis=(1, 2)) / total)) / sharpness)


def logits_in_liver(
    activation: NDArray[np.floating], shares: NDArray[np.float64], pooling: LiverPooling
) -> NDArray[np.float64]:
    """(labels,). activation: (labels, h, w).  shares: see `cell_shares`. Raises ValueError where there is no liver."""
    evidence = pooled_evidence(activation, shares, pooling.sharpness)
    return np.asarray(np.array(pooling.weights) @ evidence + np.array(pooling.bias))
