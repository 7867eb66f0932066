from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepar.ensemble.voting import Vote, calibrated_probabilities, disagreement, majority_vote, soft_vote

LABELS = ("cholangiocarcinoma", "metastasis", "no_tumour")


def vote(model: str, *probabilities: float, labels: tuple[str, ...] = LABELS) -> Vote:
    return Vote(model, labels, np.array(probabilities))


def test_a_soft_vote_averages_the_probabilities() -> None:
    decision = soft_vote([vote("a", 0.6, 0.3, 0.1), vote("b", 0.2, 0.7, 0.1)], threshold=0.4)
    assert (decision.decided, decision.most_probable_label) == (True, "metastasis")
    assert decision.probabilities == pytest.approx({"cholangiocarcinoma": 0.4, "metastasis": 0.5, "no_tumour": 0.1})
    assert decision.agreeing_models == 1


def test_models_can_order_their_labels_differently() -> None:
    turned = vote("b", 0.1, 0.7, 0.2, labels=("no_tumour", "metastasis", "cholangiocarcinoma"))
    decision = soft_vote([vote("a", 0.6, 0.3, 0.1), turned], threshold=0)
    assert decision.probabilities["cholangiocarcinoma"] == pytest.approx(0.4)


def test_below_the_threshold_the_vote_is_not_decided_and_keeps_its_probabilities() -> None:
    decision = soft_vote([vote("a", 0.4, 0.35, 0.25)], threshold=0.5)
    assert not decision.decided
    assert decision.most_probable_label == "cholangiocarcinoma"


def test_exactly_at_the_threshold_the_vote_is_decided() -> None:
    assert soft_vote([vote("a", 0.5, 0.25, 0.25)], threshold=0.5).decided


def test_no_votes_and_different_labels_are_errors() -> None:
    with pytest.raises(ValueError, match="no votes"):
        soft_vote([], 0.5)
    with pytest.raises(ValueError, match="same labels"):
        soft_vote([vote("a", 1, 0, 0), vote("b", 1, 0, labels=("x", "y"))], 0.5)


@given(st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=6), st.floats(0.05, 20))
def test_probabilities_sum_to_one_for_any_logits(logits: list[float], temperature: float) -> None:
    probabilities = calibrated_probabilities(np.array(logits), temperature)
    assert np.isfinite(probabilities).all()
    assert probabilities.sum() == pytest.approx(1)
    assert probabilities[int(np.argmax(logits))] == probabilities.max()


def test_a_higher_temperature_reduces_the_highest_probability() -> None:
    logits = np.array([2.0, 0.0, -1.0])
    assert calibrated_probabilities(logits, 2).max() < calibrated_probabilities(logits, 1).max()
    assert calibrated_probabilities(np.log([0.7, 0.3]), 1) == pytest.approx([0.7, 0.3])


def test_a_weighted_vote_averages_by_weight() -> None:
    votes = [vote("a", 0.6, 0.3, 0.1), vote("b", 0.2, 0.7, 0.1)]
    decision = soft_vote(votes, 0.0, weights={"a": 3, "b": 1, "absent": 9})
    assert decision.probabilities == pytest.approx({"cholangiocarcinoma": 0.5, "metastasis": 0.4, "no_tumour": 0.1})
    with pytest.raises(ValueError, match="no vote has a weight"):
        soft_vote(votes, 0.0, weights={"absent": 1})


def test_disagreement_is_zero_for_equal_votes_however_uncertain() -> None:
    unsure = [Vote(name, ("a", "b"), np.array([0.5, 0.5])) for name in "xy"]
    assert disagreement(unsure) == pytest.approx((np.log(2), 0))
    opposed = [Vote("x", ("a", "b"), np.array([1.0, 0.0])), Vote("y", ("b", "a"), np.array([1.0, 0.0]))]
    assert disagreement(opposed) == pytest.approx((np.log(2), np.log(2)), abs=1e-9)
    assert disagreement(opposed, {"x": 1.0}) == pytest.approx((0, 0), abs=1e-9)
    with pytest.raises(ValueError, match="no vote has a weight"):
        disagreement(opposed, {"z": 1.0})


def test_the_ensembles_temperature_changes_probabilities_and_not_the_label() -> None:
    votes = [vote("a", 0.6, 0.3, 0.1), vote("b", 0.5, 0.4, 0.1)]
    plain, cooler = soft_vote(votes, 0.0), soft_vote(votes, 0.0, temperature=0.5)
    squares = np.array([0.55, 0.35, 0.1]) ** 2
    assert list(cooler.probabilities.values()) == pytest.approx(squares / squares.sum())
    assert cooler.most_probable_label == plain.most_probable_label


def test_a_majority_vote_counts_models_and_breaks_ties_by_probability() -> None:
    sure, two = vote("a", 0.98, 0.01, 0.01), [vote("b", 0.4, 0.5, 0.1), vote("c", 0.4, 0.5, 0.1)]
    decision = majority_vote([sure, *two], threshold=0.6)
    assert (decision.most_probable_label, decision.agreeing_models) == ("metastasis", 2)
    assert decision.probabilities["metastasis"] == pytest.approx(2 / 3)
    assert not majority_vote([sure, *two], threshold=0.7).decided
    assert majority_vote([two[0], sure], threshold=0.5).most_probable_label == "cholangiocarcinoma"
    with pytest.raises(ValueError, match="no votes"):
        majority_vote([], 0.5)
