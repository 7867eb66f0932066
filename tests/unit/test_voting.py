from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classify_service.voting import INDETERMINATE, Vote, calibrated_probabilities, soft_vote

LABELS = ("cholangiocarcinoma", "metastasis", "no_tumour")


def vote(model: str, *probabilities: float, labels: tuple[str, ...] = LABELS) -> Vote:
    return Vote(model, labels, np.array(probabilities))


def test_the_verdict_is_the_mean_of_the_models_probabilities() -> None:
    verdict = soft_vote([vote("a", 0.6, 0.3, 0.1), vote("b", 0.2, 0.7, 0.1)], threshold=0.4)
    assert verdict.label == "metastasis"
    assert verdict.probabilities == pytest.approx({"cholangiocarcinoma": 0.4, "metastasis": 0.5, "no_tumour": 0.1})
    assert verdict.agreeing == 1


def test_models_may_order_their_labels_differently() -> None:
    turned = vote("b", 0.1, 0.7, 0.2, labels=("no_tumour", "metastasis", "cholangiocarcinoma"))
    verdict = soft_vote([vote("a", 0.6, 0.3, 0.1), turned], threshold=0)
    assert verdict.probabilities["cholangiocarcinoma"] == pytest.approx(0.4)


def test_below_the_threshold_the_verdict_is_indeterminate_but_keeps_its_probabilities() -> None:
    verdict = soft_vote([vote("a", 0.4, 0.35, 0.25)], threshold=0.5)
    assert verdict.label == INDETERMINATE
    assert verdict.most_probable == "cholangiocarcinoma"


def test_exactly_at_the_threshold_the_verdict_is_decided() -> None:
    assert soft_vote([vote("a", 0.5, 0.25, 0.25)], threshold=0.5).label == "cholangiocarcinoma"


def test_no_votes_and_unequal_labels_are_errors() -> None:
    with pytest.raises(ValueError, match="no votes"):
        soft_vote([], 0.5)
    with pytest.raises(ValueError, match="same labels"):
        soft_vote([vote("a", 1, 0, 0), vote("b", 1, 0, labels=("x", "y"))], 0.5)


@given(st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=6), st.floats(0.05, 20))
def test_probabilities_sum_to_one_whatever_the_logits(logits: list[float], temperature: float) -> None:
    probabilities = calibrated_probabilities(np.array(logits), temperature)
    assert np.isfinite(probabilities).all()
    assert probabilities.sum() == pytest.approx(1)
    assert probabilities[int(np.argmax(logits))] == probabilities.max()


def test_a_higher_temperature_makes_a_model_less_sure() -> None:
    logits = np.array([2.0, 0.0, -1.0])
    assert calibrated_probabilities(logits, 2).max() < calibrated_probabilities(logits, 1).max()
    assert calibrated_probabilities(np.log([0.7, 0.3]), 1) == pytest.approx([0.7, 0.3])
