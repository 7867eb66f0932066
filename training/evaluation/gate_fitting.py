"""Fits the liver gate of the detectors on validation patients: the score threshold, and the share of a box inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.cards import Ensembles, LiverGate
from hepar.ensemble.masks import LIVER_THRESHOLD, share_inside
from training.datasets.records import boxes_of_mask
from training.evaluation.ensemble_application import apply_fusion
from training.evaluation.segmentation import shares_of
from training.evaluation.shipped_models import ShippedModel, found_boxes
from training.fields import BoolImage
from training.metrics.detection import Boxes, overlaps_any
from training.segmenter.background import Background, Kind, Masks, read_backgrounds, read_masks
from training.sources import UnusableData

MAX_FALSE_BOXES = 0.05
"""Per slice: the operating point of the product."""
THRESHOLDS = np.round(np.arange(0.02, 0.91, 0.01), 2)
SHARES = np.round(np.arange(0.1, 0.61, 0.05), 2)
_ALL_KNOWN = ("healthy", "synthesised")
_BATCH = 32


@dataclass(frozen=True)
class Candidates:
    """The fused boxes of one slice, m of them, and its n lesions.

    scores: (m,).  inside: (m,) share of each box in the predicted liver.  hits: (m, n) whether a box overlaps a lesion.
    """

    kind: Kind
    scores: NDArray[np.float64]
    inside: NDArray[np.float64]
    hits: NDArray[np.bool_]


def fit_gates(ensembles: Ensembles, detectors: Sequence[ShippedModel], segmenter: Path, data: Path) -> Ensembles:
    """The same ensembles, each with the gate fitted for its method on the validation part of `data`.

    segmenter: its ONNX file.  data: a folder of `prepare_segmentation`.
    Raises UnusableData as `fitted_gate`.
    """
    items = [item for item in read_backgrounds(data, "validation") if item.domain == "msd"]
    items = [item for item in items if item.kind in ("healthy", "boxed", "synthesised")]
    masks = [read_masks(data, item) for item in items]
    images = np.stack([mask.grey for mask in masks])
    found, livers = found_boxes(detectors, images), liver_masks(segmenter, images)
    lesions = [lesion_boxes(*pair) for pair in zip(items, masks, strict=True)]
    methods = {}
    for method, ensemble in ensembles.methods.items():
        fused = apply_fusion(ensemble, found)
        rows = [candidates(*row) for row in zip(items, fused, livers, lesions, strict=True)]
        gate = fitted_gate(rows)
        methods[method] = ensemble.model_copy(update={"liver_gate": gate})
    return ensembles.model_copy(update={"methods": methods})


def fitted_gate(slices: Sequence[Candidates]) -> LiverGate:
    """The share that finds most lesions, at the lowest threshold with at most MAX_FALSE_BOXES per slice.

    Real and synthesised lesions have the same weight: the real ones are few, and of unknown selection.
    Of shares within one standard error of the best, the smallest (Breiman et al., "Classification and Regression
    Trees", 1984, section 3.4.3): the mask often leaves out lesions of the density of water, which few slices show.
    Raises UnusableData without slices whose lesions are all known.
    """
    if not any(item.kind in _ALL_KNOWN for item in slices):
        raise UnusableData("no validation slice whose lesions are all known: the gate has nothing to be fitted on")
    fitted = [(float(share), lowest_threshold(slices, float(share))) for share in SHARES]
    recalls = [_recall(slices, share, threshold) for share, threshold in fitted]
    best, error = max(recalls, key=lambda recall: recall[0])
    share, threshold = next(pair for pair, (recall, _) in zip(fitted, recalls, strict=True) if recall >= best - error)
    return LiverGate(minimum_share=share, decision_threshold=threshold)


def lowest_threshold(slices: Sequence[Candidates], share: float, allowed: float = MAX_FALSE_BOXES) -> float:
    """The lowest threshold with at most `allowed` false boxes per slice; the highest one if there is none.

    Boxes that overlap no lesion count on slices without a lesion and on those with synthesised ones. The former alone
    are too few: 48 of 14 patients, on which two boxes decide. Boxed slices may show more lesions than were boxed.
    """
    known = [item for item in slices if item.kind in _ALL_KNOWN]
    for threshold in THRESHOLDS:
        if sum(_false_boxes(item, share, threshold) for item in known) <= allowed * len(known):
            return float(threshold)
    return float(THRESHOLDS[-1])


def _false_boxes(item: Candidates, share: float, threshold: float) -> int:
    return int((selected(item, share, threshold) & ~item.hits.any(axis=1)).sum())


def selected(item: Candidates, share: float, threshold: float) -> NDArray[np.bool_]:
    """(m,) the boxes that pass the gate and the threshold."""
    return (item.scores >= threshold) & (item.inside >= share)


def _recall(slices: Sequence[Candidates], share: float, threshold: float) -> tuple[float, float]:
    """Mean recall of real and of synthesised lesions, and its standard error; a kind without lesions is left out.

    The error is that of independent lesions (binomial).
    """
    recalls, variances = list[float](), list[float]()
    for kind in ("boxed", "synthesised"):
        found = [item.hits[selected(item, share, threshold)].any(axis=0) for item in slices if item.kind == kind]
        hits = np.concatenate(found) if found else np.zeros(0, dtype=bool)
        if len(hits):
            recalls.append(float(hits.mean()))
            variances.append(float(hits.var()) / len(hits))
    if not recalls:
        return 0.0, 0.0
    return float(np.mean(recalls)), float(np.sqrt(sum(variances))) / len(recalls)


def candidates(item: Background, boxes: Boxes, liver: BoolImage, lesions: NDArray[np.float64]) -> Candidates:
    """lesions: (n, 4), 0..1 of the image."""
    hits = [[overlaps_any(corners[None], lesion[None]) for lesion in lesions] for corners in boxes.corners]
    return Candidates(
        item.kind,
        boxes.scores,
        np.array([share_inside(corners, liver) for corners in boxes.corners]),
        np.array(hits, dtype=bool).reshape(len(boxes.corners), len(lesions)),
    )


def lesion_boxes(item: Background, masks: Masks) -> NDArray[np.float64]:
    """(n, 4), 0..1 of the image: the reviewer's boxes, or those around each region of the mask."""
    if item.kind == "boxed":
        rows = [tuple(map(float, box)) for box in item.boxes]
    else:
        rows = [(box.x_min, box.y_min, box.x_max, box.y_max) for box in boxes_of_mask(masks.lesions, "")]
    return np.array(rows, dtype=np.float64).reshape(-1, 4) / masks.grey.shape[0]


def liver_masks(segmenter: Path, images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(n, h, w) of images (n, h, w)."""
    return np.concatenate(list(_liver_masks(segmenter, images)))


def _liver_masks(segmenter: Path, images: NDArray[np.uint8]) -> Iterator[NDArray[np.bool_]]:
    for start in range(0, len(images), _BATCH):
        yield shares_of(segmenter, images[start : start + _BATCH])[:, 0] >= LIVER_THRESHOLD
