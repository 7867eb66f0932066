"""Cross-validation folds of tumour-free slices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.support import run_training
from training.configuration import load_configuration
from training.prepared.splitting import fold_by_patient
from training.sources import UnusableData

DATA = load_configuration("compact").data


def test_folds_of_slices_test_every_patient_once() -> None:
    patients = {f"p{n}" for n in range(11)}
    splits = [fold_by_patient(patients, DATA, number, 4) for number in (1, 2, 3, 4)]
    for patient in patients:
        assert sorted(fold[patient] for fold in splits) == ["test", "train", "train", "validation"]
    assert all(2 <= list(fold.values()).count("test") <= 3 for fold in splits)
    with pytest.raises(UnusableData, match="11 patients and 2 folds"):
        fold_by_patient(patients, DATA, 1, 2)
    with pytest.raises(UnusableData, match="11 patients and 12 folds"):
        fold_by_patient(patients, DATA, 1, 12)


def test_a_fold_of_phantoms_is_prepared_with_its_own_split(tmp_path: Path) -> None:
    splits = []
    for number in (1, 2):
        result = run_training(tmp_path / str(number), "prepare", "--fold", f"{number}/4")
        assert result.returncode == 0, result.stderr
        split = json.loads((tmp_path / str(number) / "data" / "split.json").read_text())
        splits.append({patient for patient, part in split.items() if part == "test"})
    assert splits[0]
    assert not splits[0] & splits[1]
