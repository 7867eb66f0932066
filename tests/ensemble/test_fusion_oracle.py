"""Box fusion compared with `ensemble-boxes`, the implementation by the authors of weighted box fusion.

Hypothesis draws a seed and NumPy draws the boxes, so that no two scores and no two overlaps are equal; test_fusion.py
tests ties by hand. `ensemble-boxes` uses coordinates from 0 to 1, numbered labels, and float32 for fused corners.

It differs in one point: with unequal weights its fused score depends on the number of boxes in a cluster, Hepar's on
the number of detectors. Unequal weights are therefore compared on clusters that have one box of a detector at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ensemble_boxes
import numpy as np
import pytest
from ensemble_boxes.ensemble_boxes_nms import cpu_soft_nms_float
from hypothesis import given
from hypothesis import strategies as st

from hepar.ensemble.fusion import (
    FoundBox,
    FusedBox,
    FusionParameters,
    fuse,
    non_maximum_suppression,
    soft_non_maximum_suppression,
)

IMAGE_SIDE = 512
LABELS: tuple[str, ...] = ("cholangiocarcinoma", "metastasis", "other")
DETECTORS: tuple[str, ...] = ("a", "b", "c")
WEIGHTS = {"a": 1.0, "b": 2.5, "c": 0.75}
SEEDS = st.integers(0, 2**32 - 1)

# Boxes by detector: corners 0 to 1, scores, label numbers.
ByDetector = tuple[list[list[list[float]]], list[list[float]], list[list[int]]]
Row = tuple[tuple[float, ...], float, str]


def crowded_boxes(seed: int, count: int) -> list[FoundBox]:
    """Boxes of any detector and label around four lesions that touch one another, some of them at an image border."""
    random = np.random.default_rng(seed)
    lesions = random.uniform(0, 140, (4, 4)) + np.array([0, 40, 240, 280])
    found = []
    for _ in range(count):
        corners = np.clip(lesions[random.integers(4)] + random.uniform(-40, 40, 4), 0, IMAGE_SIDE)
        x_min, y_min, x_max, y_max = map(float, corners)
        detector, label = DETECTORS[random.integers(3)], LABELS[random.integers(3)]
        found.append(FoundBox(detector, (x_min, y_min, x_max, y_max), float(random.uniform(0.01, 1)), label))
    return found


def separate_boxes(seed: int) -> list[FoundBox]:
    """Nine lesions that do not touch, each found by each detector at most once."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(9):
        corner = np.array([number % 3 * 170 + 20, number // 3 * 170 + 20])
        lesion = np.concatenate([corner, corner + random.uniform(50, 110, 2)])
        for detector in DETECTORS:
            if random.random() < 0.8:
                x_min, y_min, x_max, y_max = map(float, lesion + random.uniform(-15, 15, 4))
                label = LABELS[random.integers(3) if random.random() < 0.3 else number % 3]
                found.append(FoundBox(detector, (x_min, y_min, x_max, y_max), float(random.uniform(0.01, 1)), label))
    return found


def by_detector(boxes: Sequence[FoundBox]) -> ByDetector:
    chosen = [[box for box in boxes if box.detector == detector] for detector in DETECTORS]
    return (
        [[[value / IMAGE_SIDE for value in box.corners] for box in some] for some in chosen],
        [[box.score for box in some] for some in chosen],
        [[LABELS.index(box.label) for box in some] for some in chosen],
    )


def reference_fusion(boxes: Sequence[FoundBox], overlap: float, weights: Mapping[str, float], kind: str) -> list[Row]:
    corners, scores, labels = ensemble_boxes.weighted_boxes_fusion(
        *by_detector(boxes), weights=[weights[name] for name in DETECTORS], iou_thr=overlap, conf_type=kind
    )
    return [
        (tuple((row * IMAGE_SIDE).tolist()), float(score), LABELS[int(label)])
        for row, score, label in zip(corners, scores, labels, strict=True)
    ]


def assert_equal(fused: Sequence[FusedBox], expected: Sequence[Row]) -> None:
    """In the same order, within the precision of float32."""
    assert [box.label for box in fused] == [label for _, _, label in expected]
    for box, (corners, score, _) in zip(fused, expected, strict=True):
        assert box.corners == pytest.approx(corners, abs=1e-3)
        assert box.score == pytest.approx(score, rel=1e-5)


@given(SEEDS, st.integers(0, 40), st.sampled_from([0.31, 0.55, 0.72]))
def test_fusion_with_equal_weights_is_that_of_the_authors(seed: int, count: int, overlap: float) -> None:
    boxes = crowded_boxes(seed, count)
    weights = dict.fromkeys(DETECTORS, 2.0)
    fused = fuse(boxes, DETECTORS, FusionParameters("weighted_box_fusion", weights, overlap=overlap))
    assert_equal(fused, reference_fusion(boxes, overlap, weights, "box_and_model_avg"))


@given(SEEDS, st.sampled_from([0.31, 0.55, 0.72]))
def test_fusion_with_unequal_weights_is_that_of_the_authors(seed: int, overlap: float) -> None:
    boxes = separate_boxes(seed)
    fused = fuse(boxes, DETECTORS, FusionParameters("weighted_box_fusion", WEIGHTS, overlap=overlap))
    assert_equal(fused, reference_fusion(boxes, overlap, WEIGHTS, "avg"))


@given(SEEDS, st.integers(0, 40), st.sampled_from([0.31, 0.5, 0.72]))
def test_suppression_is_that_of_another_implementation(seed: int, count: int, overlap: float) -> None:
    boxes = crowded_boxes(seed, count)
    assert_equal(non_maximum_suppression(boxes, overlap), reference_suppression(boxes, 3, overlap=overlap))


@given(SEEDS, st.integers(0, 40), st.sampled_from([0.1, 0.5, 2.0]), st.sampled_from([0.001, 0.3]))
def test_soft_suppression_is_that_of_another_implementation(
    seed: int, count: int, sigma: float, lowest_score: float
) -> None:
    boxes = crowded_boxes(seed, count)
    expected = reference_suppression(boxes, 2, sigma=sigma, lowest_score=lowest_score)
    assert_equal(soft_non_maximum_suppression(boxes, sigma, lowest_score), expected)


def reference_suppression(
    boxes: Sequence[FoundBox], method: int, overlap: float = 0, sigma: float = 1, lowest_score: float = 0
) -> list[Row]:
    """The function inside the public `soft_nms`, which returns the scores that it was given and not the new ones.

    method: 2 is Soft-NMS with the Gaussian penalty, 3 is plain suppression.
    """
    rows: list[Row] = []
    for label in LABELS:
        some = [box for box in boxes if box.label == label]
        if some:
            corners, scores = np.array([box.corners for box in some]), np.array([box.score for box in some])
            kept = cpu_soft_nms_float(corners.copy(), scores, overlap, sigma, lowest_score, method)
            new_scores = scores[scores > lowest_score].tolist()
            rows += [(tuple(corners[i]), score, label) for i, score in zip(kept, new_scores, strict=True)]
    return sorted(rows, key=lambda row: row[1], reverse=True)
