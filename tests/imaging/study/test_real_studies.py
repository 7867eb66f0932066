"""Real series and volumes, which are not part of the repository."""

from __future__ import annotations

import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest

from hepar.imaging.errors import NoUsableSeries
from hepar.imaging.study import load_study, read_headers
from tests.support.studies import stored, zip_bytes

DATA = Path(__file__).parents[3].parent / "shared" / "data"


def real(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"../shared/data/{name} is not on this machine: its licence keeps it out of the repository")
    return path


@pytest.mark.parametrize(
    ("name", "count", "spacing_mm", "reason"),
    [
        (
            "crlm-ct-1004-41slice", 41, 5.0,
            "axial, original, soft kernel, with contrast of unknown phase, 41 slices over 200 mm",
        ),
        ("ct-siemens-j2k-20slice", 20, 2.0, "axial, original, soft kernel, portal venous, 20 slices over 38 mm"),
        ("ct-liver-3slice", 3, 1.0, "axial, original, soft kernel, phase unknown, 3 slices over 2 mm"),
    ],
)  # fmt: skip
def test_series_agree_with_pydicom(tmp_path: Path, name: str, count: int, spacing_mm: float, reason: str) -> None:
    """Each slice holds pydicom's own values, and lies where its file states."""
    files = sorted(real(f"dicom/{name}").iterdir())
    members = {f"study/{file.name}": file.read_bytes() for file in files}
    paths = stored(tmp_path, zip_bytes(members, zipfile.ZIP_STORED))
    headers, volume = load_study(paths)
    assert (headers.chosen.reason, headers.chosen.findings, headers.unreadable) == (reason, [], ())
    assert headers.chosen.slice_spacing_mm == pytest.approx(spacing_mm)
    assert (volume.hu.shape, volume.warnings, volume.unreadable) == ((count, 512, 512), (), ())
    for index, source in enumerate(volume.sources):
        dataset = pydicom.dcmread(files[source.file])
        hu = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        assert np.array_equal(volume.hu[index], np.maximum(hu, -1024))
        place_mm = volume.geometry.to_patient_mm(np.array([(index, 0, 0)], dtype=float))[0]
        assert place_mm == pytest.approx([float(value) for value in dataset.ImagePositionPatient], abs=1e-3)


@pytest.mark.parametrize("name", ["crlm-volume.nii.gz", "ct-abdomen-pelvis.nii.gz"])
def test_volumes_agree_with_nibabel(name: str) -> None:
    """Voxels at random places, by the affine that nibabel reads."""
    path = real(f"nifti/{name}")
    _, volume = load_study([path])
    image = nibabel.Nifti1Image.from_filename(path)
    stored_values = np.asanyarray(image.dataobj)
    indices = np.random.default_rng(3).integers(0, volume.hu.shape, size=(2000, 3))
    places_lps = volume.geometry.to_patient_mm(indices.astype(float))
    places_ras = places_lps * [-1, -1, 1]
    inverse = np.linalg.inv(np.asarray(image.affine))
    as_stored = np.rint(places_ras @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
    expected = np.maximum(stored_values[tuple(as_stored.T)], -1024)
    assert np.array_equal(volume.hu[tuple(indices.T)], expected)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mr-small.nii.gz", "not Hounsfield units"),
        ("crlm-liver-and-tumour.nii.gz", "8 bits"),
        ("ct-abdomen-pelvis-organs.nii.gz", "8 bits"),
    ],
)
def test_other_volumes_are_refused(name: str, words: str) -> None:
    path = real(f"nifti/{name}")
    with pytest.raises(NoUsableSeries, match=words):
        read_headers([path])


def test_results_of_other_programs_are_no_series_to_analyse() -> None:
    paths = sorted(real("dicom/dcmqi-examples").iterdir())
    for path in paths:
        with pytest.raises(NoUsableSeries, match="not CT"):
            read_headers([path])
