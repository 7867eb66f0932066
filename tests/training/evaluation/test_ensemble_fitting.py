"""Fitting votes and fusions, compared with results computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hepar.ensemble.fusion import FusionParameters
from tests.training.support import boxes
from training.evaluation.ensemble_application import apply_fusion, apply_vote, fuse_all, vote_on_all
from training.evaluation.ensemble_fitting import (
    DEFAULT_FUSION,
    CalibrationSet,
    fitted_fusions,
    fitted_votes,
    fitted_weights,
)
from training.metrics import classification, detection


def simulated_probabilities(labels: np.ndarray, skill: float, seed: int) -> np.ndarray:
    """Probabilities (n, 3) of a model that is more often correct, and more confident, with more skill."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(labels), 3)) + skill * np.eye(3)[labels]
    exponentials = np.exp(logits)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def known(labels: np.ndarray) -> CalibrationSet:
    return CalibrationSet(labels, np.full(len(labels), np.nan), len(labels))


@pytest.fixture
def labels() -> np.ndarray:
    return np.arange(240) % 3


def test_a_good_model_gets_more_weight_than_a_guessing_one(labels: np.ndarray) -> None:
    probabilities = {"good": simulated_probabilities(labels, 2.0, 1), "guess": np.full((len(labels), 3), 1 / 3)}
    weights = fitted_weights(probabilities, labels)
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["good"] > 0.9


def test_only_the_weighted_vote_has_weights(labels: np.ndarray) -> None:
    unequal = {"good": simulated_probabilities(labels, 3.0, 1), "guess": simulated_probabilities(labels, 0.0, 2)}
    votes = fitted_votes(unequal, known(labels))
    assert votes["weighted_vote"].members["good"] > 0.8
    assert votes["soft_vote"].members == votes["majority_vote"].members == {"good": 1.0, "guess": 1.0}
    assert votes["majority_vote"].temperature == 1


def test_the_fitted_ensemble_is_better_calibrated_than_the_plain_mean(labels: np.ndarray) -> None:
    probabilities = {name: simulated_probabilities(labels, 1.5, seed) for seed, name in enumerate("abcde")}
    fitted = fitted_votes(probabilities, known(labels))["soft_vote"]

    def calibration_error(voted: np.ndarray) -> float:
        correct = voted.argmax(axis=1) == labels
        return classification.expected_calibration_error(voted.max(axis=1), correct, bins=5)

    plain = vote_on_all("soft_vote", probabilities)
    calibrated = apply_vote(fitted, probabilities)
    assert fitted.temperature < 1, "a mean of five is underconfident"
    assert calibration_error(calibrated) < calibration_error(plain)


def test_votes_in_the_liver_have_parameters_of_their_own(labels: np.ndarray) -> None:
    """The copies, which are harder, change the thresholds; weights and temperatures are those of the originals."""
    count = len(labels)
    twice = CalibrationSet(np.tile(labels, 2), np.full(2 * count, np.nan), count)
    whole = {name: simulated_probabilities(twice.labels, 1.0, seed) for seed, name in enumerate("ab")}
    inside = {
        name: np.concatenate([simulated_probabilities(labels, skill, seed) for skill in (2.5, 0.5)])
        for seed, name in enumerate("ab", 7)
    }
    first = {name: values[:count] for name, values in inside.items()}
    votes, alone = fitted_votes(whole, twice, inside), fitted_votes(first, known(labels))
    for method, vote in votes.items():
        assert vote.in_liver is not None
        assert vote.in_liver.temperature == alone[method].temperature
        assert vote.members == alone[method].members
        assert vote.of_liver_votes.decision_threshold == vote.in_liver.decision_threshold
    soft = votes["soft_vote"].of_liver_votes
    assert soft.decision_threshold > alone["soft_vote"].decision_threshold
    assert soft.temperature < votes["soft_vote"].temperature, "the liver tells more"
    assert alone["soft_vote"].of_liver_votes == alone["soft_vote"]


def test_a_majority_outvotes_one_confident_model() -> None:
    confident, other = np.array([[0.98, 0.01, 0.01]]), np.array([[0.4, 0.5, 0.1]])
    probabilities = {"a": confident, "b": other, "c": other}
    assert vote_on_all("majority_vote", probabilities)[0].tolist() == pytest.approx([1 / 3, 2 / 3, 0])
    assert vote_on_all("soft_vote", probabilities)[0].argmax() == 0


def test_the_fused_boxes_beat_each_detector() -> None:
    """Each of three detectors finds a different pair of three lesions, and one false box."""
    truth = [boxes((0.1, 0.1, 0.2, 0.2, 0, 1), (0.4, 0.4, 0.6, 0.6, 1, 1), (0.7, 0.1, 0.9, 0.3, 1, 1))] * 4
    lesions = [(0.1, 0.1, 0.2, 0.2, 0), (0.4, 0.4, 0.6, 0.6, 1), (0.7, 0.1, 0.9, 0.3, 1)]
    found = {
        name: [boxes(*[(*lesions[i], 0.8) for i in indices], (0.05 * n, 0.8, 0.05 * n + 0.04, 0.9, 1, 0.5))] * 4
        for n, (name, indices) in enumerate({"a": (0, 1), "b": (1, 2), "c": (0, 2)}.items())
    }
    fusions = fitted_fusions(found, truth)
    ensemble = fusions[DEFAULT_FUSION]
    precision = detection.average_precision(apply_fusion(ensemble, found), truth)
    assert precision == pytest.approx(1)
    assert precision > max(detection.average_precision(rows, truth) for rows in found.values())
    assert 0.5 / 3 < ensemble.decision_threshold <= 1.6 / 3


def test_a_detector_without_hits_gets_little_weight() -> None:
    truth = [boxes((0.1, 0.1, 0.3, 0.3, 0, 1))] * 6
    found = {
        "good": [boxes((0.1, 0.1, 0.3, 0.3, 0, 0.6))] * 6,
        "wrong": [boxes((0.6, 0.6, 0.8, 0.8, 0, 0.9))] * 6,
    }
    fusion = fitted_fusions(found, truth)["weighted_box_fusion"]
    assert fusion.members["good"] > 1.9
    assert detection.average_precision(apply_fusion(fusion, found), truth) == pytest.approx(1)
    assert fitted_fusions(found, truth)["non_maximum_suppression"].members == {"good": 1, "wrong": 1}


def test_a_detector_that_only_lowers_the_fusion_gets_no_weight() -> None:
    """It repeats the true box with low scores, which lower the mean below the score of the other's false box."""
    truth = [boxes((0.1, 0.1, 0.3, 0.3, 0, 1))] * 6
    good = [boxes((0.1, 0.1, 0.3, 0.3, 0, 0.9), (0.7, 0.1, 0.9, 0.3, 0, 0.6))] * 6
    repeats = [(0.1, 0.1, 0.3, 0.3, 0, 0.1)] * 3
    false = [(0.1 * place, 0.6, 0.1 * place + 0.08, 0.7, 0, 0.95) for place in range(5)]
    harmful = [boxes(*repeats, *false)] * 6
    fusion = fitted_fusions({"good": good, "harmful": harmful}, truth)["weighted_box_fusion"]
    assert fusion.members == {"good": 2.0, "harmful": 0.0}
    fused = apply_fusion(fusion, {"good": good, "harmful": harmful})
    assert detection.average_precision(fused, truth) == pytest.approx(1)


def test_boxes_below_the_member_threshold_are_not_fused() -> None:
    found = {"a": [boxes((0, 0, 1, 1, 0, 0.009), (0, 0, 0.5, 0.5, 1, 0.06))]}
    (fused,) = fuse_all(FusionParameters("non_maximum_suppression", {"a": 1.0}, overlap=0.5), found)
    assert fused.scores.tolist() == [0.06]
