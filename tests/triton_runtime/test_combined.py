"""The combined model as it is written for Triton: from which models, and what a change of one does."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hepar.core.combined_model import find_combined_model
from tests.support.tiny_models import write_classifier, write_detector, write_input_check
from triton_runtime.combined import CombinedRepository
from triton_runtime.graph_check import CHECKED_FILE, write_checked_graphs

NAMES = ["check_brightness", "classify_one", "classify_two"]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    repository = tmp_path / "models"
    write_input_check(repository, "check_brightness")
    write_input_check(repository, "check_second")
    write_classifier(repository, "classify_one", (0.0, 1.0, 0.0))
    write_classifier(repository, "classify_two", (1.0, 0.0, 0.0))
    write_detector(repository, "detect_left", (0.25, 0.25, 0.5, 0.5), 0.9, 1)
    return repository


def folders(combined: CombinedRepository) -> list[str]:
    return sorted(path.name for path in combined.folder.iterdir())


def test_the_parts_are_the_first_input_check_and_all_classifiers(models: Path, tmp_path: Path) -> None:
    repository = CombinedRepository(models, tmp_path / "state" / "combined")
    name = repository.refresh()
    assert name is not None
    assert folders(repository) == [name]
    graphs = {file.stem: file.read_bytes() for file in (repository.folder / name / "1").iterdir()}
    assert graphs == {part: (models / part / "1" / "model.onnx").read_bytes() for part in NAMES}
    configuration = (repository.folder / name / "config.pbtxt").read_text()
    assert re.findall(r'name: "(classify_one/\w+)"', configuration) == [
        "classify_one/logits",
        "classify_one/activation",
    ]
    assert "max_batch_size: 8\n" in configuration


def test_a_changed_graph_or_setting_gives_a_model_of_another_name(models: Path, tmp_path: Path) -> None:
    repository = CombinedRepository(models, tmp_path / "combined")
    names = [repository.refresh()]
    assert repository.refresh() is None, "nothing changed"
    shutil.rmtree(models / "classify_two")
    write_classifier(models, "classify_two", (0.0, 0.0, 9.0))
    names.append(repository.refresh())
    for file in models.glob("*/config.pbtxt"):
        file.write_text(file.read_text().replace("max_batch_size: 8", "max_batch_size: 16"))
    names.append(repository.refresh())
    write_classifier(models, "classify_three", (0.0, 0.0, 9.0), batched=True)
    file = models / "classify_three" / "config.pbtxt"
    file.write_text(file.read_text().replace("max_batch_size: 8", "max_batch_size: 16"))
    names.append(repository.refresh())
    assert None not in names
    assert len(set(names)) == len(names)
    assert folders(repository) == [names[-1]]


def one_without_batches(models: Path) -> None:
    write_classifier(models, "classify_single", (0.0, 1.0, 0.0), batched=False)


def one_with_versions(models: Path) -> None:
    (models / "classify_one" / "versions.json").write_text('{"serving": {"1": 1}}')


def one_with_two_versions(models: Path) -> None:
    shutil.copytree(models / "classify_one" / "1", models / "classify_one" / "2")


def one_of_another_size(models: Path) -> None:
    file = models / "classify_one" / "card.json"
    file.write_text(file.read_text().replace('"height": 64', '"height": 32'))


def one_with_other_settings(models: Path) -> None:
    file = models / "classify_one" / "config.pbtxt"
    file.write_text(file.read_text().replace('"intra_op_thread_count" value: { string_value: "1" }', '"x" value: { }'))


def one_with_a_setting_that_would_be_lost(models: Path) -> None:
    for file in models.glob("*/config.pbtxt"):
        file.write_text(file.read_text() + "response_cache { enable: true }\n")


def one_with_a_setting_over_several_lines(models: Path) -> None:
    for file in models.glob("*/config.pbtxt"):
        file.write_text(file.read_text().replace("instance_group [ {", "instance_group [\n {"))


def one_without_a_graph(models: Path) -> None:
    (models / "classify_one" / "1" / "model.onnx").unlink()


def one_with_a_broken_card(models: Path) -> None:
    (models / "classify_one" / "card.json").write_text("{")


def one_alone(models: Path) -> None:
    for name in ("check_brightness", "check_second", "classify_two"):
        shutil.rmtree(models / name)


@pytest.mark.parametrize(
    "change",
    [
        one_without_batches,
        one_with_versions,
        one_with_two_versions,
        one_of_another_size,
        one_with_other_settings,
        one_with_a_setting_that_would_be_lost,
        one_with_a_setting_over_several_lines,
        one_without_a_graph,
        one_with_a_broken_card,
        one_alone,
    ],
)
def test_models_that_cannot_be_combined_leave_the_folder_empty(
    models: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    repository = CombinedRepository(models, tmp_path / "combined")
    assert repository.refresh() is not None
    change(models)
    assert repository.refresh() is None
    assert folders(repository) == []
    assert find_combined_model(models) is None


def test_files_of_an_earlier_run_are_removed(models: Path, tmp_path: Path) -> None:
    (tmp_path / "combined" / "combined_of_before" / "1").mkdir(parents=True)
    repository = CombinedRepository(models, tmp_path / "combined")
    assert folders(repository) == []


def test_only_graphs_that_load_are_named_as_checked(models: Path, tmp_path: Path) -> None:
    combined = find_combined_model(models)
    assert combined is not None
    (models / "classify_two" / "1" / "model.onnx").write_bytes(b"cut off")
    write_checked_graphs(Path(".venv-triton"), combined.parts, tmp_path)
    checked = json.loads((tmp_path / CHECKED_FILE).read_bytes())
    wanted = {part.sha256: list(part.outputs) for part in combined.parts if part.model != "classify_two"}
    assert {digest: sorted(outputs) for digest, outputs in checked.items()} == {
        digest: sorted(outputs) for digest, outputs in wanted.items()
    }
    write_checked_graphs(Path(".venv-triton"), (), tmp_path)
    assert not (tmp_path / CHECKED_FILE).exists(), "without a combined model all are loaded at once"
