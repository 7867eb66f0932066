"""Evidence inside the liver, compared with SciPy and with values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import special

from hepar.contracts.cards import Ensemble, LiverPooling, LiverVote
from hepar.ensemble.liver_pooling import cell_shares, logits_in_liver, pooled_evidence

SHARPNESS = 3.0


def liver_of(rows: slice, columns: slice, side: int = 64) -> np.ndarray:
    mask = np.zeros((side, side), dtype=bool)
    mask[rows, columns] = True
    return mask


def test_a_cell_weighs_as_much_as_of_it_is_liver() -> None:
    """Cells of 16 x 16 pixels: one is all liver, its right neighbour for a quarter, the one below for a half."""
    liver = liver_of(slice(0, 16), slice(0, 20)) | liver_of(slice(16, 24), slice(0, 16))
    shares = cell_shares(liver, 4, 4)
    expected = np.zeros((4, 4))
    expected[0, 0], expected[0, 1], expected[1, 0] = 1, 0.25, 0.5
    assert shares == pytest.approx(expected)
    assert (cell_shares(liver, 64, 64) == liver).all()


def test_the_pooled_evidence_is_the_weighted_log_mean_exp() -> None:
    rng = np.random.default_rng(5)
    activation, shares = rng.normal(size=(3, 5, 7)), rng.uniform(size=(5, 7))
    shares[0] = 0
    expected = special.logsumexp(SHARPNESS * activation, axis=(1, 2), b=shares / shares.sum()) / SHARPNESS
    assert pooled_evidence(activation, shares, SHARPNESS) == pytest.approx(expected)
    assert pooled_evidence(np.full((2, 5, 7), 0.7), shares, SHARPNESS) == pytest.approx([0.7, 0.7])


def test_evidence_outside_of_the_liver_does_not_count_however_strong() -> None:
    activation = np.zeros((2, 4, 4))
    activation[0, 3, 3] = 1e6
    activation[1, 0, 0] = 2.0
    evidence = pooled_evidence(activation, cell_shares(liver_of(slice(0, 16), slice(0, 32)), 4, 4), SHARPNESS)
    assert evidence[0] == 0
    assert evidence[1] == pytest.approx(np.log((np.exp(6) + 1) / 2) / 3)


def test_without_a_liver_there_is_nothing_to_pool() -> None:
    with pytest.raises(ValueError, match="no liver"):
        pooled_evidence(np.zeros((2, 4, 4)), np.zeros((4, 4)), SHARPNESS)


def test_the_last_layer_of_the_network_makes_logits_of_the_evidence() -> None:
    activation = np.array([1.0, 2.0, 0.0])[:, None, None] * np.ones((3, 4, 4))
    pooling = LiverPooling(
        sharpness=SHARPNESS, weights=[[1, 0.5, 0], [0, -1, 0], [0, 0, 9]], bias=[0.25, 0, -1], temperature=1
    )
    logits = logits_in_liver(activation, cell_shares(liver_of(slice(0, 9), slice(3, 5)), 4, 4), pooling)
    assert logits == pytest.approx([2.25, -2, -1])


def test_a_pooling_has_a_weight_for_each_pair_of_labels() -> None:
    with pytest.raises(ValidationError, match="not 3 rows of 3"):
        LiverPooling(sharpness=3, weights=[[1, 0], [0, 1]], bias=[0, 0, 0], temperature=1)


def test_an_ensemble_has_other_values_where_all_votes_are_from_the_liver() -> None:
    inside = LiverVote(temperature=0.6, decision_threshold=0.4, type_threshold=0.9)
    ensemble = Ensemble(
        method="soft_vote", members={"a": 2.0}, temperature=0.7, decision_threshold=0.5, in_liver=inside, metrics={}
    )
    of_liver = ensemble.of_liver_votes
    assert (of_liver.temperature, of_liver.decision_threshold, of_liver.type_threshold) == (0.6, 0.4, 0.9)
    assert of_liver.members == {"a": 2.0}
    without = ensemble.model_copy(update={"in_liver": None})
    assert without.of_liver_votes is without
