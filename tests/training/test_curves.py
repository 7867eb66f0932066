"""Curves of a card against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.curves import POINTS, classifier_curves, detector_curves, thinned
from training.evaluation.detection import Boxes

PROBABILITIES = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.45, 0.5, 0.05], [0.2, 0.2, 0.6]])
LABELS = np.array([0, 1, 0, 2])


def boxes(*rows: tuple[float, ...]) -> Boxes:
    """Rows of x_min, y_min, x_max, y_max, label and score."""
    table = np.array(rows, dtype=float).reshape(-1, 6)
    return Boxes(table[:, :4], table[:, 4].astype(int), table[:, 5])


def test_a_confusion_matrix_has_a_row_a_true_label() -> None:
    matrix = classifier_curves(PROBABILITIES, LABELS).confusion
    assert matrix.rows == matrix.columns == ["cholangiocarcinoma", "metastasis", "no_tumour"]
    assert matrix.counts == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_a_roc_curve_goes_from_corner_to_corner() -> None:
    roc = classifier_curves(PROBABILITIES, LABELS).roc
    assert list(roc) == ["cholangiocarcinoma", "metastasis", "no_tumour"]
    assert (roc["no_tumour"].x, roc["no_tumour"].y) == ([0, 0, 0.6667, 1], [0, 1, 1, 1])
    assert classifier_curves(PROBABILITIES, LABELS, ranked=False).roc == {}


def test_reliability_is_by_tenths_of_the_confidence() -> None:
    bins = classifier_curves(PROBABILITIES, LABELS).reliability
    assert [(one.confidence, one.accuracy, one.images) for one in bins] == [(0.5, 0, 1), (0.6, 1, 2), (0.8, 1, 1)]


def test_of_detectors_a_missed_lesion_and_a_box_on_nothing_are_counted() -> None:
    truth = [boxes((0.1, 0.1, 0.3, 0.3, 0, 1)), boxes((0.5, 0.5, 0.7, 0.7, 1, 1))]
    found = [boxes((0.1, 0.1, 0.3, 0.3, 1, 0.9), (0.6, 0.6, 0.9, 0.9, 0, 0.8)), boxes()]
    curves = detector_curves(found, truth, threshold=0.5)
    assert curves.confusion.rows == ["cholangiocarcinoma", "metastasis", "nothing there"]
    assert curves.confusion.columns == ["cholangiocarcinoma", "metastasis", "missed"]
    assert curves.confusion.counts == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert curves.froc is not None
    assert (curves.froc.x[-1], curves.froc.y[-1]) == (0.5, 0.5)
    assert curves.precision_recall is not None
    assert len(curves.precision_recall.x) <= POINTS


def test_a_long_curve_keeps_its_ends() -> None:
    values = np.linspace(0, 1, 1000).tolist()
    curve = thinned(values, values)
    assert len(curve.x) == POINTS
    assert (curve.x[0], curve.x[-1]) == (0, 1)
    assert curve.x == pytest.approx(curve.y)
    assert thinned([], []).x == []
