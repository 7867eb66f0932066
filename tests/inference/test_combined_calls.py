"""One call of a real Triton for the input check and all classifiers, and when the models are called one by one."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY

from tests.support.model_services import ModelServices
from tests.support.pictures import encoded, nearly_flat
from tests.support.tiny_models import write_classifier, write_input_check
from tests.support.tokens import TokenAuthority
from tests.support.triton import COMBINED, RunningTriton, running_triton

IMAGE = encoded(nearly_flat(220))
CHANGED_WITHIN_S = 60


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    folder = tmp_path_factory.mktemp("triton")
    repository = folder / "models"
    write_input_check(repository, "check_brightness")
    write_classifier(repository, "classify_one", (0.0, 1.0, 0.0), brightness_gain=0.5)
    write_classifier(repository, "classify_two", (0.0, 1.0, 0.0))
    with running_triton(folder, repository) as running:
        yield running


@pytest.fixture(scope="module")
def services(own: RunningTriton, authority: TokenAuthority) -> ModelServices:
    return ModelServices(authority, own.grpc)


@pytest.fixture
def client(own: RunningTriton, services: ModelServices) -> Iterator[TestClient]:
    with services.classify(own.repository) as client:
        wait_until(lambda: classify(client), lambda _: own.runs(COMBINED)[0] > 0)
        yield client


def classify(client: TestClient, **query: str) -> dict[str, Any]:
    answer = client.post("/v1/classifications", params=query, content=IMAGE, headers={"content-type": "image/png"})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def wait_until(answer: Callable[[], dict[str, Any]], expected: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + CHANGED_WITHIN_S
    while not expected(document := answer()):
        assert time.monotonic() < deadline, document
        time.sleep(0.3)
    return document


def runs(own: RunningTriton) -> dict[str, int]:
    """Images that each model has run."""
    models = (COMBINED, "check_brightness", "classify_one", "classify_two")
    return {model: own.runs(model)[0] for model in models}


def more(own: RunningTriton, before: dict[str, int]) -> dict[str, int]:
    return {model: count - before[model] for model, count in runs(own).items() if count != before[model]}


def measured(model: str) -> float:
    return REGISTRY.get_sample_value("hepar_model_seconds_count", {"model": model}) or 0.0


def failures() -> float:
    """Of the combined model."""
    return REGISTRY.get_sample_value("hepar_model_failures_total", {"model": "combined"}) or 0.0


def test_one_call_answers_for_all_models(own: RunningTriton, client: TestClient) -> None:
    before, measured_before = runs(own), measured("classify_one")
    document = classify(client)
    assert more(own, before) == {COMBINED: 1}
    assert measured("classify_one") == measured_before + 1, "the metrics of each model go on"
    assert [vote["model"] for vote in document["votes"]] == ["classify_one", "classify_two"]
    assert document["missing_models"] == []
    assert document["scope"]["input_check"]["model"] == "check_brightness"
    listed = [model["card"]["name"] for model in client.get("/v1/models").json()["models"]]
    assert listed == ["check_brightness", "classify_one", "classify_two"]


def test_some_of_the_models_are_called_one_by_one(own: RunningTriton, client: TestClient) -> None:
    """They are loaded then, because the combined model answers all other requests."""

    def is_loaded(model: str) -> bool:
        return f"{model}: onnxruntime" in own.log_file.read_text()

    assert own.model_ready("classify_two")
    assert [model for model in ("check_brightness", "classify_one", "classify_two") if is_loaded(model)] == []
    before = runs(own)
    document = classify(client, classifiers="classify_two")
    assert [vote["model"] for vote in document["votes"]] == ["classify_two"]
    assert more(own, before) == {"check_brightness": 1, "classify_two": 1}
    assert is_loaded("check_brightness")
    assert is_loaded("classify_two")
    assert not is_loaded("classify_one")


def test_other_files_than_those_of_triton_are_never_combined(
    own: RunningTriton, services: ModelServices, tmp_path: Path
) -> None:
    """The service's copy has another graph, so it cannot know which one the combined model runs."""
    view = Path(shutil.copytree(own.repository, tmp_path / "view"))
    shutil.rmtree(view / "classify_two")
    write_classifier(view, "classify_two", (0.0, 2.0, 0.0))
    before = runs(own)
    with services.classify(view) as client:
        for _ in range(3):
            classify(client)
    assert more(own, before) == {"check_brightness": 3, "classify_one": 3, "classify_two": 3}


def test_versions_are_called_one_by_one(own: RunningTriton, services: ModelServices, tmp_path: Path) -> None:
    view = Path(shutil.copytree(own.repository, tmp_path / "view"))
    (view / "classify_two" / "versions.json").write_text(json.dumps({"serving": {"1": 1.0}}))
    before = runs(own)
    with services.classify(view) as client:
        classify(client)
    assert more(own, before) == {"check_brightness": 1, "classify_one": 1, "classify_two": 1}


def test_a_model_that_joins_fails_and_leaves(own: RunningTriton, client: TestClient, tmp_path: Path) -> None:
    """It becomes a part at once. Its invalid outputs make it alone missing, from an answer that has all the others."""
    failed_before = failures()
    write_classifier(tmp_path, "classify_wrong", (float("nan"), 0.0, 0.0))
    (tmp_path / "classify_wrong").rename(own.repository / "classify_wrong")
    try:
        document = wait_until(lambda: classify(client), lambda answer: answer["missing_models"] != [])
        assert document["missing_models"] == ["classify_wrong"]
        assert [vote["model"] for vote in document["votes"]] == ["classify_one", "classify_two"]
        wait_until(lambda: classify(client), lambda _: failures() > failed_before)
    finally:
        shutil.rmtree(own.repository / "classify_wrong")
    wait_until(lambda: classify(client), lambda answer: answer["missing_models"] == [])
    before = runs(own)
    wait_until(lambda: classify(client), lambda _: runs(own)[COMBINED] > before[COMBINED])
