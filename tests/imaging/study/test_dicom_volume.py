"""Volumes of DICOM series: every voxel has the value and the place that its file states."""

from __future__ import annotations

import tracemalloc
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from hepar.imaging.ct_image import LIVER_WINDOW
from hepar.imaging.errors import NoUsableSeries
from hepar.imaging.study import load_study
from hepar.imaging.volume import AIR_HU, CtVolume
from tests.support.orientations import IMAGE_ORIENTATIONS, Turn
from tests.support.pictures import dicom_bytes
from tests.support.studies import as_members, ct_series, enhanced_ct, numbered_hu, stored, stored_series, zip_bytes

SQUARE = (0.7, 0.7)
COUNT = 12


def loaded(folder: Path, datasets: Sequence[FileDataset]) -> CtVolume:
    return load_study(stored_series(folder, datasets))[1]


def stated_place_mm(dataset: FileDataset, row: int, column: int) -> NDArray[np.float64]:
    """PS3.3, equation C.7.6.2.1-1."""
    orientation = np.array(dataset.ImageOrientationPatient, dtype=float)
    down_mm, across_mm = (float(value) for value in dataset.PixelSpacing)
    position = np.array(dataset.ImagePositionPatient, dtype=float)
    return np.asarray(position + orientation[:3] * across_mm * column + orientation[3:] * down_mm * row)


@pytest.mark.parametrize("to_head", [True, False], ids=["to the head", "to the feet"])
@pytest.mark.parametrize(("along", "turn"), IMAGE_ORIENTATIONS.values(), ids=IMAGE_ORIENTATIONS)
def test_every_orientation_and_direction(tmp_path: Path, along: list[str], turn: Turn, to_head: bool) -> None:
    """The values are those of the files, turned; the places are those that the files state."""
    positions_mm = np.arange(COUNT) * 5.0 * (1 if to_head else -1)
    series = ct_series(positions_mm.tolist(), tuple(map(float, along)), spacing_mm=SQUARE)
    volume = loaded(tmp_path, series)
    by_uid = {str(dataset.SOPInstanceUID): dataset for dataset in series}
    upwards = [by_uid[source.sop_instance_uid or ""] for source in volume.sources]
    heights = [float(dataset.ImagePositionPatient[2]) for dataset in upwards]
    assert heights == sorted(heights)
    assert volume.geometry.shape == volume.hu.shape
    assert volume.geometry.slice_direction == (0, 0, 1)
    assert volume.geometry.row_direction == (0, 1, 0)
    assert volume.geometry.column_direction == (1, 0, 0)
    for index, dataset in enumerate(upwards):
        number = int(dataset.InstanceNumber) - 1
        assert np.array_equal(turn(volume.hu[index]), np.maximum(numbered_hu(number), AIR_HU))
    places = np.array(list(np.ndindex(volume.hu.shape)), dtype=float)
    places_mm = volume.geometry.to_patient_mm(places).reshape(*volume.hu.shape, 3)
    for index, dataset in enumerate(upwards):
        as_sent = np.stack([turn(places_mm[index, ..., axis]) for axis in range(3)], axis=-1)
        for row, column in ((0, 0), (0, 7), (11, 0), (39, 47), (23, 5)):
            assert as_sent[row, column] == pytest.approx(stated_place_mm(dataset, row, column), abs=1e-4)
        assert volume.sources[index].position_mm == pytest.approx(stated_place_mm(dataset, 0, 0))
        assert volume.sources[index].file == series.index(dataset)


@pytest.mark.parametrize("along", [(1, 0, 0, 0, 1, 0), (0, 1, 0, 1, 0, 0), (-1, 0, 0, 0, -1, 0)])
def test_pixels_become_square_and_keep_their_places(tmp_path: Path, along: tuple[float, ...]) -> None:
    """Rows 0.8 mm apart and columns 0.4 mm: a gradient in millimetres keeps its value at each place."""
    series = ct_series([3.0 * index for index in range(5)], along, spacing_mm=(0.8, 0.4))
    for dataset in series:
        rows, columns = np.mgrid[:40, :48]
        dataset.PixelData = (rows * 16 + columns * 8 + 24).astype(np.uint16).tobytes()
    volume = loaded(tmp_path, series)
    assert sorted(volume.hu.shape[1:]) == [48, 80]
    assert volume.geometry.spacing_mm == pytest.approx((3.0, 0.4, 0.4))
    first = series[0]
    inner = np.array([(2, row, column) for row in range(4, 44, 5) for column in range(4, 44, 5)], dtype=float)
    orientation = np.array(first.ImageOrientationPatient, dtype=float)
    for place, place_mm in zip(inner.astype(int), volume.geometry.to_patient_mm(inner), strict=True):
        offset_mm = place_mm - np.array(first.ImagePositionPatient, dtype=float)
        expected = 20 * (offset_mm @ orientation[3:]) + 20 * (offset_mm @ orientation[:3]) + 24 - 1024
        assert volume.hu[tuple(place)] == pytest.approx(expected, abs=1)
    geometry = volume.sources[0].geometry
    assert (geometry.width, geometry.height, geometry.pixel_aspect) == (48, 40, 2.0)


def test_padding_and_what_is_darker_than_air_become_air(tmp_path: Path) -> None:
    series = ct_series(spacing_mm=SQUARE, PixelRepresentation=1)
    for dataset in series:
        values = (numbered_hu(0) + 1024).astype(np.int16)
        values[:3], values[3:5] = -2000, -32_000
        dataset.PixelData = values.tobytes()
        dataset.add_new("PixelPaddingValue", "SS", -2000)
    series[4].PixelData = np.full((40, 48), -2000, dtype=np.int16).tobytes()
    volume = loaded(tmp_path, series)
    assert (volume.hu[:, :5] == AIR_HU).all()
    assert (volume.hu[4] == AIR_HU).all(), "a slice without a reconstruction"
    assert volume.unreadable == ()
    assert np.array_equal(volume.hu[7, 5:], numbered_hu(0)[5:])


def test_padding_that_is_lighter_than_tissue_becomes_air(tmp_path: Path) -> None:
    series = ct_series(spacing_mm=SQUARE)
    for dataset in series:
        values = (numbered_hu(0) + 1024).astype(np.uint16)
        values[:5] = 4000
        dataset.PixelData = values.tobytes()
        dataset.add_new("PixelPaddingValue", "US", 4000)
    volume = loaded(tmp_path, series)
    assert (volume.hu[:, :5] == AIR_HU).all()
    assert np.array_equal(volume.hu[7, 5:], numbered_hu(0)[5:])


def test_the_window_of_a_volume_is_that_of_single_slices(tmp_path: Path) -> None:
    volume = loaded(tmp_path, ct_series(spacing_mm=SQUARE))
    expected = np.stack([LIVER_WINDOW.to_grey(one.astype(np.float32)) for one in volume.hu[3:9]])
    assert np.array_equal(volume.windowed(3, 9), expected)
    assert volume.windowed(3, 9).dtype == np.uint8


def flat_series(positions_mm: Sequence[float], hu_per_mm: float = 2.0) -> list[FileDataset]:
    """Each slice has one value, by its height, and a corner of air."""
    series = ct_series(positions_mm, spacing_mm=SQUARE)
    for dataset, position_mm in zip(series, positions_mm, strict=True):
        values = np.full((40, 48), round(1024 + hu_per_mm * position_mm), dtype=np.uint16)
        values[0] = 0
        dataset.PixelData = values.tobytes()
    return series


def test_missing_slices_are_interpolated_and_said(tmp_path: Path) -> None:
    positions_mm = [5.0 * index for index in range(30) if index not in (7, 13, 14)]
    volume = loaded(tmp_path, flat_series(positions_mm))
    assert volume.hu.shape[0] == 30
    assert np.array_equal(volume.hu[:, 20, 20], np.arange(30) * 10)
    assert [index for index, source in enumerate(volume.sources) if not source.is_exact] == [7, 13, 14]
    assert volume.warnings == ("3 of 30 slices lie between images and were interpolated.",)
    assert volume.sources[13].position_mm[2] == pytest.approx(-400 + 12 * 5)
    assert volume.sources[14].position_mm[2] == pytest.approx(-400 + 15 * 5)


def test_uneven_slices_are_brought_to_an_even_grid(tmp_path: Path) -> None:
    gaps = [5.0] * 10 + [3.0] * 3 + [5.0] * 10
    positions_mm = np.concatenate([[0], np.cumsum(gaps)])
    volume = loaded(tmp_path, flat_series(positions_mm.tolist()))
    heights = volume.geometry.to_patient_mm(np.array([(index, 20, 20) for index in range(len(volume.hu))], dtype=float))
    assert volume.hu[:, 20, 20] == pytest.approx((heights[:, 2] + 400) * 2, abs=1.5)
    assert heights[-1, 2] == pytest.approx(-400 + positions_mm[-1])


def test_duplicate_positions_are_used_once(tmp_path: Path) -> None:
    positions_mm = [5.0 * index for index in range(20)]
    paths = stored_series(tmp_path, ct_series([*positions_mm, 25.0, 30.0], spacing_mm=SQUARE))
    headers, volume = load_study(paths)
    assert headers.chosen.findings == ["duplicate_slices"]
    assert [source.file for source in volume.sources] == list(range(20))


def test_frames_of_an_enhanced_object_become_slices(tmp_path: Path) -> None:
    volume = loaded(tmp_path, [enhanced_ct(9)])
    assert [source.frame for source in volume.sources] == list(range(8, -1, -1))
    assert volume.geometry.spacing_mm[0] == pytest.approx(2.5)
    assert volume.geometry.origin_mm[2] == pytest.approx(-20.0)
    geometry = volume.sources[0].geometry
    assert (geometry.width, geometry.height) == (48, 40)
    assert volume.hu[0, 0, 0] == -1000


def broken_pixels(dataset: FileDataset) -> bytes:
    """Its header is right; its compressed frame is not."""
    dataset.PixelData = encapsulate([b"\xff\x4f\xff\x51" + bytes(60)])
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    return dicom_bytes(dataset)


def test_images_that_cannot_be_decoded_are_reported_and_interpolated(tmp_path: Path) -> None:
    series = flat_series([5.0 * index for index in range(20)])
    contents = [broken_pixels(one) if place in (0, 9) else dicom_bytes(one) for place, one in enumerate(series)]
    paths = stored(tmp_path, *contents)
    _, volume = load_study(paths)
    assert [file.index for file in volume.unreadable] == [0, 9]
    assert volume.hu.shape[0] == 19, "the grid ends where the images end"
    assert volume.hu[:, 20, 20].tolist() == [10 * index for index in range(1, 20)]
    assert volume.geometry.origin_mm[2] == pytest.approx(-395)
    assert volume.warnings == (
        "2 image(s) of the series could not be decoded.",
        "1 of 19 slices lie between images and were interpolated.",
    )


def test_a_series_whose_images_cannot_be_decoded_is_refused(tmp_path: Path) -> None:
    paths = stored(tmp_path, *map(broken_pixels, ct_series()))
    with pytest.raises(NoUsableSeries, match="could not be decoded: the compressed frame"):
        load_study(paths)


def test_values_that_are_no_hounsfield_units_are_refused(tmp_path: Path) -> None:
    paths = stored_series(tmp_path, ct_series(RescaleType="US"))
    with pytest.raises(NoUsableSeries, match="not Hounsfield units"):
        load_study(paths)


def test_a_gap_of_undecodable_images_is_refused(tmp_path: Path) -> None:
    series = ct_series()
    contents = [broken_pixels(one) if 10 < place < 17 else dicom_bytes(one) for place, one in enumerate(series)]
    paths = stored(tmp_path, *contents)
    with pytest.raises(NoUsableSeries, match="images of over 20 mm"):
        load_study(paths)


def test_memory_is_that_of_the_volume(tmp_path: Path) -> None:
    """200 slices of 512 x 512 in an archive: the volume of 105 MB, and a few slices."""
    series = ct_series([1.0 * index for index in range(200)], spacing_mm=SQUARE, shape=(512, 512))
    paths = stored(tmp_path, zip_bytes(as_members(series), zipfile.ZIP_STORED))
    del series
    tracemalloc.start()
    try:
        _, volume = load_study(paths)
        assert tracemalloc.get_traced_memory()[1] < volume.hu.nbytes + 30_000_000
    finally:
        tracemalloc.stop()
