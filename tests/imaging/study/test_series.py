"""Grouping, order and irregularities of series."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import FileDataset

from hepar.imaging.study.files import FileRef
from hepar.imaging.study.headers import read_instance
from hepar.imaging.study.series import SliceStack, stacks_of
from tests.support.pictures import dicom_bytes
from tests.support.studies import ct_series, enhanced_ct, same_study

REGULAR = tuple(5.0 * index for index in range(20))


def stacks(datasets: Sequence[FileDataset]) -> tuple[SliceStack, ...]:
    contents = enumerate(map(dicom_bytes, datasets))
    return stacks_of([read_instance(content, FileRef(index, index, None)) for index, content in contents])


def one_stack(positions_mm: Sequence[float], **elements: object) -> SliceStack:
    (stack,) = stacks(ct_series(positions_mm, **elements))  # type: ignore[arg-type]
    return stack


def test_slices_are_ordered_by_position_not_by_number() -> None:
    series = ct_series(REGULAR[::-1], InstanceNumber=None)
    series = series[7:] + series[:7]
    for number, dataset in enumerate(series):
        dataset.InstanceNumber = str(45 + number)
    (stack,) = stacks(series)
    heights = [item.frame.position_mm[2] for item in stack.slices if item.frame.position_mm]
    assert heights == sorted(heights)
    assert (stack.spacing_mm, stack.extent_mm, stack.findings, stack.plane) == (5.0, 95.0, (), "axial")


def test_the_spacing_is_that_of_the_positions_not_the_thickness() -> None:
    assert one_stack([float(index) for index in range(10)], SliceThickness="1.25").spacing_mm == 1.0


@pytest.mark.parametrize(
    ("positions_mm", "findings"),
    [
        (REGULAR, ()),
        ([*REGULAR[:5], *REGULAR[6:]], ("missing_slices",)),
        ([*REGULAR[:5], *REGULAR[9:]], ("missing_slices",)),
        ([*REGULAR, REGULAR[3]], ("duplicate_slices",)),
        ([*REGULAR, *REGULAR], ("duplicate_slices",)),
        ([*REGULAR[:10], 52.0, *REGULAR[11:]], ("uneven_spacing",)),
        ([*REGULAR[:5], 32.0, *REGULAR[9:]], ("uneven_spacing",)),
        ([*REGULAR, 102.5], ("uneven_spacing",)),
        ([*REGULAR[:10], *REGULAR[11:14], REGULAR[14] + 1, *REGULAR[15:]], ("missing_slices", "uneven_spacing")),
        ([*REGULAR[:10], 50.2, *REGULAR[11:]], ()),
        (REGULAR[:2], ("too_few_slices",)),
        (REGULAR[:1], ("too_few_slices",)),
    ],
)
def test_irregular_positions_are_named(positions_mm: Sequence[float], findings: tuple[str, ...]) -> None:
    assert one_stack(positions_mm).findings == findings


@pytest.mark.parametrize(
    ("elements", "findings"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, {"localizer"}),
        ({"ImageType": ["DERIVED", "PRIMARY", "AXIAL"]}, {"derived"}),
        ({"ImageType": ["DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"]}, {"derived"}),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, {"derived"}),
        ({"Modality": "MR"}, {"not_ct"}),
        ({"ImagePositionPatient": None}, {"no_positions"}),
        ({"ImageOrientationPatient": None}, {"no_positions"}),
    ],
)
def test_other_kinds_of_images_are_named(elements: dict[str, object], findings: set[str]) -> None:
    assert set(one_stack(REGULAR, **elements).findings) == findings


def test_a_gantry_tilt_is_measured() -> None:
    """The table moves along z while the slices are inclined to it."""
    tilt = np.radians(12)
    along = (1.0, 0.0, 0.0, 0.0, float(np.cos(tilt)), float(np.sin(tilt)))
    series = ct_series(REGULAR, along)
    for number, dataset in enumerate(series):
        dataset.ImagePositionPatient = ["-150", "-140", str(5 * number)]
    (stack,) = stacks(series)
    assert stack.findings == ("gantry_tilt",)
    assert stack.tilt_degrees == pytest.approx(12)
    assert stack.spacing_mm == pytest.approx(5 * np.cos(tilt))
    (oblique,) = stacks(ct_series(REGULAR, along))
    assert oblique.findings == (), "inclined slices stacked along their normal are no gantry tilt"


def test_slices_that_do_not_lie_above_one_another_are_named() -> None:
    """Two acquisitions with another centre of the reconstruction, or a single slice that is off."""
    for moved in (range(10, 20), range(7, 8), range(10)):
        series = ct_series(REGULAR)
        for number in moved:
            series[number].ImagePositionPatient[0] = "-130"
        (stack,) = stacks(series)
        assert stack.findings == ("shifted_slices",)


@pytest.mark.parametrize(
    ("along", "plane"),
    [
        ((1, 0, 0, 0, 1, 0), "axial"),
        ((1, 0, 0, 0, 0, -1), "coronal"),
        ((0, 1, 0, 0, 0, -1), "sagittal"),
        ((1, 0, 0, 0, 0.6, 0.8), "oblique"),
    ],
)
def test_planes(along: tuple[float, ...], plane: str) -> None:
    assert one_stack(REGULAR, along=along).plane == plane


def test_orientations_and_sizes_of_one_series_are_separated() -> None:
    axial = ct_series(REGULAR)
    scout = ct_series((0.0,), (1, 0, 0, 0, 0, -1), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    large = ct_series(REGULAR[:4], shape=(64, 64))
    for dataset in (*scout, *large):
        dataset.SeriesInstanceUID = axial[0].SeriesInstanceUID
    found = stacks(same_study(scout, large, axial))
    assert [(stack.id, stack.images, stack.plane) for stack in found] == [
        ("series-1", 20, "axial"),
        ("series-2", 4, "axial"),
        ("series-3", 1, "coronal"),
    ]
    assert all({"mixed_orientations", "mixed_sizes"} <= set(stack.findings) for stack in found)
    assert "localizer" in found[2].findings
    assert "localizer" not in found[0].findings


def test_phases_of_one_series_are_separated_by_their_acquisition() -> None:
    arterial = ct_series(REGULAR, AcquisitionNumber="1")
    venous = ct_series(REGULAR, AcquisitionNumber="2", SeriesInstanceUID=arterial[0].SeriesInstanceUID)
    found = stacks(same_study(arterial, venous))
    assert [(stack.images, stack.findings) for stack in found] == [(20, ()), (20, ())]


def test_acquisitions_that_follow_one_another_are_one_stack() -> None:
    chest = ct_series(REGULAR[:10], AcquisitionNumber="1")
    abdomen = ct_series(REGULAR[10:], AcquisitionNumber="2", SeriesInstanceUID=chest[0].SeriesInstanceUID)
    assert [stack.images for stack in stacks(same_study(chest, abdomen))] == [20]


def test_a_turning_projection_is_separated_into_few_parts() -> None:
    angles = np.linspace(0, np.pi, 60, endpoint=False)
    parts = [ct_series((0.0,), (float(np.cos(a)), float(np.sin(a)), 0, 0, 0, -1)) for a in angles]
    for one in parts:
        one[0].SeriesInstanceUID = parts[0][0].SeriesInstanceUID
    found = stacks(same_study(*parts))
    assert sum(stack.images for stack in found) == 60
    assert len(found) == 17
    assert "no_positions" in found[-1].findings


def test_series_without_a_uid_are_told_apart_by_number() -> None:
    series = [ct_series(REGULAR, SeriesInstanceUID=None, SeriesNumber=number) for number in ("5", "4")]
    found = stacks(same_study(*series))
    assert [(stack.uid, stack.first.instance.series_number) for stack in found] == [(None, 4), (None, 5)]


def test_frames_of_an_enhanced_object_are_slices() -> None:
    (stack,) = stacks([enhanced_ct(6)])
    assert [item.frame.index for item in stack.slices] == [5, 4, 3, 2, 1, 0]
    assert (stack.spacing_mm, stack.images, stack.first.frame.spacing_mm) == (2.5, 6, (0.8, 0.7))


@settings(max_examples=30)
@given(
    st.floats(0.5, 8.0),
    st.integers(3, 12),
    st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3), st.floats(-3, 3)),
    st.randoms(use_true_random=False),
)
def test_regular_stacks_in_any_position_have_no_findings(
    spacing_mm: float, count: int, turns: tuple[float, float, float], shuffle: random.Random
) -> None:
    """Rotated about the three axes, in any order of the files."""
    tip, lean, spin = turns
    about_x = np.array([[1, 0, 0], [0, np.cos(tip), -np.sin(tip)], [0, np.sin(tip), np.cos(tip)]])
    about_y = np.array([[np.cos(lean), 0, np.sin(lean)], [0, 1, 0], [-np.sin(lean), 0, np.cos(lean)]])
    about_z = np.array([[np.cos(spin), -np.sin(spin), 0], [np.sin(spin), np.cos(spin), 0], [0, 0, 1]])
    turned = about_x @ about_y @ about_z
    along = tuple(float(value) for value in (*turned[:, 0], *turned[:, 1]))
    series = ct_series([spacing_mm * index for index in range(count)], along)
    shuffle.shuffle(series)
    (stack,) = stacks(series)
    assert stack.findings == ()
    assert stack.spacing_mm == pytest.approx(spacing_mm, abs=1e-3)
    assert len(stack.slices) == count
