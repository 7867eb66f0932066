"""Share of an activation map inside detected boxes. Needs numpy only: the gateway's image holds no imaging library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def share_in_boxes(
    activation_map: Sequence[Sequence[float]] | NDArray[np.floating],
    boxes: Sequence[tuple[float, float, float, float]],
    width: int,
    height: int,
) -> float:
    """Share of a map's sum that lies inside the union of the boxes, 0 to 1; 0 where the map is 0 everywhere.

    boxes: x_min, y_min, x_max, y_max in pixels of an image of `width` x `height`. Box edges are
    rounded to a tenth of a map cell.
    """
    import numpy as np

    steps_per_cell = 10
    values = np.asarray(activation_map, dtype=np.float64)
    rows, columns = values.shape
    inside = np.zeros((rows * steps_per_cell, columns * steps_per_cell))
    for x_min, y_min, x_max, y_max in boxes:
        across = [round(x / width * columns * steps_per_cell) for x in (x_min, x_max)]
        down = [round(y / height * rows * steps_per_cell) for y in (y_min, y_max)]
        inside[down[0] : down[1], across[0] : across[1]] = 1
    covered = inside.reshape(rows, steps_per_cell, columns, steps_per_cell).mean(axis=(1, 3))
    total = float(values.sum())
    return float((values * covered).sum() / total) if total > 0 else 0.0
