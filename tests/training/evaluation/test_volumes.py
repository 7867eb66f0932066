"""Evaluation of ensembles on whole volumes with known lesions, slice by slice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import tiny_models
from tests.training.miniatures import LESION_SLICES, SIDE, SLICES, Case, ct_series, nifti, write
from tests.training.support import run_training


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """A classifier that always predicts metastasis, and a detector with a fixed box on the first lesion of the case."""
    box = Case(0).boxes[0]
    corners = (box.x_min / SIDE, box.y_min / SIDE, box.x_max / SIDE, box.y_max / SIDE)
    repository = tmp_path / "models"
    tiny_models.write_classifier(repository, "classify_a", (0.0, 2.0, 0.0))
    tiny_models.write_detector(repository, "detect_a", corners, 0.8, 0)
    tiny_models.agree_on(repository, ["classify_a"], method="soft_vote", decision_threshold=0.5)
    tiny_models.agree_on(
        repository, ["detect_a"], method="weighted_box_fusion", decision_threshold=0.5, overlap=0.5,
        member_threshold=0.01,
    )  # fmt: skip
    return repository


def test_lesion_slices_of_a_nifti_volume_are_counted(shipped: Path, tmp_path: Path) -> None:
    case = Case(0)
    write(tmp_path / "ct.nii.gz", nifti(case.hu, case.spacing_mm))
    write(tmp_path / "labels.nii.gz", nifti(case.liver + case.lesions.astype(int), case.spacing_mm))
    out = tmp_path / "volumes.json"
    volume = f"{tmp_path / 'ct.nii.gz'}={tmp_path / 'labels.nii.gz'}"
    result = run_training(shipped.parent, "volumes", "--volume", volume, "--out", str(out))
    assert result.returncode == 0, result.stderr
    lesions = len(LESION_SLICES)
    assert f"ct.nii.gz: {SLICES} slices, {lesions} of {lesions} lesion slices boxed" in result.stdout
    (row,) = json.loads(out.read_text())
    assert row["most_probable"] == row["decided"] == {"cholangiocarcinoma": 0, "metastasis": lesions, "no_tumour": 0}
    assert (row["boxes"], row["boxes_without_lesion"], row["boxes_per_slice"]) == (SLICES, SLICES - lesions, 1)


def test_boxes_of_a_series_without_outlines_are_counted(shipped: Path, tmp_path: Path) -> None:
    ct_series(tmp_path / "series", Case(0), "somebody")
    out = tmp_path / "volumes.json"
    result = run_training(shipped.parent, "volumes", "--volume", str(tmp_path / "series"), "--out", str(out))
    assert result.returncode == 0, result.stderr
    (row,) = json.loads(out.read_text())
    assert (row["lesion_slices"], row["boxed_lesion_slices"], row["boxes_without_lesion"]) == (None, None, None)
    assert (row["slices"], row["boxes"], row["most_probable"]["metastasis"]) == (SLICES, SLICES, SLICES)


@pytest.mark.parametrize(
    ("volume", "message"),
    [("nothing.nii.gz", "needs its labels"), ("nothing.nii.gz=nothing.nii.gz", "not readable"), (".", "no DICOM file")],
)
def test_an_unreadable_volume_gives_a_one_line_error(shipped: Path, tmp_path: Path, volume: str, message: str) -> None:
    named = "=".join(str(tmp_path / part) for part in volume.split("="))
    result = run_training(shipped.parent, "volumes", "--volume", named)
    assert result.returncode == 1
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_models_without_a_fitted_ensemble_are_refused(shipped: Path, tmp_path: Path) -> None:
    card = shipped / "classify_a" / "card.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"ensemble": None}))
    ct_series(tmp_path / "series", Case(0), "somebody")
    result = run_training(shipped.parent, "volumes", "--volume", str(tmp_path / "series"))
    assert result.returncode == 1
    assert "no fitted ensemble" in result.stderr
