"""The label of each voxel of the liver's slices."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from hepar.contracts.study_results import ModelVersion
from hepar.ensemble.lesions import VolumeAnalysis
from hepar.ensemble.patient_decision import PatientDecision
from hepar.imaging.volume import VolumeGeometry
from study_service.analysed_volume import LIVER_LABEL, StoredLiver, StoredVolume
from study_service.lesion_step import LesionInput, label_slices
from study_service.slice_arrays import SliceArray

INPUT, FIRST = 24, 3
NOTHING = SliceArray(key="k", dtype="<i2", shape=(INPUT, INPUT), first=0, offsets=(0,))


def labels(liver_shares: NDArray[np.uint8], side: int) -> NDArray[np.uint16]:
    """liver_shares: (n, INPUT, INPUT).  side: of the volume's slices."""
    count = len(liver_shares)
    volume = StoredVolume(
        slices=NOTHING, geometry=VolumeGeometry((FIRST + count, side, side), (5.0, 1.0, 1.0)), sources=(),
        thickness_mm=None, series=(), unreadable=(), warnings=(),
    )  # fmt: skip
    liver = StoredLiver(
        extent=(FIRST, FIRST + count - 1), segmenter=ModelVersion(model="s", version="1"), lesion_threshold=0.5,
        shares=NOTHING,
    )  # fmt: skip
    shares = np.stack([liver_shares, np.zeros_like(liver_shares)], axis=1)
    given = LesionInput(volume, liver, shares, [], [])
    return np.stack(list(label_slices(given, VolumeAnalysis([], {}, PatientDecision.out_of_scope()))))


@pytest.mark.parametrize("side", [INPUT, 3 * INPUT, INPUT // 2])
def test_the_liver_is_where_the_interpolated_probability_is_over_one_half(side: int) -> None:
    """Also at the border of the image, in a single pixel, and in a slice without any."""
    shares = np.zeros((6, INPUT, INPUT), dtype=np.uint8)
    shares[0, 5:19, 7:16] = np.random.default_rng(1).integers(0, 256, (14, 9))
    shares[1, :9, 15:] = 255
    shares[2] = np.random.default_rng(2).integers(0, 256, (INPUT, INPUT))
    shares[3, 11, 8] = 255
    shares[4, 12:14, 4:6] = 127
    places = (np.arange(side) + 0.5) * INPUT / side - 0.5
    values = [
        ndimage.map_coordinates(item.astype(np.float64), np.meshgrid(places, places, indexing="ij"), order=1)
        for item in shares
    ]
    expected = np.where(np.array(values) >= 127.5, LIVER_LABEL, 0)
    assert expected[:4].any(axis=(1, 2)).sum() >= 3
    np.testing.assert_array_equal(labels(shares, side), expected)
