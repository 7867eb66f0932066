"""The truth about simulated studies, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hepar.imaging.volume import VolumeGeometry
from training.simulated import simulate_study
from training.simulated.study import measured_truth


def test_the_truth_of_a_block_by_hand() -> None:
    """6 x 4 pixels of 2 mm in two slices of 5 mm; the long axis from corner pixel to corner pixel, and one more."""
    mask = np.zeros((8, 20, 20), dtype=bool)
    mask[3:5, 6:10, 4:10] = True
    truth = measured_truth(2, "metastasis", mask, VolumeGeometry((8, 20, 20), (5, 2, 2), (-10, -20, 100)))
    assert (truth.number, truth.first_slice, truth.last_slice) == (2, 3, 4)
    assert truth.volume_ml == pytest.approx(48 * 20 / 1000)
    assert truth.centre_mm == (-10 + 6.5 * 2, -20 + 7.5 * 2, 100 + 3.5 * 5)
    assert truth.long_axis_mm == pytest.approx((np.hypot(5, 3) + 1) * 2, abs=0.05)


def test_a_line_and_a_single_pixel_have_a_length() -> None:
    geometry = VolumeGeometry((1, 9, 9), (5, 1, 1))
    line, point = np.zeros((2, 1, 9, 9), dtype=bool)
    line[0, 4, 2:7] = True
    point[0, 4, 4] = True
    assert measured_truth(1, "metastasis", line, geometry).long_axis_mm == 5
    assert measured_truth(1, "metastasis", point, geometry).long_axis_mm == 1


def test_a_study_states_each_of_its_lesions() -> None:
    study = simulate_study(6, "metastasis", size_px=64, slice_spacing_mm=15)
    assert [truth.number for truth in study.truth] == list(range(1, int(study.lesions.max()) + 1))
    assert study.hu.shape == study.geometry.shape == study.lesions.shape
    for truth in study.truth:
        assert truth.volume_ml == pytest.approx(
            (study.lesions == truth.number).sum() * study.geometry.voxel_ml, abs=1e-3
        )


def test_a_study_without_a_tumour_has_none() -> None:
    study = simulate_study(6, None, size_px=64, slice_spacing_mm=30)
    assert (study.label, study.truth, int(study.lesions.max())) == (None, (), 0)
