"""Invalid model cards."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from hepar.contracts.figures import ConfusionMatrix, Curve


def test_a_confusion_matrix_has_a_count_for_every_pair() -> None:
    with pytest.raises(ValidationError, match="not 2 rows of 3"):
        ConfusionMatrix(rows=["a", "b"], columns=["a", "b", "missed"], counts=[[1, 2], [3, 4]])


def test_a_curve_has_as_many_y_as_x() -> None:
    with pytest.raises(ValidationError, match="2 values of x, but 1 of y"):
        Curve(x=[0, 1], y=[0])
