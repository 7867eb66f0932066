"""Fitting votes and fusions, and what the report says of them, against answers computed by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hepar.ensemble.fusion import FusionParameters
from training.evaluation import classification, comparison, detection
from training.evaluation.detection import Boxes
from training.evaluation.ensemble import (
    DEFAULT_FUSION,
    fitted_fusions,
    fitted_votes,
    fitted_weights,
    fused,
    fused_by,
    voted,
    voted_by,
)
from training.evaluation.perturbations import PERTURBATIONS, ROTATION_DEGREES, moved_boxes
from training.evaluation.report import write_report


def opinions(labels: np.ndarray, skill: float, seed: int) -> np.ndarray:
    """Probabilities (n, 3) of a model that is right more often, and surer, the more skill it has."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(labels), 3)) + skill * np.eye(3)[labels]
    exponentials = np.exp(logits)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


@pytest.fixture
def labels() -> np.ndarray:
    return np.arange(240) % 3


def boxes(*rows: tuple[float, float, float, float, int, float]) -> Boxes:
    table = np.array(rows, dtype=float).reshape(-1, 6)
    return Boxes(table[:, :4], table[:, 4].astype(int), table[:, 5])


def test_a_good_model_gets_more_weight_than_a_guessing_one(labels: np.ndarray) -> None:
    said = {"good": opinions(labels, 2.0, 1), "guess": np.full((len(labels), 3), 1 / 3)}
    weights = fitted_weights(said, labels)
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["good"] > 0.9


def test_only_the_weighted_vote_has_weights(labels: np.ndarray) -> None:
    unequal = {"good": opinions(labels, 3.0, 1), "guess": opinions(labels, 0.0, 2)}
    votes = fitted_votes(unequal, labels)
    assert votes["weighted_vote"].members["good"] > 0.8
    assert votes["soft_vote"].members == votes["majority_vote"].members == {"good": 1.0, "guess": 1.0}
    assert votes["majority_vote"].temperature == 1


def test_the_fitted_ensemble_is_better_calibrated_than_its_plain_mean(labels: np.ndarray) -> None:
    said = {name: opinions(labels, 1.5, seed) for seed, name in enumerate("abcde")}
    fitted = fitted_votes(said, labels)["soft_vote"]

    def error(probabilities: np.ndarray) -> float:
        right = probabilities.argmax(axis=1) == labels
        return classification.expected_calibration_error(probabilities.max(axis=1), right, bins=5)

    plain = voted("soft_vote", said)
    calibrated = voted_by(fitted, said)
    assert fitted.temperature < 1, "a mean of five is less sure than it may be"
    assert error(calibrated) < error(plain)


def test_a_majority_of_three_outvotes_one_that_is_sure() -> None:
    sure, other = np.array([[0.98, 0.01, 0.01]]), np.array([[0.4, 0.5, 0.1]])
    said = {"a": sure, "b": other, "c": other}
    assert voted("majority_vote", said)[0].tolist() == pytest.approx([1 / 3, 2 / 3, 0])
    assert voted("soft_vote", said)[0].argmax() == 0


def test_the_fused_boxes_beat_each_detector() -> None:
    """Three detectors that each see another two of three lesions, and one false box each."""
    truth = [boxes((0.1, 0.1, 0.2, 0.2, 0, 1), (0.4, 0.4, 0.6, 0.6, 1, 1), (0.7, 0.1, 0.9, 0.3, 1, 1))] * 4
    lesions = [(0.1, 0.1, 0.2, 0.2, 0), (0.4, 0.4, 0.6, 0.6, 1), (0.7, 0.1, 0.9, 0.3, 1)]
    found = {
        name: [boxes(*[(*lesions[i], 0.8) for i in seen], (0.05 * n, 0.8, 0.05 * n + 0.04, 0.9, 1, 0.5))] * 4
        for n, (name, seen) in enumerate({"a": (0, 1), "b": (1, 2), "c": (0, 2)}.items())
    }
    fusions = fitted_fusions(found, truth)
    ensemble = fusions[DEFAULT_FUSION]
    whole = detection.average_precision(fused_by(ensemble, found), truth)
    assert whole == pytest.approx(1)
    assert whole > max(detection.average_precision(rows, truth) for rows in found.values())
    assert 0.5 / 3 < ensemble.decision_threshold <= 1.6 / 3


def test_a_detector_that_sees_nothing_right_has_little_weight() -> None:
    truth = [boxes((0.1, 0.1, 0.3, 0.3, 0, 1))] * 6
    found = {
        "good": [boxes((0.1, 0.1, 0.3, 0.3, 0, 0.6))] * 6,
        "wrong": [boxes((0.6, 0.6, 0.8, 0.8, 0, 0.9))] * 6,
    }
    fusion = fitted_fusions(found, truth)["weighted_box_fusion"]
    assert fusion.members["good"] > 1.9
    assert detection.average_precision(fused_by(fusion, found), truth) == pytest.approx(1)
    assert fitted_fusions(found, truth)["non_maximum_suppression"].members == {"good": 1, "wrong": 1}


def test_boxes_too_faint_to_join_do_not() -> None:
    found = {"a": [boxes((0, 0, 1, 1, 0, 0.009), (0, 0, 0.5, 0.5, 1, 0.06))]}
    (answer,) = fused(FusionParameters("non_maximum_suppression", {"a": 1.0}, overlap=0.5), found)
    assert answer.scores.tolist() == [0.06]


def test_the_detection_confusion_counts_wrong_types_missed_lesions_and_false_boxes() -> None:
    truth = [boxes((0, 0, 0.2, 0.2, 0, 1), (0.5, 0.5, 0.7, 0.7, 1, 1), (0.8, 0, 0.9, 0.1, 1, 1))]
    found = [
        boxes(
            (0, 0, 0.2, 0.2, 1, 0.9), (0.5, 0.5, 0.7, 0.7, 1, 0.8), (0.3, 0.8, 0.4, 0.9, 0, 0.7), (0, 0, 1, 1, 0, 0.1)
        )
    ]
    assert detection.confusion(found, truth, 0.5) == [[0, 1, 0], [0, 1, 1], [1, 0, 0]]


def test_froc_rises_from_the_surest_box_on() -> None:
    truth = [boxes((0, 0, 0.2, 0.2, 0, 1), (0.5, 0.5, 0.7, 0.7, 1, 1))]
    found = [boxes((0, 0, 0.2, 0.2, 0, 0.8), (0.3, 0.8, 0.4, 0.9, 0, 0.6), (0.5, 0.5, 0.7, 0.7, 1, 0.4))]
    points = detection.froc(found, truth)
    assert points[0] == (0, 0)
    assert (0, 0.5) in points
    assert points[-1] == (1, 1)


def test_strict_average_precision_asks_for_tighter_boxes() -> None:
    truth = [boxes((0, 0, 0.5, 0.5, 0, 1))] * 3
    loose = [boxes((0, 0, 0.5, 0.4, 0, 0.9))] * 3  # an overlap of 0.8: seven of the ten, 0.5 to 0.8
    figures = detection.detection_figures(loose, truth, ["a", "b", "c"], 0.5)
    assert figures["map_50"].value == pytest.approx(1)
    assert figures["map_50_95"].value == pytest.approx(0.65, abs=0.051)
    assert detection.precision_recall(loose, truth) == [1.0] * 101


def test_size_matching_takes_away_what_a_ruler_knows() -> None:
    """Large is type 0 and small is type 1, but for a tenth of each: a ruler is right in nine of ten."""
    labels = np.repeat([0, 1, 2], 200)
    sizes = np.concatenate(
        [np.r_[np.full(180, 0.4), np.full(20, 0.1)], np.r_[np.full(20, 0.4), np.full(180, 0.1)], np.zeros(200)]
    )
    ruler = np.where(sizes > 0.2, 0, 1)
    weights = classification.size_matched_weights(labels, sizes)
    assert (ruler[:400] == labels[:400]).mean() == pytest.approx(0.9)
    assert np.average(ruler == labels, weights=weights) == pytest.approx(0.5)
    assert (weights[400:] == 0).all()


def test_auc_and_brier_are_what_their_formulas_say() -> None:
    labels = np.array([0, 1, 2])
    assert classification.roc_auc(np.eye(3), labels) == 1
    assert np.isnan(classification.roc_auc(np.eye(3), np.array([0, 0, 1])))
    assert classification.brier_score(np.eye(3), labels) == 0
    assert classification.brier_score(np.full((3, 3), 1 / 3), labels) == pytest.approx(2 / 3)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_perturbation_changes_an_image_a_little_and_always_alike(name: str) -> None:
    rows, columns = np.mgrid[:64, :64]
    image = (120 + 60 * np.sin(rows / 5) * np.cos(columns / 7)).astype(np.uint8)
    changed = PERTURBATIONS[name](image)
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    difference = np.abs(changed.astype(int) - image).mean()
    assert 0.5 < difference < 40
    assert (PERTURBATIONS[name](image) == changed).all()


def test_a_rotation_takes_the_boxes_along() -> None:
    image = np.zeros((200, 200), dtype=np.uint8)
    image[40:60, 130:150] = 255
    name = f"rotation by {ROTATION_DEGREES:g} degrees"
    rows, columns = np.nonzero(PERTURBATIONS[name](image) > 127)
    (box,) = moved_boxes(name, boxes((0.65, 0.2, 0.75, 0.3, 0, 1))).corners * 200
    centre = (columns.mean() + 0.5, rows.mean() + 0.5)
    assert ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) == pytest.approx(centre, abs=1)
    assert moved_boxes("blur", boxes((0, 0, 1, 1, 0, 1))).corners.tolist() == [[0, 0, 1, 1]]


def test_the_paired_test_looks_only_at_images_that_one_of_both_got_right() -> None:
    one, other = np.array([True] * 90 + [False] * 10), np.array([True] * 70 + [False] * 30)
    pair = comparison._paired(one, other, [f"p{index % 10}" for index in range(100)])
    assert pair["accuracy_difference"]["value"] == pytest.approx(0.2)
    assert (pair["only_ensemble_right"], pair["only_model_right"]) == (20, 0)
    assert pair["mcnemar_p"] == pytest.approx(2 * 0.5**20, abs=1e-5)


def test_a_report_holds_every_graph_and_every_number(tmp_path: Path) -> None:
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    report = {
        "test_images": 4,
        "test_patients": 2,
        "classification": {
            "labels": ["cholangiocarcinoma", "metastasis"],
            "chosen": "soft_vote",
            "figures": {"a": {"accuracy": figure}, "soft_vote": {"accuracy": figure | {"value": 0.77}}},
            "ensemble_against": {"a": {"accuracy_difference": figure, "mcnemar_p": 0.25}},
            "confusion": [[1, 0], [1, 2]],
            "roc": {"soft_vote": {"metastasis": [[0, 1], [0, 1]]}},
            "reliability": [[0.5, 0.6, 4]],
            "coverage_accuracy": [[0.5, 1, 0.6]],
        },
        "robustness": {"unchanged": {"a": 0.5}, "blur": {"a": 0.25}},
    }
    page = write_report(report, tmp_path / "report").read_text()
    assert "not a medical device" in page
    assert "0.770 (0.400 to 0.600)" in page
    for stem in ("accuracy", "confusion", "roc", "reliability", "coverage", "robustness"):
        assert f"src='{stem}.svg'" in page
        assert (tmp_path / "report" / f"{stem}.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "report" / "metrics.json").read_text()) == report
    assert "| soft_vote (the one to serve) | 0.770" in (tmp_path / "report" / "table.md").read_text()
