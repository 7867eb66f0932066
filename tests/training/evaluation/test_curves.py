"""The curves of a model card, compared with values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.support import boxes
from training.evaluation.curves import MAX_POINTS, classifier_curves, detector_curves, thinned

PROBABILITIES = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.45, 0.5, 0.05], [0.2, 0.2, 0.6]])
LABELS = np.array([0, 1, 0, 2])


def test_the_confusion_matrix_has_one_row_per_true_label() -> None:
    matrix = classifier_curves(PROBABILITIES, LABELS).confusion
    assert matrix.rows == matrix.columns == ["cholangiocarcinoma", "metastasis", "no_tumour"]
    assert matrix.counts == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_a_roc_curve_goes_from_corner_to_corner() -> None:
    roc = classifier_curves(PROBABILITIES, LABELS).roc
    assert list(roc) == ["cholangiocarcinoma", "metastasis", "no_tumour"]
    assert (roc["no_tumour"].x, roc["no_tumour"].y) == ([0, 0, 0.6667, 1], [0, 1, 1, 1])
    assert classifier_curves(PROBABILITIES, LABELS, ranked=False).roc == {}


def test_reliability_has_bins_of_a_tenth() -> None:
    bins = classifier_curves(PROBABILITIES, LABELS).reliability
    assert [(one.confidence, one.accuracy, one.images) for one in bins] == [(0.5, 0, 1), (0.6, 1, 2), (0.8, 1, 1)]


def test_detector_curves_count_missed_lesions_and_false_boxes() -> None:
    truth = [boxes((0.1, 0.1, 0.3, 0.3, 0, 1)), boxes((0.5, 0.5, 0.7, 0.7, 1, 1))]
    found = [boxes((0.1, 0.1, 0.3, 0.3, 1, 0.9), (0.6, 0.6, 0.9, 0.9, 0, 0.8)), boxes()]
    curves = detector_curves(found, truth, threshold=0.5)
    assert curves.confusion.rows == ["cholangiocarcinoma", "metastasis", "no lesion"]
    assert curves.confusion.columns == ["cholangiocarcinoma", "metastasis", "missed"]
    assert curves.confusion.counts == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert curves.froc is not None
    assert (curves.froc.x[-1], curves.froc.y[-1]) == (0.5, 0.5)
    assert curves.precision_recall is not None
    assert len(curves.precision_recall.x) <= MAX_POINTS


def test_a_thinned_curve_keeps_its_ends() -> None:
    values = np.linspace(0, 1, 1000).tolist()
    curve = thinned(values, values)
    assert len(curve.x) == MAX_POINTS
    assert (curve.x[0], curve.x[-1]) == (0, 1)
    assert curve.x == pytest.approx(curve.y)
    assert thinned([], []).x == []
