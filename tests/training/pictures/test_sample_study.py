"""The sample study: headers as scanners write them, pixels and truth that agree, and the shipped files."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from training.pictures.sample_study import write_sample_study

SAMPLES = Path(__file__).parents[3] / "samples"
MAX_BYTES = 4 * 2**20


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    write_sample_study(folder)
    return folder


def images(archive: Path) -> dict[str, Dataset]:
    with zipfile.ZipFile(archive) as opened:
        return {name: pydicom.dcmread(BytesIO(opened.read(name))) for name in opened.namelist()}


def axial(archive: Path) -> list[Dataset]:
    """From the feet to the head."""
    found = [image for image in images(archive).values() if "AXIAL" in image.ImageType]
    return sorted(found, key=lambda image: float(image.ImagePositionPatient[2]))


def test_the_shipped_study_is_what_the_command_writes(written: Path) -> None:
    """Grey levels may differ by rounding between processors."""
    new, shipped = images(written / "study.zip"), images(SAMPLES / "study.zip")
    assert new.keys() == shipped.keys()
    for name, image in new.items():
        header, expected = image.to_json_dict(), shipped[name].to_json_dict()
        assert {**header, "7FE00010": None} == {**expected, "7FE00010": None}
        assert np.abs(image.pixel_array.astype(int) - shipped[name].pixel_array).max() <= 2
    assert json.loads((written / "study.json").read_text()) == json.loads((SAMPLES / "study.json").read_text())


def test_it_stays_below_four_megabytes() -> None:
    assert (SAMPLES / "study.zip").stat().st_size < MAX_BYTES


def test_slices_are_evenly_spaced_and_numbered_from_the_head() -> None:
    slices = axial(SAMPLES / "study.zip")
    positions = [float(image.ImagePositionPatient[2]) for image in slices]
    assert np.allclose(np.diff(positions), 5)
    assert [image.InstanceNumber for image in slices] == list(range(len(slices), 0, -1))
    assert len({image.SOPInstanceUID for image in slices}) == len(slices)
    assert {image.SeriesInstanceUID for image in slices} == {slices[0].SeriesInstanceUID}


def test_a_localizer_comes_with_it() -> None:
    found = [image for image in images(SAMPLES / "study.zip").values() if "LOCALIZER" in image.ImageType]
    (localizer,) = found
    assert localizer.SeriesInstanceUID != axial(SAMPLES / "study.zip")[0].SeriesInstanceUID
    assert localizer.StudyInstanceUID == axial(SAMPLES / "study.zip")[0].StudyInstanceUID


def test_each_lesion_is_darker_than_the_liver_at_its_stated_centre() -> None:
    slices = axial(SAMPLES / "study.zip")
    hu = np.stack([image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept) for image in slices])
    origin, spacing = slices[0].ImagePositionPatient, slices[0].PixelSpacing
    truth = json.loads((SAMPLES / "study.json").read_text())
    assert len(truth["lesions"]) == 3
    for lesion in truth["lesions"]:
        x, y, z = lesion["centre_mm"]
        index = round((z - origin[2]) / 5)
        row, column = round((y - origin[1]) / spacing[0]), round((x - origin[0]) / spacing[1])
        inside = hu[index, row - 1 : row + 2, column - 1 : column + 2].mean()
        assert lesion["first_slice"] <= index <= lesion["last_slice"]
        assert inside < 85, lesion


def test_no_header_names_a_person() -> None:
    for image in images(SAMPLES / "study.zip").values():
        assert image.PatientID == "HEPAR-PHANTOM-1"
        assert image.PatientBirthDate == ""
