"""Weighted box fusion of the peers, so that their answer to a detection is the same as Hepar's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Box:
    """corners: x_min, y_min, x_max, y_max in pixels.  score: 0 to 1."""

    model: str
    corners: list[float]
    score: float
    label: str


def weighted_box_fusion(boxes: Sequence[Box], weights: Mapping[str, float], overlap: float) -> list[dict[str, Any]]:
    """Solovyev, Wang and Gabruseva, 2021; highest score first.

    weights: by model, of all models that answered.  overlap: intersection over union above which boxes are fused.
    """
    mean = sum(weights.values()) / len(weights)
    scaled = [Box(box.model, box.corners, box.score * weights[box.model] / mean, box.label) for box in boxes]
    clusters: list[list[Box]] = []
    centres: list[list[float]] = []
    for box in sorted(scaled, key=lambda one: one.score, reverse=True):
        overlaps = [
            _overlap(box.corners, centre) if cluster[0].label == box.label else 0.0
            for cluster, centre in zip(clusters, centres, strict=True)
        ]
        best = int(np.argmax(overlaps)) if overlaps else 0
        if overlaps and overlaps[best] > overlap:
            clusters[best].append(box)
            centres[best] = _centre(clusters[best])
        else:
            clusters.append([box])
            centres.append(box.corners)
    fused = [_fused(cluster, centre, len(weights)) for cluster, centre in zip(clusters, centres, strict=True)]
    return sorted(fused, key=lambda one: float(one["score"]), reverse=True)


def _centre(cluster: Sequence[Box]) -> list[float]:
    corners = np.average([box.corners for box in cluster], axis=0, weights=[box.score for box in cluster])
    return [float(value) for value in corners]


def _fused(cluster: Sequence[Box], centre: list[float], models: int) -> dict[str, Any]:
    found_by = sorted({box.model for box in cluster})
    score = sum(box.score for box in cluster) / len(cluster) * len(found_by) / models
    names = ("x_min", "y_min", "x_max", "y_max")
    corners = {name: round(value, 1) for name, value in zip(names, centre, strict=True)}
    return {**corners, "label": cluster[0].label, "score": round(min(score, 1.0), 4), "detectors": found_by}


def _overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union, 0 to 1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / (areas - width * height)
