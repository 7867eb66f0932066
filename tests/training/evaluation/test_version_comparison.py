"""The paired test between the served and a new version, compared with values computed by hand."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from tests.training.support import boxes
from training.evaluation.version_comparison import compare_classifiers, compare_detectors


def test_only_discordant_images_decide_between_classifiers() -> None:
    served = np.array([True] * 80 + [False] * 20)
    candidate = np.array([True] * 78 + [False] * 2 + [True] * 12 + [False] * 8)
    comparison = compare_classifiers(served, candidate)
    assert (comparison.served, comparison.candidate) == (0.8, 0.9)
    assert comparison.p_value == pytest.approx(sum(comb(14, wins) for wins in (12, 13, 14)) / 2**14)
    assert comparison.candidate_is_better
    assert not compare_classifiers(candidate, served).candidate_is_better
    assert not compare_classifiers(served, served).candidate_is_better
    assert "does not beat" in compare_classifiers(served, served).sentence()


def test_a_difference_explained_by_chance_is_not_an_improvement() -> None:
    served = np.array([True] * 80 + [False] * 20)
    candidate = np.array([True] * 79 + [False] + [True] * 3 + [False] * 17)
    comparison = compare_classifiers(served, candidate)
    assert comparison.candidate > comparison.served
    assert not comparison.candidate_is_better


def test_detectors_are_compared_by_resampling_patients() -> None:
    lesion = boxes((0.1, 0.1, 0.3, 0.3, 0, 1))
    truth = [lesion] * 12
    missed = boxes()
    patients = [f"p{index // 2}" for index in range(12)]
    comparison = compare_detectors([lesion] * 6 + [missed] * 6, [lesion] * 12, truth, patients)
    assert comparison.candidate_is_better
    assert comparison.candidate == pytest.approx(1)
    assert not compare_detectors([lesion] * 12, [lesion] * 12, truth, patients).candidate_is_better
