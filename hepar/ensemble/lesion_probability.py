"""How probable it is that linked boxes are a lesion, and of which type it is. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from hepar.contracts.study_results import SliceResult
from hepar.ensemble.lesion_linking import LinkedBoxes, box_area
from hepar.ensemble.lesion_masks import LesionMask, MaskGrid, OrganVolume
from hepar.ensemble.masks import share_inside
from hepar.ensemble.study_calibration import StudyCalibration
from hepar.imaging.volume import VolumeGeometry

LOWEST_SHARE = 0.02
"""No source of evidence rules a type out."""
_NEUTRAL_MASK_SHARE = 0.5
_NEUTRAL_LIVER_SHARE = 1.0
_EXTENT_UNIT_MM = 5.0


def lesion_features(
    lesion: LinkedBoxes, mask: LesionMask | None, liver_share: float | None, geometry: VolumeGeometry, *, masks: bool
) -> dict[str, float]:
    """Evidence for a lesion, by the names that `StudyCalibration.lesion` weighs.

    score: of the linked boxes, discounted for missing slices, 0 to 1.  extent: logarithm of the slices with a box, in
    units of 5 mm.  mask_share: share of the boxes' area that the mask fills, 0 to 1.  liver_share: share of their area
    inside the liver.  agreement: number of detectors.  Without masks both shares have fixed neutral values.
    masks: whether the segmenter answered at all.
    """
    extent_mm = len(lesion.boxes) * geometry.spacing_mm[0]
    return {
        "score": lesion.score,
        "extent": math.log1p(extent_mm / _EXTENT_UNIT_MM),
        "mask_share": _mask_share(lesion, mask) if masks else _NEUTRAL_MASK_SHARE,
        "liver_share": _NEUTRAL_LIVER_SHARE if liver_share is None else liver_share,
        "agreement": float(len(lesion.detectors)),
    }


def share_in_liver(lesion: LinkedBoxes, organ: OrganVolume, geometry: VolumeGeometry) -> float | None:
    """Mean over the boxes, weighted by area, 0 to 1. None where no box lies on a segmented slice."""
    grid = MaskGrid.of(organ.transform, geometry)
    shares, areas = [], []
    for box in lesion.boxes:
        liver = organ.liver(box.slice)
        if liver is None:
            continue
        corners = grid.to_grid(np.array([(box.x_min, box.y_min), (box.x_max, box.y_max)])) / liver.shape[::-1]
        shares.append(share_inside(np.clip(corners, 0, 1).ravel(), liver))
        areas.append(box_area(box))
    return float(np.average(shares, weights=areas)) if shares else None


def lesion_types(
    lesion: LinkedBoxes, slices: Mapping[int, SliceResult], calibration: StudyCalibration
) -> dict[str, float]:
    """Probability of each type, given a tumour, summing to 1. Empty where neither boxes nor classifiers name a type.

    Labels of boxes count by their score, answers of classifiers by the slice's probability of a tumour and the box's
    area. The two are pooled by their logarithms (a weighted geometric mean). The classifiers' answers are averaged, not
    multiplied: neighbouring slices show nearly the same.
    slices: by index.
    """
    from_boxes = _normalised((box.label, box.score) for box in lesion.members)
    weighted = [
        (label, share * _tumour(slices[box.slice]) * box_area(box))
        for box in lesion.boxes
        if box.slice in slices
        for label, share in slices[box.slice].type_probabilities.items()
    ]
    from_classifiers = _normalised(weighted)
    sources = [
        (shares, weight)
        for shares, weight in (
            (from_boxes, calibration.box_label_weight),
            (from_classifiers, calibration.classifier_weight),
        )
        if shares
    ]
    labels = sorted({label for shares, _ in sources for label in shares})
    pooled = {
        label: math.exp(sum(weight * math.log(max(shares.get(label, 0), LOWEST_SHARE)) for shares, weight in sources))
        for label in labels
    }
    return _normalised(pooled.items())


def most_probable_type(types: Mapping[str, float], threshold: float) -> str | None:
    """None where no type reaches the threshold."""
    best = max(types, key=types.__getitem__, default=None)
    return best if best is not None and types[best] >= threshold else None


def _mask_share(lesion: LinkedBoxes, mask: LesionMask | None) -> float:
    if mask is None:
        return 0.0
    covered_px = 0.0
    for box in lesion.boxes:
        if mask.first_slice <= box.slice <= mask.last_slice:
            covered_px += min(mask.area_px(box.slice), box_area(box))
    return covered_px / sum(map(box_area, lesion.boxes))


def _normalised(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Sums by label, divided by their total; empty where that is 0."""
    sums: dict[str, float] = {}
    for label, value in pairs:
        sums[label] = sums.get(label, 0.0) + value
    total = sum(sums.values())
    return {label: sums[label] / total for label in sorted(sums)} if total > 0 else {}


def _tumour(result: SliceResult) -> float:
    return 1.0 if result.tumour_probability is None else result.tumour_probability
