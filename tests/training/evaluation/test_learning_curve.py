"""The learning curve: heads of features written by hand, and the command on a small data set of phantoms."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support import tiny_models
from tests.training.support import REPOSITORY, run_training
from training.evaluation.learning_curve import read_curve
from training.evaluation.learning_curve_fitting import DRAWS, CurveVectors, examples_of_patients, measure_curve
from training.evaluation.validation_votes import COLUMNS, ValidationImages
from training.prepared.dataset import Example
from training.segmenter.background import Background, Masks, start, write, write_backgrounds

PATIENTS, IMAGES_OF_PATIENT = 20, 6


def example(patient: str, name: str, label: int) -> Example:
    return Example("train", name, patient, label, [])


def validation(count: int) -> ValidationImages:
    labels, nothing = np.arange(count) % 3, np.zeros((0, 1, 1))
    return ValidationImages(
        images=nothing.astype(np.uint8),
        livers=nothing.astype(bool),
        labels=labels,
        sizes=np.where(labels == 2, 0.0, 0.1),
        folds=np.arange(count) % 7,
        real_images=nothing.astype(np.uint8),
        real_livers=nothing.astype(bool),
        real_labels=(np.arange(count) % 2),
    )


def features(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """The label is in three of forty numbers; the rest, and most of these, is noise."""
    vectors = rng.normal(size=(len(labels), 40))
    vectors[:, :3] += 1.5 * np.eye(3)[labels]
    return vectors.astype(np.float32)


def test_more_patients_help_where_the_features_are_noisy() -> None:
    torch.set_num_threads(1)
    rng, known = np.random.default_rng(3), validation(300)
    labels = np.arange(PATIENTS * IMAGES_OF_PATIENT) % 3
    examples = [
        example(f"p{index // IMAGES_OF_PATIENT}", f"p{index // IMAGES_OF_PATIENT}_{index}", int(label))
        for index, label in enumerate(labels)
    ]
    real = features(rng, np.where(known.real_labels == 1, 0, 2))
    vectors = CurveVectors(features(rng, labels), features(rng, known.labels), real)
    points = measure_curve(vectors, examples, known)
    assert [point.patients for point in points] == [5, 10, 20]
    assert [point.images for point in points] == [30, 60, 120]
    assert [len(point.scores["accuracy"]) for point in points] == [DRAWS, DRAWS, 1]
    assert set(points[0].scores) == set(COLUMNS)
    means = [np.mean(point.scores["accuracy"]) for point in points]
    assert means[0] + 0.05 < means[2], "the true accuracy of these features is 0.77"
    assert points[2].scores["tumour AUC, real slices"][0] > 0.8


def test_copies_of_a_slice_and_unknown_types_are_left_out() -> None:
    names = [
        "1_2_no_tumour", "1_2_no_tumour_1", "1_2_metastasis_0", "1_2_metastasis_1", "1_2_cholangiocarcinoma_2",
        "1_2_real_metastasis_0",
    ]  # fmt: skip
    examples = [example("1", name, 0) for name in names]
    assert [item.name for item in examples_of_patients(examples, 1)] == ["1_2_no_tumour", "1_2_metastasis_0"]
    assert len(examples_of_patients(examples, 2)) == 4


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Prepared phantoms of the segmenter's size, and two real slices of a validation patient."""
    side = tiny_models.SIZE
    smoke = (REPOSITORY / "training" / "configs" / "smoke.toml").read_text()
    (tmp_path / "small.toml").write_text(re.sub(r"input_size_px = \d+", f"input_size_px = {side}", smoke))
    result = run_training(tmp_path, "prepare", configuration=str(tmp_path / "small.toml"))
    assert result.returncode == 0, result.stderr
    tiny_models.write_segmenter(tmp_path / "models", "segment_resunet")
    real = tmp_path / "real"
    start(real)
    masks = Masks(np.full((side, side), 150, np.uint8), np.ones((side, side), bool), np.zeros((side, side), bool))
    items = [
        Background("validation", "boxed", "1", "msd", "boxed", ((4, 4, 12, 12),), (True,)),
        Background("validation", "healthy", "1", "msd", "healthy"),
    ]
    write_backgrounds(real, [write(real, item, masks) for item in items])
    return tmp_path


def test_the_command_writes_figures_and_a_graph(run: Path) -> None:
    result = run_training(
        run, "learning-curve", "--real", str(run / "real"), "--networks", "random", "--out", str(run / "out")
    )
    assert result.returncode == 0, result.stderr
    curve = read_curve(run / "out")
    assert curve is not None
    assert curve.networks == "an untrained network, for tests"
    assert curve.points[-1].patients > curve.points[0].patients
    assert (run / "out" / "learning_curve.svg").stat().st_size > 1000
    assert list((run / "learning-curve" / "random").glob("0*.npz")), "an interrupted run goes on from these"


def test_without_a_segmenter_the_command_says_what_to_run(prepared: Path, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(prepared / "data")
    refused = run_training(tmp_path, "learning-curve", "--real", str(tmp_path))
    assert refused.returncode == 1
    assert "has no segmenter" in refused.stderr
