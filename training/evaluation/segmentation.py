"""Evaluation of a segmenter: threshold fitted on the validation part, metrics of the test part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.figures import Metric
from hepar.ensemble.masks import LIVER_SEEN_PX, LIVER_THRESHOLD
from training.evaluation.inference import run_model_on
from training.lesions.placement import midline_px
from training.metrics.bootstrap import metrics_with_intervals
from training.metrics.segmentation import (
    COVERED_SHARE,
    SMALL_LESION_MM,
    Lesion,
    Overlap,
    best_threshold,
    dice,
    false_regions,
    lesions_of,
    overlap,
    recall,
    surface_distance_mm,
)
from training.segmenter.background import Background, read_backgrounds, read_masks
from training.segmenter.prepare import ellipses

SPACING_MM = 1.6


@dataclass(frozen=True)
class Measured:
    """The measurements of one slice; None if the truth is not known."""

    item: Background
    liver: Overlap
    liver_distance_mm: float
    liver_seen: bool
    lesion: Overlap | None
    lesions: tuple[Lesion, ...]
    false_regions: int | None


def evaluate_segmenter(
    model: Path | bytes, data: Path, threshold: float | None = None
) -> tuple[float, dict[str, Metric]]:
    """The threshold, and the metrics of the MSD slices of test patients; other domains: `domain_metrics`."""
    threshold = threshold or fitted_threshold(model, data)
    measured = [row for row in measure(model, data, "test", threshold) if row.item.domain == "msd"]
    return threshold, _metrics(measured)


def fitted_threshold(model: Path | bytes, data: Path) -> float:
    """Threshold of the lesion mask, on synthesised lesions and lesion-free slices of validation patients."""
    items = [item for item in read_backgrounds(data, "validation") if item.kind in ("synthesised", "healthy")]
    masks = [read_masks(data, item) for item in items]
    shares = shares_of(model, np.stack([mask.grey for mask in masks]))[:, 1]
    true = np.stack([mask.lesions for mask in masks])
    return best_threshold(shares, true)


def shares_of(model: Path | bytes, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, classes, h, w) probabilities of images (n, h, w)."""
    return np.asarray(run_model_on(model, images)["masks"] / np.float32(255), dtype=np.float32)


def measure(model: Path | bytes, data: Path, part: str, threshold: float) -> list[Measured]:
    """Every slice of a part. threshold: of the lesion's mask; the liver's is LIVER_THRESHOLD."""
    items = read_backgrounds(data, part)
    measured = []
    for start in range(0, len(items), 32):
        chunk = items[start : start + 32]
        shares = shares_of(model, np.stack([read_masks(data, item).grey for item in chunk]))
        measured += [_measured(data, item, share, threshold) for item, share in zip(chunk, shares, strict=True)]
    return measured


def domain_metrics(model: Path | bytes, data: Path, threshold: float) -> dict[str, dict[str, float]]:
    """By domain and part, metrics without intervals: real lesions by side and size, volumes, slices without liver."""
    found: dict[str, dict[str, float]] = {}
    for part in ("validation", "test"):
        measured = measure(model, data, part, threshold)
        for domain in sorted({row.item.domain for row in measured}):
            found[f"{domain} ({part})"] = _plain([row for row in measured if row.item.domain == domain])
    return found


def _measured(data: Path, item: Background, share: NDArray[np.float32], threshold: float) -> Measured:
    masks = read_masks(data, item)
    liver, lesion = share[0] >= LIVER_THRESHOLD, share[1] >= threshold
    middle = midline_px(masks.grey.astype(np.float32))
    known = item.kind in ("synthesised", "healthy", "outlined", "no_liver")
    if item.kind == "boxed":
        lesions = _boxed_lesions(item, lesion, middle)
    else:
        lesions = lesions_of(lesion, masks.lesions, SPACING_MM, middle) if known else []
    return Measured(
        item,
        overlap(liver, masks.liver),
        surface_distance_mm(liver, masks.liver, SPACING_MM),
        int(liver.sum()) >= LIVER_SEEN_PX,
        overlap(lesion, masks.lesions) if known else None,
        tuple(lesions),
        false_regions(lesion, masks.lesions) if known and not masks.lesions.any() else None,
    )


def _boxed_lesions(item: Background, predicted: NDArray[np.bool_], middle_px: float) -> list[Lesion]:
    lesions = []
    for box in item.boxes:
        covered = float(predicted[ellipses((box,), predicted.shape)].mean())
        longer = max(box[2] - box[0], box[3] - box[1]) * SPACING_MM
        lesions.append(Lesion(longer, covered >= COVERED_SHARE, (box[0] + box[2]) / 2 > middle_px))
    return lesions


def _metrics(rows: Sequence[Measured]) -> dict[str, Metric]:
    """The metrics of the model card, each with its interval over patients."""

    def of(kinds: tuple[str, ...], chosen: NDArray[np.intp]) -> list[Measured]:
        return [rows[index] for index in chosen if rows[index].item.kind in kinds]

    def lesions(kinds: tuple[str, ...], chosen: NDArray[np.intp]) -> list[Lesion]:
        return [lesion for row in of(kinds, chosen) for lesion in row.lesions]

    def small(found: Sequence[Lesion]) -> list[Lesion]:
        return [lesion for lesion in found if lesion.diameter_mm < SMALL_LESION_MM]

    own, made, real = ("healthy", "boxed", "unclear"), ("synthesised",), ("boxed",)
    return metrics_with_intervals(
        [row.item.patient for row in rows],
        {
            "liver_dice": lambda chosen: dice([row.liver for row in of(own, chosen)]),
            "liver_surface_distance_mm": lambda chosen: _mean([row.liver_distance_mm for row in of(own, chosen)]),
            "lesion_dice": lambda chosen: dice([row.lesion for row in of(made, chosen) if row.lesion]),
            "lesion_recall": lambda chosen: recall(lesions(made, chosen)),
            "small_lesion_recall": lambda chosen: recall(small(lesions(made, chosen))),
            "real_lesion_recall": lambda chosen: recall(lesions(real, chosen)),
            "false_regions_per_image": lambda chosen: _mean(
                [float(row.false_regions) for row in of(("healthy",), chosen) if row.false_regions is not None]
            ),
        },
    )


def _plain(rows: Sequence[Measured]) -> dict[str, float]:
    real = [lesion for row in rows if row.item.kind in ("boxed", "outlined") for lesion in row.lesions]
    outlined = [row.lesion for row in rows if row.item.kind == "outlined" and row.lesion]
    without = [row.liver_seen for row in rows if row.item.kind == "no_liver"]
    livers = [row for row in rows if row.item.kind not in ("no_liver", "synthesised")]
    false = [float(row.false_regions) for row in rows if row.false_regions is not None]
    values = {
        "slices": float(len(rows)),
        "liver_dice": dice([row.liver for row in livers]),
        "liver_surface_distance_mm": _mean([row.liver_distance_mm for row in livers]),
        "outlined_lesion_dice": dice(outlined),
        "real_lesions": float(len(real)),
        "real_found": float(sum(lesion.found for lesion in real)),
        "real_10_mm_and_more": float(sum(lesion.diameter_mm >= SMALL_LESION_MM for lesion in real)),
        "found_10_mm_and_more": float(sum(lesion.found for lesion in real if lesion.diameter_mm >= SMALL_LESION_MM)),
        "real_left": float(sum(lesion.left for lesion in real)),
        "found_left": float(sum(lesion.found for lesion in real if lesion.left)),
        "false_regions_per_lesion_free_slice": _mean(false),
        "slices_without_liver": float(len(without)),
        "of_these_with_a_liver_mask": float(sum(without)),
    }
    return {name: round(value, 4) for name, value in values.items() if not np.isnan(value)}


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
