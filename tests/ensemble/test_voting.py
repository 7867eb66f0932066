from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import entropy

from hepar.ensemble.voting import Thresholds, Vote, calibrated_probabilities, disagreement, majority_vote, soft_vote

LABELS = ("cholangiocarcinoma", "metastasis", "no_tumour")


def vote(model: str, *probabilities: float, labels: tuple[str, ...] = LABELS) -> Vote:
    return Vote(model, labels, np.array(probabilities))


def both(threshold: float) -> Thresholds:
    return Thresholds(threshold, threshold)


def test_a_soft_vote_averages_the_probabilities() -> None:
    decision = soft_vote([vote("a", 0.6, 0.3, 0.1), vote("b", 0.2, 0.7, 0.1)], both(0.4))
    assert (decision.tumour, decision.label, decision.most_probable_label) == (True, "metastasis", "metastasis")
    assert decision.probabilities == pytest.approx({"cholangiocarcinoma": 0.4, "metastasis": 0.5, "no_tumour": 0.1})
    assert decision.agreeing_models == 1


def test_models_can_order_their_labels_differently() -> None:
    turned = vote("b", 0.1, 0.7, 0.2, labels=("no_tumour", "metastasis", "cholangiocarcinoma"))
    decision = soft_vote([vote("a", 0.6, 0.3, 0.1), turned], both(0))
    assert decision.probabilities["cholangiocarcinoma"] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("probabilities", "tumour", "label", "most_probable"),
    [
        ((0.1, 0.1, 0.8), False, "no_tumour", "no_tumour"),
        ((0.15, 0.15, 0.7), False, "no_tumour", "no_tumour"),  # exactly at the threshold
        ((0.2, 0.15, 0.65), None, None, "no_tumour"),
        ((0.4, 0.25, 0.35), None, None, "cholangiocarcinoma"),
        ((0.3, 0.25, 0.45), None, None, "cholangiocarcinoma"),  # a tumour is more probable than none
        ((0.4, 0.3, 0.3), True, None, "cholangiocarcinoma"),  # a tumour is seen, its type is open: 4 / 7
        ((0.5, 0.3, 0.2), True, "cholangiocarcinoma", "cholangiocarcinoma"),  # exactly at 5 / 8
        ((0.2, 0.7, 0.1), True, "metastasis", "metastasis"),
    ],
)
def test_a_decision_has_two_stages(
    probabilities: tuple[float, ...], tumour: bool | None, label: str | None, most_probable: str
) -> None:
    decision = soft_vote([vote("a", *probabilities)], Thresholds(tumour=0.7 - 1e-9, type=5 / 8 - 1e-9))
    assert (decision.tumour, decision.label, decision.most_probable_label) == (tumour, label, most_probable)
    assert decision.probability == decision.probabilities[most_probable]


def test_exactly_at_the_thresholds_the_vote_is_decided() -> None:
    assert soft_vote([vote("a", 0.5, 0, 0.5)], both(0.5)).label == "cholangiocarcinoma"
    assert soft_vote([vote("a", 0.25, 0.25, 0.5)], Thresholds(0.5, 0.6)).label is None
    assert soft_vote([vote("a", 0.5, 0.5, 0)], both(0.5)).label == "cholangiocarcinoma"
    assert majority_vote([vote("a", 0, 0, 1)], both(1)).label == "no_tumour"


def test_probabilities_of_both_stages_by_hand() -> None:
    decision = soft_vote([vote("a", 0.2, 0.6, 0.2)], both(0.5))
    assert decision.tumour_probability == pytest.approx(0.8)
    assert decision.type_probabilities == pytest.approx({"cholangiocarcinoma": 0.25, "metastasis": 0.75})
    assert sum(decision.type_probabilities.values()) == pytest.approx(1)


def test_where_no_model_sees_a_tumour_there_are_no_types() -> None:
    decision = majority_vote([vote("a", 0.1, 0.1, 0.8)], both(0.5))
    assert (decision.tumour_probability, decision.type_probabilities) == (0, {})
    assert (decision.tumour, decision.label, decision.probability) == (False, "no_tumour", 1)


def test_models_that_know_types_only_decide_the_type() -> None:
    decision = soft_vote([vote("a", 0.3, 0.7, labels=("x", "y"))], Thresholds(tumour=0.9, type=0.6))
    assert (decision.tumour, decision.tumour_probability, decision.label) == (None, None, "y")
    assert soft_vote([vote("a", 0.3, 0.7, labels=("x", "y"))], Thresholds(tumour=0.1, type=0.8)).label is None


def test_no_votes_and_different_labels_are_errors() -> None:
    with pytest.raises(ValueError, match=r"^no votes$"):
        soft_vote([], both(0.5))
    with pytest.raises(ValueError, match=r"^the models do not have the same labels$"):
        soft_vote([vote("a", 1, 0, 0), vote("b", 1, 0, labels=("x", "y"))], both(0.5))


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
    decision = soft_vote(votes, both(0.0), weights={"a": 3, "b": 1, "absent": 9})
    assert decision.probabilities == pytest.approx({"cholangiocarcinoma": 0.5, "metastasis": 0.4, "no_tumour": 0.1})
    with pytest.raises(ValueError, match=r"^no vote has a weight$"):
        soft_vote(votes, both(0.0), weights={"absent": 1})


def test_disagreement_is_zero_for_equal_votes_however_uncertain() -> None:
    unsure = [Vote(name, ("a", "b"), np.array([0.5, 0.5])) for name in "xy"]
    assert disagreement(unsure) == pytest.approx((np.log(2), 0))
    opposed = [Vote("x", ("a", "b"), np.array([1.0, 0.0])), Vote("y", ("b", "a"), np.array([1.0, 0.0]))]
    assert disagreement(opposed) == pytest.approx((np.log(2), np.log(2)), abs=1e-9)
    assert disagreement(opposed, {"x": 1.0}) == pytest.approx((0, 0), abs=1e-9)
    with pytest.raises(ValueError, match=r"^no vote has a weight$"):
        disagreement(opposed, {"z": 1.0})


def test_the_ensembles_temperature_changes_probabilities_and_not_the_label() -> None:
    votes = [vote("a", 0.6, 0.3, 0.1), vote("b", 0.5, 0.4, 0.1)]
    plain, cooler = soft_vote(votes, both(0.0)), soft_vote(votes, both(0.0), temperature=0.5)
    squares = np.array([0.55, 0.35, 0.1]) ** 2
    assert list(cooler.probabilities.values()) == pytest.approx(squares / squares.sum())
    assert cooler.most_probable_label == plain.most_probable_label


def test_a_majority_vote_counts_models_and_breaks_ties_by_probability() -> None:
    sure, two = vote("a", 0.98, 0.01, 0.01), [vote("b", 0.4, 0.5, 0.1), vote("c", 0.4, 0.5, 0.1)]
    decision = majority_vote([sure, *two], both(0.6))
    assert (decision.most_probable_label, decision.agreeing_models) == ("metastasis", 2)
    assert decision.probabilities["metastasis"] == pytest.approx(2 / 3)
    undecided = majority_vote([sure, *two], both(0.7))
    assert (undecided.tumour, undecided.label) == (True, None)
    assert majority_vote([two[0], sure], both(0.5)).most_probable_label == "cholangiocarcinoma"
    with pytest.raises(ValueError, match=r"^no votes$"):
        majority_vote([], both(0.5))


def test_three_labels_and_three_unequal_weights_by_hand() -> None:
    """(2 x 0.5 + 1 x 0.2 + 5 x 0.1) / 8 = 1.7 / 8, (0.6 + 0.7 + 1) / 8 and (0.4 + 0.1 + 3.5) / 8."""
    votes = [vote("a", 0.5, 0.3, 0.2), vote("b", 0.2, 0.7, 0.1), vote("c", 0.1, 0.2, 0.7)]
    decision = soft_vote(votes, both(0.5), weights={"c": 5, "a": 2, "b": 1})
    assert decision.probabilities == pytest.approx(
        {"cholangiocarcinoma": 1.7 / 8, "metastasis": 2.3 / 8, "no_tumour": 4 / 8}
    )
    assert (decision.most_probable_label, decision.agreeing_models) == ("metastasis", 1), "a tie counts as a tumour"
    assert decision.probability == decision.probabilities["metastasis"]


def test_a_model_without_a_weight_does_not_change_the_mean() -> None:
    votes = [vote("a", 0.2, 0.7, 0.1), vote("without", 0.9, 0.05, 0.05)]
    decision = soft_vote(votes, both(0.0), weights={"a": 2})
    assert decision.probabilities == pytest.approx({"cholangiocarcinoma": 0.2, "metastasis": 0.7, "no_tumour": 0.1})
    assert decision.agreeing_models == 1


def test_labels_with_equal_probabilities_are_decided_by_their_order() -> None:
    decision = soft_vote([vote("a", 0.2, 0.4, 0.4)], both(0.0))
    assert (decision.most_probable_label, decision.agreeing_models) == ("metastasis", 1)
    other_order = vote("a", 0.4, 0.4, 0.2, labels=("metastasis", "cholangiocarcinoma", "no_tumour"))
    assert other_order.label == "metastasis"
    assert soft_vote([other_order], both(0.0)).most_probable_label == "metastasis"


def test_a_label_that_all_models_exclude_keeps_a_probability_of_zero() -> None:
    decision = soft_vote([vote("a", 0.25, 0.75, 0)], both(0.0), temperature=0.5)
    assert list(decision.probabilities.values()) == pytest.approx([0.1, 0.9, 0])
    assert soft_vote([vote("a", 1, 0, 0)], both(0.0), temperature=4).probabilities["metastasis"] == pytest.approx(
        0.001 / 1.002
    )


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=6), st.floats(0.05, 20))
def test_calibration_is_the_softmax_of_scipy(logits: list[float], temperature: float) -> None:
    expected = softmax(np.array(logits) / temperature)
    assert calibrated_probabilities(np.array(logits), temperature) == pytest.approx(expected)


def test_calibration_by_hand() -> None:
    """A temperature of 2 takes square roots: 4, 1 and 0.25 become 2, 1 and 0.5, whose sum is 3.5."""
    probabilities = calibrated_probabilities(np.log(np.array([4, 1, 0.25], dtype=np.float32)), 2)
    assert probabilities.dtype == np.float64
    assert probabilities == pytest.approx([4 / 7, 2 / 7, 1 / 7], rel=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_entropy_and_mutual_information_are_those_of_scipy(seed: int, count: int) -> None:
    """The mutual information is computed by its other definition, the mean divergence of the votes from their mean."""
    random = np.random.default_rng(seed)
    rows, weights = random.dirichlet([0.5, 1, 2], count), random.uniform(0.1, 3, count)
    votes = []
    for number, row in enumerate(rows):
        order = random.permutation(3) if number else np.arange(3)
        votes.append(vote(str(number), *row[order], labels=tuple(LABELS[i] for i in order)))
    mean = np.average(rows, axis=0, weights=weights)
    expected = entropy(mean), np.average(entropy(rows, mean[None], axis=1), weights=weights)
    named = {str(number): weight for number, weight in enumerate(weights)}
    assert disagreement(votes, named) == pytest.approx(expected, abs=1e-9)


def test_votes_of_zero_and_one_have_a_finite_entropy() -> None:
    assert disagreement([vote("a", 1, 0, 0)]) == (0, 0)
    total, mutual = disagreement([vote("a", 1, 0, 0), vote("b", 0, 1, 0), vote("c", 0, 0, 1)])
    assert (total, mutual) == pytest.approx((np.log(3), np.log(3)))


def test_the_mutual_information_is_never_below_zero() -> None:
    votes = [vote("a", 0.1, 0.2, 0.7)] * 3
    assert disagreement(votes)[1] >= 0


def test_a_majority_of_one_each_is_decided_by_the_mean_probability_and_then_by_the_order_of_labels() -> None:
    """Means: 0.45, 0.3 and 0.25."""
    votes = [vote("a", 0.3, 0.5, 0.2), vote("b", 0.8, 0.1, 0.1), vote("c", 0.25, 0.3, 0.45)]
    decision = majority_vote(votes, both(0.3))
    assert decision.most_probable_label == "cholangiocarcinoma"
    assert decision.probabilities == pytest.approx(dict.fromkeys(LABELS, 1 / 3))
    assert decision.agreeing_models == 1
    mirrored = [vote("a", 0.2, 0.3, 0.5), vote("b", 0.2, 0.5, 0.3)]
    assert majority_vote(mirrored, both(0)).most_probable_label == "metastasis"


def test_a_majority_counts_models_whose_labels_are_in_another_order() -> None:
    """Means: 0.4, 0.2 and 0.4 in the order of the first model; two models rank no_tumour first."""
    other_order = ("no_tumour", "cholangiocarcinoma", "metastasis")
    votes = [vote("a", 0.8, 0.1, 0.1), *[vote(name, 0.55, 0.2, 0.25, labels=other_order) for name in "bc"]]
    decision = majority_vote(votes, both(2 / 3))
    assert (decision.most_probable_label, decision.agreeing_models, decision.label) == ("no_tumour", 2, "no_tumour")
    assert decision.probabilities == pytest.approx({"cholangiocarcinoma": 1 / 3, "metastasis": 0, "no_tumour": 2 / 3})
    tie = [vote("a", 0.5, 0.25, 0.25), vote("b", 0.5, 0.25, 0.25, labels=other_order)]
    assert majority_vote(tie, both(0)).most_probable_label == "cholangiocarcinoma"
    assert majority_vote(tie[::-1], both(0)).most_probable_label == "cholangiocarcinoma"
