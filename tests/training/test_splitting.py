"""Nobody is trained on and tested on: splits, folds, leaving a dataset out, and like images that must stay together."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest

from tests.training.miniatures import Case, write
from tests.training.test_datasets import training
from training.configuration import load_configuration
from training.datasets import splitting
from training.datasets.collection import Record
from training.datasets.records import Leakage
from training.lesions import Label
from training.prepare import fold_by_patient
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


def test_the_default_split_is_70_to_30_in_each_label(records: list[Record]) -> None:
    counted = shares(splitting.stratified_split(records, DATA), records)
    assert [counted["metastasis", part] for part in ("train", "validation", "test")] == [16, 4, 4]
    assert [counted["cholangiocarcinoma", part] for part in ("train", "validation", "test")] == [12, 2, 2]
    assert splitting.stratified_split(records, DATA) == splitting.stratified_split(records[::-1], DATA)


def test_in_k_folds_every_patient_is_tested_on_once_and_labels_are_spread_evenly(records: list[Record]) -> None:
    made = splitting.folds(records, 4, seed=1)
    for patient in made[0]:
        assert sorted(fold[patient] for fold in made) == ["test", "train", "train", "validation"]
    for fold in made:
        counted = shares(fold, records)
        assert (counted["metastasis", "test"], counted["cholangiocarcinoma", "test"]) == (6, 4)
    with pytest.raises(UnusableData, match="too few for 17 folds"):
        splitting.folds(records, 17, seed=1)
    with pytest.raises(UnusableData, match="2 folds are too few"):
        splitting.folds(records, 2, seed=1)


def test_one_dataset_left_out_is_the_test_set(records: list[Record]) -> None:
    other = [record(f"q{n}", "metastasis", source="b") for n in range(3)]
    split = splitting.leave_out(records + other, "b", DATA)
    assert {patient for patient, part in split.items() if part == "test"} == {"b/q0", "b/q1", "b/q2"}
    assert set(split.values()) == {"train", "validation", "test"}
    with pytest.raises(UnusableData, match="cannot leave 'c' out: the collection joins a, b"):
        splitting.leave_out(records + other, "c", DATA)


def test_patients_chained_by_like_images_stay_together(records: list[Record]) -> None:
    chain = [records[0], records[10], records[30], records[70]]  # two labels: the group counts by its first
    alike = [(one.path, other.path, 2) for one, other in pairwise(chain)]
    for split in (splitting.stratified_split(records, DATA, alike), *splitting.folds(records, 4, 3, alike)):
        assert len({split[item.patient] for item in chain}) == 1
        splitting.require_no_leakage(records, split, alike)


def test_like_images_on_both_sides_are_an_error_that_names_them(records: list[Record]) -> None:
    split = splitting.stratified_split(records, DATA)
    trained = next(item for item in records if split[item.patient] == "train")
    tested = next(item for item in records if split[item.patient] == "test")
    with pytest.raises(Leakage, match=r"1 images leak.*\(train\) and .*\(test\) differ in 3 of 256 bits"):
        splitting.require_no_leakage(records, split, [(trained.path, tested.path, 3)])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "Expecting"),
        ("[]", "does not map patients"),
        ('{"a/p00": "exam"}', "does not map patients"),
        ('{"a/p00": "test"}', "does not say where a/p01 belongs, nor 38 others"),
    ],
)
def test_a_split_file_that_does_not_fit_is_refused(
    records: list[Record], tmp_path: Path, content: str, said: str
) -> None:
    (tmp_path / "split.json").write_text(content)
    with pytest.raises(UnusableData, match=said):
        splitting.read_split(tmp_path / "split.json", records)


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two class folders of twelve images, the first of them twice under another name."""
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
    assert training(folder / "run", "explore", "--source", f"class_folders={folder / 'kaggle'}").returncode == 0
    return folder / "run"


def test_a_split_of_ones_own_that_parts_a_copy_from_its_original_stops(explored: Path, tmp_path: Path) -> None:
    assert training(explored, "prepare", "--collection").returncode == 0
    split = json.loads((explored / "data" / "split.json").read_text())
    (copy,) = (patient for patient in split if patient.endswith("copy"))
    (original,) = (patient for patient in split if patient.endswith(("_0", "/0")))
    assert split[copy] == split[original]
    split[copy], split[original] = "train", "test"
    (tmp_path / "split.json").write_text(json.dumps(split))
    done = training(explored, "prepare", "--collection", "--split", str(tmp_path / "split.json"))
    assert done.returncode == 1
    assert "images leak between parts" in done.stderr
    assert "Traceback" not in done.stderr
    reported = training(
        tmp_path, "explore", "--source", f"class_folders={explored.parent / 'kaggle'}",
        "--split", str(tmp_path / "split.json"),
    )  # fmt: skip
    assert reported.returncode == 1
    assert "images leak between parts" in reported.stderr
    report = (tmp_path / "collection" / "report.html").read_text()
    assert "images leak between parts" in report
    assert "differ in 0 of 256 bits" in report


def test_the_folds_of_the_synthesised_set_test_every_patient_once() -> None:
    patients = {f"p{n}" for n in range(11)}
    made = [fold_by_patient(patients, DATA, number, 4) for number in (1, 2, 3, 4)]
    for patient in patients:
        assert sorted(fold[patient] for fold in made) == ["test", "train", "train", "validation"]
    assert all(2 <= list(fold.values()).count("test") <= 3 for fold in made)
    with pytest.raises(UnusableData, match="11 patients and 2 folds"):
        fold_by_patient(patients, DATA, 1, 2)
    with pytest.raises(UnusableData, match="11 patients and 12 folds"):
        fold_by_patient(patients, DATA, 1, 12)


def test_a_fold_of_phantoms_is_prepared_with_its_own_split(tmp_path: Path) -> None:
    splits = []
    for number in (1, 2):
        done = training(tmp_path / str(number), "prepare", "--fold", f"{number}/4")
        assert done.returncode == 0, done.stderr
        split = json.loads((tmp_path / str(number) / "data" / "split.json").read_text())
        splits.append({patient for patient, part in split.items() if part == "test"})
    assert splits[0]
    assert not splits[0] & splits[1]


@pytest.mark.timeout(600)
def test_cross_validation_trains_and_judges_every_fold(explored: Path) -> None:
    done = training(explored, "cross-validate", "classify_resnet", "--folds", "3")
    assert done.returncode == 0, done.stderr[-2000:]
    rows = json.loads((explored / "cross_validation_classify_resnet.json").read_text())
    assert len(rows["accuracy"]["folds"]) == 3
    assert rows["accuracy"]["mean"] == pytest.approx(sum(rows["accuracy"]["folds"]) / 3, abs=1e-4)
    tested = []
    for fold in (1, 2, 3):
        split = json.loads((explored / "folds-3" / str(fold) / "data" / "split.json").read_text())
        tested += [patient for patient, part in split.items() if part == "test"]
    assert len(tested) == len(set(tested)) == 13
