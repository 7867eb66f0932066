"""Confidence intervals over patients."""

from __future__ import annotations

import numpy as np
import pytest

from training.metrics.bootstrap import bootstrap_by_patient


def test_the_interval_is_wider_if_images_of_a_patient_are_similar() -> None:
    correct = np.tile([1.0, 0.0], 50)
    independent = bootstrap_by_patient([str(i) for i in range(100)], lambda chosen: float(correct[chosen].mean()))
    by_patient = np.repeat([1.0, 0.0] * 5, 10)
    similar = bootstrap_by_patient([str(i // 10) for i in range(100)], lambda chosen: float(by_patient[chosen].mean()))
    assert independent is not None
    assert similar is not None
    assert independent.value == similar.value == 0.5
    assert similar.high - similar.low > 2 * (independent.high - independent.low)


def test_an_undefined_score_is_none_and_no_images_are_an_error() -> None:
    assert bootstrap_by_patient(["a", "b"], lambda _: float("nan")) is None
    with pytest.raises(ValueError, match="no images"):
        bootstrap_by_patient([], lambda _: 0.0)


def test_the_interval_of_a_biased_score_contains_it() -> None:
    """The distance of a mean from a half: each draw has its own chance distance, on top of that of the sample."""
    heads = np.repeat(np.tile([1.0, 0.0], 10), 4)
    patients = [str(i // 4) for i in range(80)]

    def distance(chosen: np.ndarray) -> float:
        return abs(float(heads[chosen].mean()) - 0.5)

    plain, moved = (bootstrap_by_patient(patients, distance, biased=biased) for biased in (False, True))
    assert plain is not None
    assert moved is not None
    assert plain.value == moved.value == moved.low == 0
    assert 0 < moved.high < plain.high
