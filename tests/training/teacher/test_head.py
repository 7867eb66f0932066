"""The teacher's head."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from training.teacher.head import choose_regularisation, fit_head, probabilities_across_patients
from training.teacher.teach import without_type


def test_it_is_the_logistic_regression_of_another_implementation() -> None:
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1, 2], 100)
    vectors = (rng.standard_normal((300, 5)) + labels[:, None] * [1, 0, 0.5, 0, 0]).astype(np.float32)
    head = fit_head(vectors, np.eye(3)[labels], 0.01)
    standard = (vectors - vectors.mean(axis=0)) / vectors.std(axis=0, ddof=1)
    reference = LogisticRegression(C=1 / (2 * 0.01 * 300), tol=1e-8, max_iter=1000).fit(standard, labels)
    assert np.exp(head.log_probabilities(vectors)) == pytest.approx(reference.predict_proba(standard), abs=2e-3)


def test_what_a_head_says_about_a_patient_comes_from_other_patients() -> None:
    """Each patient has a feature of its own and a label by chance: nothing can be learnt from others."""
    rng = np.random.default_rng(1)
    patients = [f"p{number:02d}" for number in range(30) for _ in range(4)]
    labels = np.repeat(rng.integers(0, 3, 30), 4)
    vectors = np.repeat(np.eye(30), 4, axis=0).astype(np.float32) + rng.normal(0, 0.01, (120, 30)).astype(np.float32)
    targets, known = np.eye(3)[labels], np.ones(120, dtype=bool)
    by_heart = fit_head(vectors, targets, 0.001).log_probabilities(vectors).argmax(axis=1)
    assert (by_heart == labels).all()
    across = probabilities_across_patients(vectors, targets, patients, known, 0.001)
    assert (across.argmax(axis=1) == labels).mean() < 0.6
    assert across.sum(axis=1) == pytest.approx(np.ones(120))


def test_the_regularisation_is_chosen_on_validation_patients() -> None:
    """Forty features of noise: the weakest regularisation fits them."""
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((150, 40)).astype(np.float32)
    targets = np.eye(3)[rng.integers(0, 3, 150)]
    validation = (rng.standard_normal((60, 40)).astype(np.float32), np.eye(3)[rng.integers(0, 3, 60)])
    assert choose_regularisation(vectors, targets, validation) >= 1.0


def test_an_unknown_type_shares_the_probability_of_a_tumour() -> None:
    probabilities = np.array([[0.7, 0.1, 0.2], [0.0, 0.2, 0.8]])
    assert without_type(probabilities) == pytest.approx(np.array([[0.4, 0.4, 0.2], [0.1, 0.1, 0.8]]))
