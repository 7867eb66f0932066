"""Splits, folds, left-out datasets: no patient, and no pair of duplicates, is in two parts."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest

from tests.training.miniatures import Case, write
from tests.training.support import run_training
from training.configuration import load_configuration
from training.datasets import splitting
from training.datasets.collection import Record
from training.datasets.records import Leakage
from training.lesions import Label
from training.sources import UnusableData

DATA = load_configuration("compact").data


def record(patient: str, label: str, source: str = "a", image: str = "1") -> Record:
    path = f"images/{source}/{patient}_{image}.png"
    return Record(path, "0" * 64, path, f"{source}/{patient}", label, label, [], source, "CC0", None, None, None, [])


@pytest.fixture
def records() -> list[Record]:
    """Forty patients with two images each: 24 of one label, 16 of the other."""
    labels = ["metastasis"] * 24 + ["cholangiocarcinoma"] * 16
    return [record(f"p{n:02d}", label, image=image) for n, label in enumerate(labels) for image in "12"]


def shares(split: splitting.Split, records: list[Record]) -> dict[tuple[str, str], int]:
    patients = {item.patient: str(item.label) for item in records}
    counted: dict[tuple[str, str], int] = {}
    for patient, label in patients.items():
        counted[label, split[patient]] = counted.get((label, split[patient]), 0) + 1
    return counted


def test_the_default_split_has_the_configured_shares_in_each_label(records: list[Record]) -> None:
    counted = shares(splitting.stratified_split(records, DATA), records)
    assert [counted["metastasis", part] for part in ("train", "validation", "test")] == [16, 4, 4]
    assert [counted["cholangiocarcinoma", part] for part in ("train", "validation", "test")] == [12, 2, 2]
    assert splitting.stratified_split(records, DATA) == splitting.stratified_split(records[::-1], DATA)


def test_folds_test_every_patient_once_and_are_stratified(records: list[Record]) -> None:
    splits = splitting.folds(records, 4, seed=1)
    for patient in splits[0]:
        assert sorted(fold[patient] for fold in splits) == ["test", "train", "train", "validation"]
    for fold in splits:
        counted = shares(fold, records)
        assert (counted["metastasis", "test"], counted["cholangiocarcinoma", "test"]) == (6, 4)
    with pytest.raises(UnusableData, match="too few for 17 folds"):
        splitting.folds(records, 17, seed=1)
    with pytest.raises(UnusableData, match="2 folds are too few"):
        splitting.folds(records, 2, seed=1)


def test_a_left_out_dataset_is_the_test_part(records: list[Record]) -> None:
    other = [record(f"q{n}", "metastasis", source="b") for n in range(3)]
    split = splitting.leave_out(records + other, "b", DATA)
    assert {patient for patient, part in split.items() if part == "test"} == {"b/q0", "b/q1", "b/q2"}
    assert set(split.values()) == {"train", "validation", "test"}
    with pytest.raises(UnusableData, match="cannot leave out 'c': the collection has a, b"):
        splitting.leave_out(records + other, "c", DATA)


def test_patients_connected_by_duplicates_are_in_one_part(records: list[Record]) -> None:
    connected = [records[0], records[10], records[30], records[70]]  # two labels: the group has the label of the first
    duplicates = [(one.path, other.path, 2) for one, other in pairwise(connected)]
    for split in (splitting.stratified_split(records, DATA, duplicates), *splitting.folds(records, 4, 3, duplicates)):
        assert len({split[item.patient] for item in connected}) == 1
        splitting.require_no_leakage(records, split, duplicates)


def test_duplicates_in_two_parts_are_refused_by_name(records: list[Record]) -> None:
    split = splitting.stratified_split(records, DATA)
    trained = next(item for item in records if split[item.patient] == "train")
    tested = next(item for item in records if split[item.patient] == "test")
    with pytest.raises(Leakage, match=r"1 images leak.*\(train\) and .*\(test\) differ in 3 of 256 bits"):
        splitting.require_no_leakage(records, split, [(trained.path, tested.path, 3)])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "Expecting"),
        ("[]", "does not map patients"),
        ('{"a/p00": "exam"}', "does not map patients"),
        ('{"a/p00": "test"}', "has no part for patient a/p01 and 38 others"),
    ],
)
def test_a_split_file_that_does_not_fit_is_refused(
    records: list[Record], tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "split.json").write_text(content)
    with pytest.raises(UnusableData, match=message):
        splitting.read_split(tmp_path / "split.json", records)


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a collection of two class folders with twelve images and a copy of the first one."""
    folder = tmp_path_factory.mktemp("folds")
    for seed in range(12):
        label = get_args(Label)[seed % 2]
        case = Case(seed, label)
        image = folder / "kaggle" / label / f"{seed}.png"
        write(image, case.png(2))
        lines = [
            f"0 {(b.x_min + b.x_max) / 2 / 64} {(b.y_min + b.y_max) / 2 / 64} {(b.x_max - b.x_min) / 64} "
            f"{(b.y_max - b.y_min) / 64}\n"
            for b in case.boxes
        ]
        write(image.with_suffix(".txt"), "".join(lines))
    first = folder / "kaggle" / get_args(Label)[0]
    for kind in (".png", ".txt"):
        write(first / f"copy{kind}", (first / f"0{kind}").read_bytes())
    assert run_training(folder / "run", "explore", "--source", f"class_folders={folder / 'kaggle'}").returncode == 0
    return folder / "run"


def test_a_split_file_that_separates_duplicates_is_refused(explored: Path, tmp_path: Path) -> None:
    assert run_training(explored, "prepare", "--collection").returncode == 0
    split = json.loads((explored / "data" / "split.json").read_text())
    (copy,) = (patient for patient in split if patient.endswith("copy"))
    (original,) = (patient for patient in split if patient.endswith(("_0", "/0")))
    assert split[copy] == split[original]
    split[copy], split[original] = "train", "test"
    (tmp_path / "split.json").write_text(json.dumps(split))
    result = run_training(explored, "prepare", "--collection", "--split", str(tmp_path / "split.json"))
    assert result.returncode == 1
    assert "images leak between parts" in result.stderr
    assert "Traceback" not in result.stderr
    reported = run_training(
        tmp_path, "explore", "--source", f"class_folders={explored.parent / 'kaggle'}",
        "--split", str(tmp_path / "split.json"),
    )  # fmt: skip
    assert reported.returncode == 1
    assert "images leak between parts" in reported.stderr
    report = (tmp_path / "collection" / "report.html").read_text()
    assert "images leak between parts" in report
    assert "differ in 0 of 256 bits" in report


def test_cross_validation_trains_and_evaluates_every_fold(explored: Path) -> None:
    result = run_training(explored, "cross-validate", "classify_resnet", "--folds", "3")
    assert result.returncode == 0, result.stderr[-2000:]
    rows = json.loads((explored / "cross_validation_classify_resnet.json").read_text())
    assert len(rows["accuracy"]["folds"]) == 3
    assert rows["accuracy"]["mean"] == pytest.approx(sum(rows["accuracy"]["folds"]) / 3, abs=1e-4)
    tested = []
    for fold in (1, 2, 3):
        split = json.loads((explored / "folds-3" / str(fold) / "data" / "split.json").read_text())
        tested += [patient for patient, part in split.items() if part == "test"]
    assert len(tested) == len(set(tested)) == 13
