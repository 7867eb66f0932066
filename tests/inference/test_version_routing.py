"""Versions of a model: routing, reading, adding and rolling back."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from hepar.contracts.cards import ModelCard, Versions
from hepar.inference.model_cards import BrokenCard, agreed_ensemble
from hepar.inference.version_routing import NEWEST, read_version_routing
from tests.support.tiny_models import agree_on, write_classifier
from training.versions import (
    UnknownVersion,
    add_version,
    existing_versions,
    leading_version,
    read_versions,
    write_card,
    write_versions,
)
from triton_runtime.lint import faults, parsed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_classifier(tmp_path / "models", "classify_tiny", (0.0, 2.0, 0.0))
    return tmp_path / "models" / "classify_tiny"


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    write_classifier(tmp_path / "candidates", "classify_tiny", (2.0, 0.0, 0.0), temperature=2.0)
    return tmp_path / "candidates" / "classify_tiny"


def card_of(folder: Path) -> ModelCard:
    return ModelCard.model_validate_json((folder / "card.json").read_bytes())


def add(folder: Path, candidate: Path, version: str = "2") -> None:
    add_version(folder, version, candidate / "1" / "model.onnx", card_of(candidate))


def test_without_a_versions_file_the_newest_version_answers(folder: Path) -> None:
    routing = read_version_routing(folder, card_of(folder))
    assert routing.choose_version() == (NEWEST, card_of(folder))
    assert routing.required_versions == [NEWEST]
    assert read_versions(folder) == Versions(serving={"1": 1.0})


def test_an_added_version_is_loaded_and_gets_no_requests(folder: Path, candidate: Path) -> None:
    add(folder, candidate)
    assert existing_versions(folder) == ["1", "2"]
    assert read_versions(folder) == Versions(serving={"1": 1.0})
    assert parsed(folder / "config.pbtxt")["version_policy"]["specific"]["versions"] == ["1", "2"]
    routing = read_version_routing(folder, card_of(folder))
    assert routing.choose_version()[0] == "1"
    assert routing.choose_version()[1].temperature == 1.0
    with pytest.raises(FileExistsError, match="another number"):
        add(folder, candidate)


def test_versions_get_requests_by_weight_and_use_their_own_cards(folder: Path, candidate: Path) -> None:
    add(folder, candidate)
    write_versions(folder, Versions(serving={"1": 3.0, "2": 1.0}))
    routing = read_version_routing(folder, card_of(folder))
    points = iter([step / 400 for step in range(400)])
    asked = Counter(routing.choose_version(lambda: next(points))[0] for _ in range(400))
    assert asked == {"1": 300, "2": 100}
    assert {version: card.temperature for version, card in routing.cards.items()} == {"1": 1.0, "2": 2.0}
    assert routing.required_versions == ["1", "2"]


def test_the_card_of_the_leading_version_is_the_models_card_and_a_rollback_is_possible(
    folder: Path, candidate: Path
) -> None:
    add(folder, candidate)
    write_versions(folder, Versions(serving={"2": 1.0}))
    assert card_of(folder).temperature == 2.0
    assert parsed(folder / "config.pbtxt")["version_policy"]["specific"]["versions"] == ["1", "2"]
    write_versions(folder, Versions(serving={"1": 1.0}))
    assert card_of(folder).temperature == 1.0
    assert leading_version(read_versions(folder)) == "1"


def test_the_fitted_ensemble_survives_a_change_of_versions(folder: Path, candidate: Path) -> None:
    """The card of a candidate has no ensemble; the one of the other cards must remain valid."""
    agree_on(folder.parent, [folder.name], method="soft_vote", decision_threshold=0.5)
    fitted = card_of(folder).ensemble
    assert fitted is not None
    add(folder, candidate)
    for serving in ({"2": 1.0}, {"1": 1.0, "2": 3.0}, {"1": 1.0}):
        write_versions(folder, Versions(serving=serving))
        assert card_of(folder).ensemble == fitted
        assert agreed_ensemble({folder.name: card_of(folder)}) == fitted


def test_a_refitted_card_survives_a_change_of_weights(folder: Path, candidate: Path) -> None:
    add(folder, candidate)
    write_versions(folder, Versions(serving={"2": 1.0}))
    write_card(folder, card_of(folder).model_copy(update={"decision_threshold": 0.7}))
    write_versions(folder, Versions(serving={"2": 3.0, "1": 1.0}))
    assert card_of(folder).decision_threshold == 0.7
    assert read_version_routing(folder, card_of(folder)).cards["2"].decision_threshold == 0.7
    assert read_version_routing(folder, card_of(folder)).cards["1"].decision_threshold == 0.5


def test_unknown_versions_are_rejected(folder: Path) -> None:
    with pytest.raises(UnknownVersion, match="has no version 7; it has 1"):
        write_versions(folder, Versions(serving={"7": 1.0}))
    with pytest.raises(ValidationError, match="cannot serve and be a shadow"):
        Versions(serving={"1": 1.0}, shadow=["1"])
    with pytest.raises(UnknownVersion, match="has no version of a model"):
        read_versions(folder.parent / "nothing")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "versions.json"),
        ('{"serving": {}}', "at least 1 item"),
        ('{"serving": {"one": 1}}', "pattern"),
        ('{"serving": {"3": 1}}', "has no version 3"),
        ('{"serving": {"1": 0}}', "greater than 0"),
    ],
)
def test_an_invalid_versions_file_is_reported(folder: Path, text: str, said: str) -> None:
    (folder / "versions.json").write_text(text)
    with pytest.raises(BrokenCard, match=said):
        read_version_routing(folder, card_of(folder))


def test_a_version_of_another_model_is_reported(folder: Path, candidate: Path) -> None:
    add(folder, candidate)
    file = folder / "2" / "card.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"labels": ["a", "b", "c"]}))
    write_versions(folder, Versions(serving={"1": 1.0, "2": 1.0}))
    with pytest.raises(BrokenCard, match="not of the same model and labels"):
        read_version_routing(folder, card_of(folder))


def test_the_linter_checks_versions(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "triton_models" / "classify_unet"
    folder = tmp_path / "classify_unet"
    shutil.copytree(shipped, folder)
    add_version(folder, "2", shipped / "1" / "model.onnx", card_of(shipped))
    write_versions(folder, Versions(serving={"1": 0.5, "2": 0.5}))
    assert faults(tmp_path) == []
    text = (folder / "config.pbtxt").read_text()
    (folder / "config.pbtxt").write_text(text.replace("[ 1, 2 ]", "[ 1 ]"))
    (folder / "versions.json").write_text('{"serving": {"1": 1, "2": 1, "9": 1}}')
    found = " ".join(faults(tmp_path))
    assert "version_policy does not hold version 2" in found
    assert "there is no version 9" in found
