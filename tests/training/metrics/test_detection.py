"""Metrics of detectors, compared with values computed by hand."""

from __future__ import annotations

import pytest

from tests.training.support import boxes
from training.metrics import detection

TRUTH = [boxes((0.1, 0.1, 0.3, 0.3, 0, 1)), boxes((0.5, 0.5, 0.7, 0.7, 1, 1)), boxes()]
PATIENTS = ["a", "b", "c"]


def test_a_perfect_detector_has_perfect_metrics() -> None:
    metrics = detection.detection_metrics(TRUTH, TRUTH, PATIENTS, 0.5)
    assert metrics["map_50"].value == 1
    assert metrics["sensitivity"].value == 1
    assert metrics["false_positives_per_image"].value == 0


def test_a_wrong_label_lowers_precision_but_not_sensitivity() -> None:
    found = [boxes((0.1, 0.1, 0.3, 0.3, 1, 0.9)), TRUTH[1], TRUTH[2]]
    metrics = detection.detection_metrics(found, TRUTH, PATIENTS, 0.5)
    # Label 0 is never found (0); of label 1 the better box is right (1).
    assert metrics["map_50"].value == pytest.approx(0.5, abs=0.001)
    assert metrics["sensitivity"].value == 1


def test_missed_lesions_duplicate_boxes_and_low_scores_are_counted() -> None:
    found = [
        boxes((0.1, 0.1, 0.3, 0.3, 0, 0.9), (0.11, 0.1, 0.3, 0.3, 0, 0.8)),
        boxes((0.5, 0.5, 0.7, 0.7, 1, 0.2)),
        boxes((0.0, 0.0, 0.1, 0.1, 1, 0.7)),
    ]
    metrics = detection.detection_metrics(found, TRUTH, PATIENTS, 0.5)
    assert metrics["sensitivity"].value == 0.5
    assert metrics["false_positives_per_image"].value == pytest.approx(2 / 3, abs=1e-3)


def test_the_fitted_threshold_excludes_false_boxes() -> None:
    found = [
        boxes((0.1, 0.1, 0.3, 0.3, 0, 0.6), (0.8, 0.8, 0.9, 0.9, 0, 0.3)),
        boxes((0.5, 0.5, 0.7, 0.7, 1, 0.55), (0.0, 0.8, 0.1, 0.9, 0, 0.35)),
        boxes((0.0, 0.0, 0.1, 0.1, 1, 0.4)),
    ]
    assert 0.4 < detection.fitted_threshold(found, TRUTH) <= 0.55


def test_a_box_of_either_label_finds_a_real_lesion() -> None:
    found = [boxes((0.1, 0.1, 0.3, 0.25, 1, 0.9)), boxes(), boxes()]
    metrics = detection.real_lesion_metrics(found, TRUTH, PATIENTS, 0.5, healthy=[])
    assert metrics["real_lesion_sensitivity"].value == 0.5


def test_the_lenient_threshold_allows_one_false_box_per_healthy_slice() -> None:
    healthy = [boxes((0.1, 0.1, 0.2, 0.2, 0, 0.4), (0.3, 0.3, 0.4, 0.4, 1, 0.3)), boxes((0.1, 0.1, 0.2, 0.2, 0, 0.2))]
    assert detection.one_false_box_threshold(healthy) == pytest.approx(0.21), "two boxes on two slices are allowed"
    found = [boxes((0.1, 0.1, 0.3, 0.25, 1, 0.22)), boxes(), boxes()]
    metrics = detection.real_lesion_metrics(found, TRUTH, PATIENTS, 0.5, healthy)
    assert metrics["real_lesion_sensitivity"].value == 0
    assert metrics["real_lesion_sensitivity_at_one_false_box"].value == 0.5


def test_the_confusion_matrix_counts_wrong_types_missed_lesions_and_false_boxes() -> None:
    truth = [boxes((0, 0, 0.2, 0.2, 0, 1), (0.5, 0.5, 0.7, 0.7, 1, 1), (0.8, 0, 0.9, 0.1, 1, 1))]
    found = [
        boxes(
            (0, 0, 0.2, 0.2, 1, 0.9), (0.5, 0.5, 0.7, 0.7, 1, 0.8), (0.3, 0.8, 0.4, 0.9, 0, 0.7), (0, 0, 1, 1, 0, 0.1)
        )
    ]
    assert detection.confusion(found, truth, 0.5) == [[0, 1, 0], [0, 1, 1], [1, 0, 0]]


def test_the_froc_curve_starts_at_the_highest_score() -> None:
    truth = [boxes((0, 0, 0.2, 0.2, 0, 1), (0.5, 0.5, 0.7, 0.7, 1, 1))]
    found = [boxes((0, 0, 0.2, 0.2, 0, 0.8), (0.3, 0.8, 0.4, 0.9, 0, 0.6), (0.5, 0.5, 0.7, 0.7, 1, 0.4))]
    points = detection.froc(found, truth)
    assert points[0] == (0, 0)
    assert (0, 0.5) in points
    assert points[-1] == (1, 1)


def test_strict_average_precision_requires_tighter_boxes() -> None:
    truth = [boxes((0, 0, 0.5, 0.5, 0, 1))] * 3
    loose = [boxes((0, 0, 0.5, 0.4, 0, 0.9))] * 3  # an overlap of 0.8: seven of the ten, 0.5 to 0.8
    metrics = detection.detection_metrics(loose, truth, ["a", "b", "c"], 0.5)
    assert metrics["map_50"].value == pytest.approx(1)
    assert metrics["map_50_95"].value == pytest.approx(0.65, abs=0.051)
    assert detection.precision_recall(loose, truth) == [1.0] * 101
