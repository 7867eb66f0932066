"""What a gate by the liver's mask does to the shipped detectors: boxes lost on healthy slices, lesions kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hepar.ensemble.masks import LIVER_THRESHOLD, share_inside
from training.evaluation.ensemble_application import apply_fusion
from training.evaluation.segmentation import shares_of
from training.evaluation.shipped_models import found_boxes, models_of_task, shipped_models
from training.fields import BoolImage
from training.metrics.detection import Boxes, overlaps_any
from training.segmenter.background import Background, Masks, read_backgrounds, read_masks
from training.sources import UnusableData

INSIDE_SHARE = 0.35
"""Of a box's area: with less of it in the liver the box is dropped (docs/training-log.md says where this is from)."""
THRESHOLDS = (0.15, 0.2, 0.25, 0.3, 0.4)


@dataclass(frozen=True)
class GateRow:
    """Counts at one score threshold. gate: `none`, `predicted` or `true`, for whose mask of the liver is used."""

    threshold: float
    gate: str
    lesions: int
    found: int
    healthy_slices: int
    false_boxes: int

    def sentence(self) -> str:
        return (
            f"score {self.threshold:.2f}, gate {self.gate:<9}: {self.found} of {self.lesions} real lesions, "
            f"{self.false_boxes} boxes on {self.healthy_slices} slices without a lesion "
            f"({self.false_boxes / max(1, self.healthy_slices):.3f} a slice)"
        )


def measure_gate(segmenter: Path | bytes, repository: Path, data: Path) -> list[GateRow]:
    """The fused detectors on the MSD slices of validation and test patients.

    segmenter: its ONNX file.  data: a folder of `prepare_segmentation`.
    Raises UnusableData where the repository has no fitted detectors.
    """
    detectors = models_of_task(shipped_models(repository), "detection")
    ensembles = detectors[0].card.ensemble if detectors else None
    if ensembles is None:
        raise UnusableData(f"{repository} has no detectors with a fitted ensemble")
    items = [item for part in ("validation", "test") for item in read_backgrounds(data, part)]
    items = [item for item in items if item.domain == "msd" and item.kind in ("healthy", "boxed")]
    masks = [read_masks(data, item) for item in items]
    images = np.stack([mask.grey for mask in masks])
    found = apply_fusion(ensembles.methods[ensembles.default], found_boxes(detectors, images))
    shares = [shares_of(segmenter, images[start : start + 32])[:, 0] for start in range(0, len(images), 32)]
    return rows(items, masks, found, np.concatenate(shares) >= LIVER_THRESHOLD)


def rows(
    items: Sequence[Background], masks: Sequence[Masks], found: Sequence[Boxes], predicted: NDArray[np.bool_]
) -> list[GateRow]:
    """One for each threshold and gate. predicted: (n, h, w) masks of the liver."""
    true = [mask.liver for mask in masks]
    gates = {"none": [np.ones_like(mask) for mask in true], "predicted": list(predicted), "true": true}
    return [_row(threshold, name, items, found, livers) for threshold in THRESHOLDS for name, livers in gates.items()]


def _row(
    threshold: float,
    gate: str,
    items: Sequence[Background],
    found: Sequence[Boxes],
    livers: Sequence[BoolImage],
) -> GateRow:
    lesions = hits = healthy = false = 0
    for item, boxes, liver in zip(items, found, livers, strict=True):
        corners = boxes.corners[boxes.scores >= threshold]
        corners = corners[[share_inside(box, liver) >= INSIDE_SHARE for box in corners]]
        if item.kind == "healthy":
            healthy, false = healthy + 1, false + len(corners)
        else:
            side = liver.shape[0]
            lesions += len(item.boxes)
            hits += sum(overlaps_any(corners, np.array([box]) / side) for box in item.boxes)
    return GateRow(threshold, gate, lesions, hits, healthy, false)
