"""Share of an activation map inside detected boxes. Needs numpy only: the gateway's image holds no imaging library."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def share_in_boxes(
    evidence_map: Sequence[Sequence[float]] | NDArray[np.floating],
    boxes: Sequence[tuple[float, float, float, float]],
    width: int,
    height: int,
) -> float:
    """How much of a map lies inside the union of boxes, 0..1; 0 where the map is empty.

    boxes: x_min, y_min, x_max, y_max in pixels of an image of `width` x `height`. Exact to a tenth of a cell.
    """
    fine = 10
    values = np.asarray(evidence_map, dtype=np.float64)
    rows, columns = values.shape
    inside = np.zeros((rows * fine, columns * fine), dtype=np.float64)
    for x_min, y_min, x_max, y_max in boxes:
        across = [round(x / width * columns * fine) for x in (x_min, x_max)]
        down = [round(y / height * rows * fine) for y in (y_min, y_max)]
        inside[down[0] : down[1], across[0] : across[1]] = 1
    covered = inside.reshape(rows, fine, columns, fine).mean(axis=(1, 3))
    total = float(values.sum())
    return float((values * covered).sum() / total) if total > 0 else 0.0
