"""Metrics of classifiers, compared with values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.metrics import classification


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
    confidence = np.linspace(0.4, 0.99, 60)
    correct = confidence > 0.7
    probabilities = np.stack([confidence, 1 - confidence, np.zeros(60)], axis=1)
    predicted = probabilities.argmax(axis=1)
    labels = np.where(correct, predicted, 2)
    threshold = classification.fitted_decision_threshold(probabilities, labels)
    decided = probabilities.max(axis=1) >= threshold
    assert (predicted == labels)[decided].mean() >= 0.8
    below = probabilities.max(axis=1) >= threshold - 0.011
    assert (predicted == labels)[below].mean() < 0.8


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
