"""Ground truth as boxes, in the same form as the boxes that a detector finds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.metrics.detection import Boxes
from training.prepared.dataset import Example


def true_boxes(example: Example) -> Boxes:
    return boxes_from_rows(example.boxes)


def boxes_from_rows(rows: Sequence[Sequence[float]]) -> Boxes:
    """rows: (label, x_min, y_min, x_max, y_max)."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 5)
    return Boxes(table[:, 1:], table[:, 0].astype(np.intp), np.ones(len(table)))
