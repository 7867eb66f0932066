"""The patient's decision: two stages, certainty in words and the most telling slices, by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepar.contracts.lesions import Lesion
from hepar.contracts.study_results import SliceResult
from hepar.ensemble.patient_decision import decide, key_slices, patient_features
from hepar.ensemble.study_calibration import LogisticModel, bounded_logit, shipped_calibration
from tests.support.volumes import CALIBRATION, slices_of

EXAMPLE = Lesion.model_validate(Lesion.model_json_schema()["examples"][0])
SLICES = slices_of(10, 0.5)
ONLY_LESIONS = CALIBRATION.model_copy(update={"patient": LogisticModel(intercept=0.0, weights={"lesions": 1.0})})


def lesion(identifier: str, **update: object) -> Lesion:
    return EXAMPLE.model_copy(update={"id": identifier, **update})


@pytest.mark.parametrize(
    ("probability", "share", "outcome", "tumour", "label", "certainty"),
    [
        (0.97, 0.95, "decided", True, "metastasis", "high"),
        (0.9, 0.85, "decided", True, "metastasis", "moderate"),
        (0.75, 0.85, "decided", True, "metastasis", "low"),
        (0.95, 0.7, "type_undecided", True, None, "high"),
        (0.65, 0.7, "type_undecided", True, None, "low"),
        (0.55, 0.95, "indeterminate", None, None, "low"),
        (0.41, 0.95, "indeterminate", None, None, "low"),
        (0.25, 0.95, "decided", False, "no_tumour", "moderate"),
        (0.05, 0.95, "decided", False, "no_tumour", "high"),
    ],
)
def test_tumour_first_type_second(
    probability: float, share: float, outcome: str, tumour: bool | None, label: str | None, certainty: str
) -> None:
    types = {"cholangiocarcinoma": 1 - share, "metastasis": share}
    found = [lesion("L1", probability=probability, type_probabilities=types)]
    decision = decide(found, [probability], SLICES, 1500.0, ONLY_LESIONS)
    assert decision.tumour_probability == pytest.approx(probability, abs=1e-4)
    assert (decision.outcome, decision.tumour, decision.label, decision.certainty) == (
        outcome,
        tumour,
        label,
        certainty,
    )


def test_features_of_a_patient_by_hand() -> None:
    """One of 0.5 and 0.2: 1 - 0.5 * 0.8 = 0.6. Twenty slices: the mean of the two highest."""
    slices = [
        SliceResult(slice=index, outcome="decided", tumour_probability=index / 20, type_probabilities={})
        for index in range(20)
    ]
    features = patient_features([0.5, 0.2], slices)
    assert features["lesions"] == pytest.approx(math.log(0.6 / 0.4))
    assert features["slices"] == pytest.approx(math.log(0.925 / 0.075))


def test_a_patient_without_candidates_has_bounded_evidence() -> None:
    assert patient_features([], [])["lesions"] == -6
    assert patient_features([1.0], [])["lesions"] == 6
    assert patient_features([], [])["slices"] == 0


@given(st.floats(0, 1))
def test_bounded_log_odds_are_symmetric(probability: float) -> None:
    assert bounded_logit(probability) == pytest.approx(-bounded_logit(1 - probability), abs=1e-6)


@given(st.lists(st.floats(0, 1), max_size=6), st.floats(0, 1))
def test_one_more_candidate_never_makes_a_tumour_less_probable(candidates: list[float], more: float) -> None:
    model = shipped_calibration().patient
    before = model.probability(patient_features(candidates, SLICES))
    assert model.probability(patient_features([*candidates, more], SLICES)) >= before - 1e-12


def test_the_type_is_weighted_by_size_and_probability() -> None:
    """40 mm at 0.5 against 10 mm at 1: two to one."""
    large = EXAMPLE.long_axis.model_copy(update={"length_mm": 40.0})
    small = EXAMPLE.long_axis.model_copy(update={"length_mm": 10.0})
    found = [
        lesion("L1", long_axis=large, probability=0.5, type_probabilities={"metastasis": 1.0}),
        lesion("L2", long_axis=small, probability=1.0, type_probabilities={"cholangiocarcinoma": 1.0}),
    ]
    decision = decide(found, [0.5, 1.0], SLICES, None, CALIBRATION)
    assert decision.type_probabilities == {"cholangiocarcinoma": pytest.approx(1 / 3, abs=1e-4), "metastasis": 0.6667}


def test_without_lesions_the_slices_name_the_type() -> None:
    decision = decide([], [], slices_of(10, 0.99), 1500.0, CALIBRATION)
    assert decision.type_probabilities == {"cholangiocarcinoma": 0.1, "metastasis": 0.9}


def test_key_slices_are_those_of_the_lesions_then_the_most_suspicious() -> None:
    slices = [
        SliceResult(
            slice=index, outcome="decided", tumour_probability=0.9 if index == 7 else 0.1, type_probabilities={}
        )
        for index in range(10)
    ]
    found = [
        lesion("L1", key_slice=2, first_slice=1, last_slice=3, probability=0.6),
        lesion("L2", key_slice=5, first_slice=3, last_slice=6, probability=0.9),
    ]
    keys = key_slices(found, slices)
    assert [key.slice for key in keys][:3] == [5, 2, 7]
    assert len(keys) == 5
    assert (keys[0].lesions, keys[0].tumour_probability) == (["L2"], 0.1)
    assert keys[2].lesions == []


def test_key_slices_are_at_most_five_and_never_twice_the_same() -> None:
    found = [lesion(f"L{index}", key_slice=index // 2, probability=0.9) for index in range(16)]
    keys = key_slices(found, slices_of(30))
    assert len({key.slice for key in keys}) == len(keys) == 5
