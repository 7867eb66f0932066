"""Exporting a network with the held-out images of other prepared data than it was trained on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hepar.contracts.cards import ModelCard
from tests.training.support import run_training
from training.prepared.dataset import data_fingerprint


@pytest.fixture
def run(prepared: Path, tmp_path: Path) -> Path:
    """A trained input check, which takes seconds, and `evaluation`: the run's data without its last test image."""
    shutil.copytree(prepared / "data", tmp_path / "data")
    shutil.copytree(prepared / "data", tmp_path / "evaluation")
    lines = (tmp_path / "evaluation" / "manifest.jsonl").read_text().splitlines(keepends=True)
    tested = [index for index, line in enumerate(lines) if json.loads(line)["part"] == "test"]
    del lines[tested[-1]]
    (tmp_path / "evaluation" / "manifest.jsonl").write_text("".join(lines))
    trained = run_training(tmp_path, "train", "check_input")
    assert trained.returncode == 0, trained.stderr
    return tmp_path


def test_the_card_tells_both_data_sets_and_is_compared_on_that_of_the_metrics(run: Path) -> None:
    exported = run_training(run, "export", "check_input", "--evaluation", str(run / "evaluation"))
    assert exported.returncode == 0, exported.stderr
    card = ModelCard.model_validate_json((run / "models" / "check_input" / "card.json").read_bytes())
    assert card.data_sha256 == data_fingerprint(run / "data")
    assert card.evaluation_sha256 == card.measured_on_sha256 == data_fingerprint(run / "evaluation")
    on_training_data = run_training(run, "evaluate", "check_input")
    assert on_training_data.returncode == 1
    assert "was not evaluated on the data" in on_training_data.stderr
    shutil.rmtree(run / "data")
    (run / "evaluation").rename(run / "data")
    again = run_training(run, "evaluate", "check_input")
    assert again.returncode == 0, again.stderr
    assert f"{card.metrics['accepted_test_slices'].value:.3f}" in again.stdout


def test_by_default_the_metrics_are_of_the_training_data(run: Path) -> None:
    assert run_training(run, "export", "check_input").returncode == 0
    card = ModelCard.model_validate_json((run / "models" / "check_input" / "card.json").read_bytes())
    assert card.evaluation_sha256 is None
    assert card.measured_on_sha256 == card.data_sha256


def test_other_parts_of_the_patients_are_refused(run: Path) -> None:
    """A patient that the network was trained on would be tested on."""
    file = run / "evaluation" / "split.json"
    split = json.loads(file.read_text())
    moved = next(patient for patient, part in split.items() if part == "train")
    file.write_text(json.dumps(split | {moved: "test"}))
    refused = run_training(run, "export", "check_input", "--evaluation", str(run / "evaluation"))
    assert refused.returncode == 1
    assert f"patients in different parts: {moved}" in refused.stderr
    assert not (run / "models").exists()


def test_all_networks_together_have_one_data_set(run: Path) -> None:
    refused = run_training(run, "export", "all", "--evaluation", str(run / "evaluation"))
    assert refused.returncode == 2
    assert "needs the name of one network" in refused.stderr
