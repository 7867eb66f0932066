"""Metrics of classifiers, compared with values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hepar.ensemble.voting import Thresholds, Vote, soft_vote
from training.metrics import classification
from training.prepared.dataset import CLASS_LABELS


def test_the_temperature_of_overconfident_logits_is_fitted() -> None:
    rng = np.random.default_rng(0)
    true_logits = rng.normal(size=(6000, 3)) * 1.5
    probabilities = np.exp(true_logits) / np.exp(true_logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(3, p=row) for row in probabilities])
    assert classification.fitted_temperature(true_logits * 3, labels) == pytest.approx(3, rel=0.1)


def test_the_calibration_error_is_the_weighted_gap() -> None:
    confidence = np.array([0.9] * 10 + [0.5] * 10)
    correct = np.array([True] * 9 + [False] + [True] * 3 + [False] * 7)
    assert classification.expected_calibration_error(confidence, correct) == pytest.approx(0.5 * 0.2)


def test_macro_f1_weights_all_labels_equally() -> None:
    labels = np.array([0, 0, 1, 2])
    predicted = np.array([0, 1, 1, 2])
    assert classification.macro_f1(predicted, labels) == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)


def test_the_decision_threshold_is_the_lowest_with_few_wrong_decisions() -> None:
    """Types are equally probable where they are wrong: the second stage leaves these images undecided."""
    rows = np.random.default_rng(2).dirichlet([0.3, 0.3, 0.3], 400)
    labels = np.where(classification.given_a_tumour(rows).max(axis=1) > 0.8, rows.argmax(axis=1), 2)
    threshold = classification.fitted_decision_threshold(rows, labels)
    decided, more = (classification.are_decided(rows, Thresholds(at, at)) for at in (threshold, threshold - 0.011))
    correct = rows.argmax(axis=1) == labels
    assert 0.4 < threshold < 0.98
    assert correct[decided].mean() >= 0.8
    assert correct[more].mean() < 0.8


def test_the_same_images_are_decided_as_by_the_services() -> None:
    rows = np.random.default_rng(1).dirichlet([0.7, 0.7, 0.7], 500)
    thresholds = Thresholds(tumour=0.7, type=0.8)
    served = [soft_vote([Vote("a", tuple(CLASS_LABELS), row)], thresholds).label is not None for row in rows]
    assert classification.are_decided(rows, thresholds).tolist() == served
    assert 50 < sum(served) < 450


def test_types_given_a_tumour_by_hand() -> None:
    given = classification.given_a_tumour(np.array([[0.2, 0.6, 0.2], [0, 0, 1]]))
    assert given == pytest.approx(np.array([[0.25, 0.75], [0.5, 0.5]]))


def test_both_stages_get_the_lowest_threshold_with_few_wrong_decisions() -> None:
    """All tumours are seen with 0.9. Types: of ten images at 0.6 given a tumour five are wrong, of ten at 0.9 none."""
    doubtful = np.tile([0.54, 0.36, 0.1], (10, 1))
    clear = np.tile([0.81, 0.09, 0.1], (10, 1))
    labels = np.array([0, 1] * 5 + [0] * 10)
    unknown = np.full(20, np.nan)
    thresholds = classification.fitted_thresholds(np.concatenate([doubtful, clear]), labels, unknown)
    assert (thresholds.tumour, thresholds.type) == (0.4, 0.61)


def test_a_type_that_follows_from_the_size_is_not_certain() -> None:
    """Large lesions are called type 0, small ones type 1: right in 49 of 50 images, and in half at equal sizes."""
    labels = np.repeat([0, 1], 100)
    sizes = np.concatenate([np.r_[np.full(98, 0.4), np.full(2, 0.1)], np.r_[np.full(2, 0.4), np.full(98, 0.1)]])
    probabilities = np.where((sizes > 0.2)[:, None], [0.7, 0.1, 0.2], [0.1, 0.7, 0.2])
    assert classification.fitted_thresholds(probabilities, labels, np.full(200, np.nan)).type == 0.4
    assert classification.fitted_thresholds(probabilities, labels, sizes).type == 0.98


def test_networks_that_know_types_only_have_one_stage() -> None:
    probabilities, labels = np.array([[0.9, 0.1]] * 10 + [[0.4, 0.6]] * 10), np.array([0] * 10 + [0, 1] * 5)
    thresholds = classification.fitted_thresholds(probabilities, labels, np.full(20, np.nan))
    assert (thresholds.tumour, thresholds.type) == (0.61, 0.61)
    assert classification.are_decided(probabilities, thresholds).tolist() == [True] * 10 + [False] * 10
    metrics = classification.classification_metrics(probabilities, labels, ["a"] * 20, thresholds)
    assert "tumour_calibration_error" not in metrics
    assert metrics["decided_share"].value == 0.5


def test_calibration_is_measured_for_both_stages() -> None:
    probabilities = np.array([[0.4, 0.4, 0.2]] * 10 + [[0.1, 0.1, 0.8]] * 10)
    labels = np.array([0] * 5 + [1] * 3 + [2] * 2 + [2] * 10)
    patients = [str(index) for index in range(20)]
    metrics = classification.classification_metrics(probabilities, labels, patients, Thresholds(0.5, 0.5))
    assert metrics["tumour_calibration_error"].value == pytest.approx(0.5 * 0 + 0.5 * 0.2, abs=0.05)
    assert metrics["type_calibration_error"].value == pytest.approx(5 / 8 - 0.5, abs=1e-4)
    assert metrics["decided_share"].value == 1
    assert metrics["decided_accuracy"].value == pytest.approx(15 / 20)


def test_size_matching_removes_the_advantage_of_a_size_based_classifier() -> None:
    """In nine of ten images, large lesions are type 0 and small ones type 1, so that size alone has 90 % accuracy."""
    labels = np.repeat([0, 1, 2], 200)
    sizes = np.concatenate(
        [np.r_[np.full(180, 0.4), np.full(20, 0.1)], np.r_[np.full(20, 0.4), np.full(180, 0.1)], np.zeros(200)]
    )
    by_size = np.where(sizes > 0.2, 0, 1)
    weights = classification.size_matched_weights(labels, sizes)
    assert (by_size[:400] == labels[:400]).mean() == pytest.approx(0.9)
    assert np.average(by_size == labels, weights=weights) == pytest.approx(0.5)
    assert (weights[400:] == 0).all()


def test_roc_auc_and_brier_score_follow_their_formulas() -> None:
    labels = np.array([0, 1, 2])
    assert classification.roc_auc(np.eye(3), labels) == 1
    assert np.isnan(classification.roc_auc(np.eye(3), np.array([0, 0, 1])))
    assert classification.brier_score(np.eye(3), labels) == 0
    assert classification.brier_score(np.full((3, 3), 1 / 3), labels) == pytest.approx(2 / 3)
