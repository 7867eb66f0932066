"""Files of other fields of view: where the lesions of a prepared image lie in the networks' input."""

from __future__ import annotations

import numpy as np
import pytest

from hepar.contracts.views import FIELD_MM
from hepar.imaging.letterbox import letterbox
from training.evaluation.physical_scale import FILE_SIDE_PX, WAYS, lesions_in_input, with_field
from training.prepared.dataset import Example

BOX = (0.4, 0.3, 0.5, 0.45)
EXAMPLE = Example("validation", "name", "patient", 0, [(0, *BOX)])


def prepared() -> np.ndarray:
    """A body with a bright lesion, as a prepared image shows it."""
    image = np.zeros((256, 256), dtype=np.uint8)
    image[40:216, 25:231] = 60
    x_min, y_min, x_max, y_max = (round(value * 256) for value in BOX)
    image[y_min:y_max, x_min:x_max] = 250
    return image


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("field_mm", [340, 410, 600])
def test_the_box_of_a_lesion_follows_it(field_mm: int, way: str) -> None:
    file = with_field(prepared(), field_mm)
    assert file.shape == (FILE_SIDE_PX, FILE_SIDE_PX)
    pixels, placed = letterbox(file, 256, 256, frame=WAYS[way](file, field_mm / FILE_SIDE_PX))
    (lesion,) = lesions_in_input(EXAMPLE, field_mm, placed)
    rows, columns = np.nonzero(pixels > 155)
    bounds = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / 256
    assert bounds == pytest.approx(lesion, abs=1.5 / 256)
    if way == "stated spacing":
        assert lesion[2] - lesion[0] == pytest.approx(BOX[2] - BOX[0], abs=1e-3)


def test_a_lesion_outside_of_the_file_does_not_count() -> None:
    file = with_field(prepared(), 200)
    placed = letterbox(file, 256, 256)[1]
    at_the_edge = Example("validation", "name", "patient", 0, [(0, 0.0, 0.0, 0.1, 0.1)])
    assert len(lesions_in_input(at_the_edge, 200, placed)) == 0
    assert FIELD_MM > 200
