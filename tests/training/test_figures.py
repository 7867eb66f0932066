"""Figures against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation import classification, detection
from training.evaluation.bootstrap import bootstrap_by_patient
from training.evaluation.detection import Boxes


def test_an_interval_widens_when_images_of_a_patient_are_alike() -> None:
    correct = np.tile([1.0, 0.0], 50)
    apart = bootstrap_by_patient([str(i) for i in range(100)], lambda chosen: float(correct[chosen].mean()))
    together = np.repeat([1.0, 0.0] * 5, 10)
    alike = bootstrap_by_patient([str(i // 10) for i in range(100)], lambda chosen: float(together[chosen].mean()))
    assert apart is not None
    assert alike is not None
    assert apart.value == alike.value == 0.5
    assert alike.high - alike.low > 2 * (apart.high - apart.low)


def test_a_score_that_is_not_defined_is_none_and_no_images_are_an_error() -> None:
    assert bootstrap_by_patient(["a", "b"], lambda _: float("nan")) is None
    with pytest.raises(ValueError, match="no images"):
        bootstrap_by_patient([], lambda _: 0.0)


def test_the_temperature_of_overconfident_logits_is_found() -> None:
    rng = np.random.default_rng(0)
    true_logits = rng.normal(size=(6000, 3)) * 1.5
    probabilities = np.exp(true_logits) / np.exp(true_logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(3, p=row) for row in probabilities])
    assert classification.fitted_temperature(true_logits * 3, labels) == pytest.approx(3, rel=0.1)


def test_calibration_error_is_the_weighted_gap() -> None:
    confidence = np.array([0.9] * 10 + [0.5] * 10)
    correct = np.array([True] * 9 + [False] + [True] * 3 + [False] * 7)
    assert classification.expected_calibration_error(confidence, correct) == pytest.approx(0.5 * 0.2)


def test_macro_f1_counts_every_label_alike() -> None:
    labels = np.array([0, 0, 1, 2])
    predicted = np.array([0, 1, 1, 2])
    assert classification.macro_f1(predicted, labels) == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)


def test_the_threshold_is_the_lowest_at_which_few_decided_images_are_wrong() -> None:
    confidence = np.linspace(0.4, 0.99, 60)
    correct = confidence > 0.7
    probabilities = np.stack([confidence, 1 - confidence, np.zeros(60)], axis=1)
    predicted = probabilities.argmax(axis=1)
    labels = np.where(correct, predicted, 2)
    threshold = classification.decision_threshold(probabilities, labels)
    decided = probabilities.max(axis=1) >= threshold
    assert (predicted == labels)[decided].mean() >= 0.8
    below = probabilities.max(axis=1) >= threshold - 0.011
    assert (predicted == labels)[below].mean() < 0.8


def boxes(*rows: tuple[float, float, float, float, int, float]) -> Boxes:
    table = np.array(rows, dtype=float).reshape(-1, 6)
    return Boxes(table[:, :4], table[:, 4].astype(int), table[:, 5])


TRUTH = [boxes((0.1, 0.1, 0.3, 0.3, 0, 1)), boxes((0.5, 0.5, 0.7, 0.7, 1, 1)), boxes()]
PATIENTS = ["a", "b", "c"]


def test_a_perfect_detector_has_perfect_figures() -> None:
    figures = detection.detection_figures(TRUTH, TRUTH, PATIENTS, 0.5)
    assert figures["map_50"].value == 1
    assert figures["sensitivity"].value == 1
    assert figures["false_positives_per_image"].value == 0


def test_a_wrong_label_costs_precision_but_is_still_found() -> None:
    found = [boxes((0.1, 0.1, 0.3, 0.3, 1, 0.9)), TRUTH[1], TRUTH[2]]
    figures = detection.detection_figures(found, TRUTH, PATIENTS, 0.5)
    # Label 0 is never found (0); of label 1 the better box is right (1).
    assert figures["map_50"].value == pytest.approx(0.5, abs=0.001)
    assert figures["sensitivity"].value == 1


def test_misses_doubles_and_low_scores_are_counted_as_what_they_are() -> None:
    found = [
        boxes((0.1, 0.1, 0.3, 0.3, 0, 0.9), (0.11, 0.1, 0.3, 0.3, 0, 0.8)),
        boxes((0.5, 0.5, 0.7, 0.7, 1, 0.2)),
        boxes((0.0, 0.0, 0.1, 0.1, 1, 0.7)),
    ]
    figures = detection.detection_figures(found, TRUTH, PATIENTS, 0.5)
    assert figures["sensitivity"].value == 0.5
    assert figures["false_positives_per_image"].value == pytest.approx(2 / 3, abs=1e-3)


def test_the_best_threshold_leaves_the_noise_out() -> None:
    found = [
        boxes((0.1, 0.1, 0.3, 0.3, 0, 0.6), (0.8, 0.8, 0.9, 0.9, 0, 0.3)),
        boxes((0.5, 0.5, 0.7, 0.7, 1, 0.55), (0.0, 0.8, 0.1, 0.9, 0, 0.35)),
        boxes((0.0, 0.0, 0.1, 0.1, 1, 0.4)),
    ]
    assert 0.4 < detection.chosen_threshold(found, TRUTH) <= 0.55


def test_real_lesions_are_found_by_either_label() -> None:
    found = [boxes((0.1, 0.1, 0.3, 0.25, 1, 0.9)), boxes(), boxes()]
    figures = detection.real_lesion_figures(found, TRUTH, PATIENTS, 0.5, healthy=[])
    assert figures["real_lesion_sensitivity"].value == 0.5


def test_one_false_box_a_healthy_slice_sets_the_lenient_threshold() -> None:
    healthy = [boxes((0.1, 0.1, 0.2, 0.2, 0, 0.4), (0.3, 0.3, 0.4, 0.4, 1, 0.3)), boxes((0.1, 0.1, 0.2, 0.2, 0, 0.2))]
    assert detection.one_false_box_threshold(healthy) == pytest.approx(0.21), "two boxes on two slices are allowed"
    found = [boxes((0.1, 0.1, 0.3, 0.25, 1, 0.22)), boxes(), boxes()]
    figures = detection.real_lesion_figures(found, TRUTH, PATIENTS, 0.5, healthy)
    assert figures["real_lesion_sensitivity"].value == 0
    assert figures["real_lesion_sensitivity_at_one_false_box"].value == 0.5
