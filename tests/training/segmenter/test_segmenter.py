"""The segmenter from reviewed slices to a served model, on phantoms: prepare, train, go on, export, evaluate."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from hepar.contracts.cards import ModelCard
from tests.training.segmenter.conftest import PATIENTS, SIDE
from tests.training.support import run_training
from training.configuration import load_configuration
from training.evaluation.inference import run_model_on
from training.evaluation.shipped_models import shipped_models
from training.prepared.dataset import data_fingerprint
from training.segmenter.background import read_backgrounds, read_masks
from training.segmenter.prepare import Sources, prepare_segmentation
from training.sources import UnusableData


def segmenter(folder: Path, *arguments: str) -> str:
    result = run_training(folder, "segmenter", *arguments)
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


@pytest.fixture(scope="module")
def trained(slices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    segmenter(folder, "prepare", "--data", str(slices))
    segmenter(folder, "train")
    return folder


@pytest.fixture(scope="module")
def exported(trained: Path) -> Path:
    segmenter(trained, "export", "--pages", str(trained / "pages"))
    return trained / "models" / "segment_resunet"


def test_every_patient_is_in_one_part_and_only_held_out_slices_have_their_lesions_already(trained: Path) -> None:
    parts: dict[str, set[str]] = {}
    for part in ("train", "validation", "test"):
        items = read_backgrounds(trained / "data", part)
        for item in items:
            parts.setdefault(item.patient, set()).add(part)
        kinds = {item.kind for item in items}
        assert {"healthy", "boxed", "unclear"} <= kinds
        assert ("synthesised" in kinds) == (part != "train")
    assert all(len(names) == 1 for names in parts.values())
    assert len(parts) == PATIENTS


def test_synthesised_lesions_lie_in_the_livers_mask(trained: Path) -> None:
    for item in read_backgrounds(trained / "data", "test"):
        masks = read_masks(trained / "data", item)
        assert masks.grey.shape == masks.liver.shape == (SIDE, SIDE)
        assert not (masks.lesions & ~masks.liver).any()
        assert masks.lesions.any() == (item.kind in ("synthesised", "boxed"))


def test_preparing_again_gives_the_same_data(slices: Path, trained: Path, tmp_path: Path) -> None:
    data = load_configuration("smoke").data
    prepare_segmentation(Sources(slices), data, tmp_path / "data")
    assert data_fingerprint(tmp_path / "data") == data_fingerprint(trained / "data")


def test_slices_without_their_second_review_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnusableData, match=r"second-review/slices\.csv"):
        prepare_segmentation(Sources(tmp_path), load_configuration("smoke").data, tmp_path / "data")


def test_an_interrupted_training_goes_on_after_its_last_epoch(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "run")
    run = tmp_path / "run" / "segment_resunet"
    (run / "finished").unlink()
    epochs = (run / "epochs.csv").read_text()
    assert epochs.count("\n") == 3, "a header and two epochs"
    metadata = run / "backup" / "training_metadata.json"
    metadata.write_text(json.dumps({**json.loads(metadata.read_text()), "epoch": 1}))
    said = segmenter(tmp_path / "run", "train")
    assert "Epoch 2/2" in said
    assert "Epoch 1/2" not in said
    assert (run / "epochs.csv").read_text().count("\n") == 4


@pytest.fixture
def two_runs(trained: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The training, and a copy of it whose weights are twice as large."""
    twice = tmp_path / "twice"
    shutil.copytree(trained / "segment_resunet", twice / "segment_resunet")
    (twice / "segment_resunet" / "minutes.txt").write_text("3.00")
    with h5py.File(twice / "segment_resunet" / "last.weights.h5", "r+") as file:
        for name in weights_of(trained):
            file["layers"][name][...] = 2 * file["layers"][name][...]
    return trained, twice


def of(runs: tuple[Path, Path]) -> list[str]:
    return ["--of", str(runs[0]), "--of", str(runs[1])]


def weights_of(run: Path) -> dict[str, np.ndarray]:
    """Those of the network; a file of a training holds those of its optimiser too."""
    with h5py.File(run / "segment_resunet" / "last.weights.h5") as file:
        names: list[str] = []
        file["layers"].visit(names.append)
        layers = {name: file["layers"][name] for name in names}
        return {name: item[...] for name, item in layers.items() if isinstance(item, h5py.Dataset)}


def test_the_mean_of_two_trainings_can_be_exported(trained: Path, two_runs: tuple[Path, Path], tmp_path: Path) -> None:
    mean = tmp_path / "mean"
    shutil.copytree(trained / "data", mean / "data")
    segmenter(mean, "average", *of(two_runs))
    single, averaged = weights_of(trained), weights_of(mean)
    assert single.keys() == averaged.keys()
    assert any(values.any() for values in single.values())
    for name, values in single.items():
        np.testing.assert_allclose(averaged[name], 1.5 * values, rtol=1e-5)
    segmenter(mean, "export", "--pages", str(mean / "pages"))
    card = ModelCard.model_validate_json((mean / "models" / "segment_resunet" / "card.json").read_bytes())
    assert "the mean of those of 2 trainings" in card.training_data
    minutes = float((trained / "segment_resunet" / "minutes.txt").read_text())
    assert card.training_minutes == pytest.approx(minutes + 3, abs=0.06)


def test_a_mean_needs_finished_trainings_and_a_run_without_one(
    two_runs: tuple[Path, Path], exported: Path, tmp_path: Path
) -> None:
    kept, twice = weights_of(two_runs[0]), two_runs[1] / "segment_resunet"
    refused = run_training(two_runs[0], "segmenter", "average", *of(two_runs))
    assert refused.returncode != 0
    assert "holds a training already" in refused.stderr
    assert all(np.array_equal(values, kept[name]) for name, values in weights_of(two_runs[0]).items())
    (twice / "finished").unlink()
    shutil.copytree(two_runs[0] / "data", tmp_path / "mean" / "data")
    refused = run_training(tmp_path / "mean", "segmenter", "average", *of(two_runs))
    assert refused.returncode != 0
    assert f"{twice} holds no finished training" in refused.stderr
    graph = exported / "1" / "model.onnx"
    refused = run_training(tmp_path / "mean", "segmenter", "average", *of((two_runs[0], graph)))
    assert refused.returncode != 0
    assert "the graph of a segmenter cannot be read back" in refused.stderr
    assert not (tmp_path / "mean" / "segment_resunet").exists()


def test_the_exported_model_keeps_the_promise(exported: Path) -> None:
    card = ModelCard.model_validate_json((exported / "card.json").read_bytes())
    assert (card.task, card.labels) == ("segmentation", ["liver", "lesion"])
    assert {"liver_dice", "lesion_dice", "lesion_recall", "real_lesion_recall"} <= set(card.metrics)
    assert all(metric.low <= metric.value <= metric.high for metric in card.metrics.values())
    images = np.random.default_rng(0).integers(0, 255, (3, SIDE, SIDE), dtype=np.uint8)
    masks = run_model_on(exported / "1" / "model.onnx", images)["masks"]
    assert masks.shape == (3, 2, SIDE, SIDE)
    assert masks.dtype == np.uint8
    assert "TYPE_UINT8 dims: [ 2, 128, 128 ]" in (exported / "config.pbtxt").read_text()


def test_the_page_tells_the_figures_and_the_limits(exported: Path) -> None:
    page = (exported.parents[1] / "pages" / "segment_resunet.md").read_text()
    assert "| liver_dice |" in page
    assert "standard radiological display" in page


def test_evaluating_again_gives_the_cards_figures(exported: Path) -> None:
    card = ModelCard.model_validate_json((exported / "card.json").read_bytes())
    said = segmenter(exported.parents[1], "evaluate", "--shipped")
    for name, metric in card.metrics.items():
        (value,) = re.findall(rf"^  {name} +([0-9.]+)  \(", said, re.MULTILINE)
        assert float(value) == pytest.approx(metric.value, abs=6e-4)
    assert "msd (validation): slices" in said


def test_the_segmenter_is_not_compared_with_the_other_networks(exported: Path) -> None:
    assert shipped_models(exported.parent) == []
