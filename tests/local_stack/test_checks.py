from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from local_stack.checks import CannotStart, check_all
from local_stack.settings import StackSettings, on_free_ports
from tests.support.tiny_models import write_classifier, write_detector


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    write_classifier(tmp_path, "classify_tiny", (0, 1, 0))
    write_detector(tmp_path, "detect_tiny", (0.25, 0.25, 0.5, 0.5), 0.9, 1)
    return tmp_path


def settings_for(repository: Path) -> StackSettings:
    return on_free_ports().model_copy(update={"triton_model_repository": repository})


def test_a_complete_stack_passes_the_checks(repository: Path) -> None:
    check_all(settings_for(repository))


def test_a_port_in_use_is_named_with_its_variable(repository: Path) -> None:
    settings = settings_for(repository)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", settings.classify_port))
        taken.listen()
        with pytest.raises(CannotStart, match=rf"port {settings.classify_port} is in use.*HEPAR_CLASSIFY_PORT"):
            check_all(settings)


def test_a_missing_model_or_file_is_named(repository: Path) -> None:
    settings = settings_for(repository)
    (repository / "detect_tiny" / "1" / "model.onnx").unlink()
    with pytest.raises(CannotStart, match=r"detect_tiny lacks .*model.onnx"):
        check_all(settings)
    (repository / "detect_tiny" / "card.json").unlink()
    with pytest.raises(CannotStart, match=r"no model for detection"):
        check_all(settings)


@pytest.mark.parametrize("content", ["{", "{}", json.dumps({"name": "other"})])
def test_a_broken_card_is_named(repository: Path, content: str) -> None:
    (repository / "classify_tiny" / "card.json").write_text(content)
    with pytest.raises(CannotStart, match=r"classify_tiny/card\.json"):
        check_all(settings_for(repository))


def test_a_card_of_another_model_is_refused(repository: Path) -> None:
    card = repository / "classify_tiny" / "card.json"
    card.write_text(card.read_text().replace("classify_tiny", "classify_other"))
    with pytest.raises(CannotStart, match=r"names the model 'classify_other'"):
        check_all(settings_for(repository))


def test_a_missing_triton_environment_is_named(repository: Path, tmp_path: Path) -> None:
    settings = settings_for(repository).model_copy(update={"triton_environment": tmp_path / "none"})
    with pytest.raises(CannotStart, match=r"none is missing. Run `make setup`"):
        check_all(settings)
