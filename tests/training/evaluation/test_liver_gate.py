"""The gate by the liver's mask, on boxes and masks that are counted by hand."""

from __future__ import annotations

import numpy as np

from training.evaluation.liver_gate import rows
from training.metrics.detection import Boxes
from training.segmenter.background import Background, Masks

SIDE = 100


def boxes(*corners: tuple[int, int, int, int], score: float = 0.5) -> Boxes:
    table = np.array(corners, dtype=float).reshape(-1, 4) / SIDE
    return Boxes(table, np.zeros(len(table), dtype=np.intp), np.full(len(table), score))


def masks(left: int, right: int) -> Masks:
    """The liver fills these columns from top to bottom."""
    liver = np.zeros((SIDE, SIDE), dtype=bool)
    liver[:, left:right] = True
    return Masks(np.zeros((SIDE, SIDE), dtype=np.uint8), liver, np.zeros_like(liver))


def test_the_gate_drops_boxes_outside_and_keeps_lesions_inside() -> None:
    items = [
        Background("test", "healthy", "1", "msd", "healthy"),
        Background("test", "lesion", "2", "msd", "boxed", ((30, 30, 50, 50), (60, 10, 70, 20))),
    ]
    found = [boxes((0, 0, 10, 10), (12, 0, 26, 10)), boxes((31, 31, 50, 50), (60, 11, 70, 20))]
    predicted = np.stack([masks(20, 80).liver, masks(20, 55).liver])
    counted = {row.gate: row for row in rows(items, [masks(20, 80)] * 2, found, predicted) if row.threshold == 0.4}
    assert [(counted[gate].found, counted[gate].false_boxes) for gate in ("none", "predicted", "true")] == [
        (2, 2),
        (1, 1),
        (2, 1),
    ]
    assert all((row.lesions, row.healthy_slices) == (2, 1) for row in counted.values())
    assert "1 of 2 real lesions, 1 boxes on 1 slices" in counted["predicted"].sentence()


def test_boxes_below_the_score_do_not_count() -> None:
    items = [Background("test", "healthy", "1", "msd", "healthy")]
    counted = rows(items, [masks(0, 100)], [boxes((0, 0, 10, 10), score=0.2)], masks(0, 100).liver[None])
    assert [row.false_boxes for row in counted if row.gate == "none"] == [1, 1, 0, 0, 0]
