"""The scope check of both services on a real Triton, with a tiny input check and with the shipped one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image, ImageDraw, ImageFont
from prometheus_client import REGISTRY

from hepar.contracts.analyses import Classification, Detection
from tests.support.model_services import ModelServices
from tests.support.pictures import encoded, nearly_flat
from tests.support.tiny_models import write_input_check
from tests.support.triton import SHIPPED, RunningTriton

DARK, BRIGHT = encoded(nearly_flat(30)), encoded(nearly_flat(220))


@contextmanager
def both_services(services: ModelServices, repository: Path) -> Iterator[tuple[TestClient, TestClient]]:
    with services.classify(repository) as classifier, services.detect(repository) as detector:
        yield classifier, detector


def answers(clients: tuple[TestClient, TestClient], content: bytes) -> tuple[Classification, Detection]:
    classified, detected = (
        client.post(path, params=chosen, content=content, headers={"content-type": "image/png"})
        for client, path, chosen in (
            (clients[0], "/v1/classifications", {"explain": True}),
            (clients[1], "/v1/detections", {"annotate": True}),
        )
    )
    assert (classified.status_code, detected.status_code) == (200, 200), classified.text + detected.text
    return Classification.model_validate_json(classified.content), Detection.model_validate_json(detected.content)


@pytest.fixture
def repository(triton: RunningTriton, tmp_path: Path) -> Path:
    """The services' own copy of the cards, without an input check."""
    return Path(shutil.copytree(triton.repository, tmp_path / "models", ignore=shutil.ignore_patterns("check_*")))


def test_an_image_out_of_scope_gets_a_reason_and_no_label(services: ModelServices, repository: Path) -> None:
    write_input_check(repository, "check_brightness")
    rejected = counted("hepar_out_of_scope_total")
    decisions = counted("hepar_decisions_total", outcome="out_of_scope", label="")
    with both_services(services, repository) as clients:
        classified, detected = answers(clients, DARK)
    assert counted("hepar_out_of_scope_total") == rejected + 2, "counted by both services, which share this process"
    assert counted("hepar_decisions_total", outcome="out_of_scope", label="") == decisions + 1
    assert (classified.outcome, classified.label, classified.most_probable_label) == ("out_of_scope", None, None)
    assert (classified.probability, classified.probabilities, classified.votes) == (None, {}, [])
    assert (classified.entropy, classified.mutual_information, classified.explanation) == (None, None, None)
    assert (detected.boxes, detected.detectors) == ([], [])
    assert detected.annotated_png is not None
    for answer in (classified, detected):
        assert answer.scope is not None
        assert answer.scope.input_check is not None
        assert answer.scope.input_check.model == "check_brightness"
        mean = nearly_flat(30).mean() / 255
        assert answer.scope.input_check.typicality == pytest.approx(mean, abs=1e-4)
        assert (answer.scope.in_scope, answer.scope.code) == (False, "not_abdominal_ct")
        assert answer.scope.reason is not None
        assert "does not resemble the abdominal CT slices" in answer.scope.reason
        assert answer.missing_models == []
        assert "cholangiocarcinoma" not in answer.model_dump_json()


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


def test_an_image_in_scope_gets_a_result_with_its_typicality(services: ModelServices, repository: Path) -> None:
    write_input_check(repository, "check_brightness")
    with both_services(services, repository) as clients:
        classified, detected = answers(clients, BRIGHT)
    assert (len(classified.votes), len(detected.detectors)) == (2, 2)
    assert classified.outcome != "out_of_scope"
    assert detected.annotated_png is not None
    for answer in (classified, detected):
        assert answer.scope is not None
        assert answer.scope.input_check is not None
        assert answer.scope.input_check.typicality == pytest.approx(nearly_flat(220).mean() / 255, abs=1e-4)
        assert (answer.scope.in_scope, answer.scope.code, answer.scope.reason) == (True, None, None)


def test_the_threshold_is_that_of_the_card(services: ModelServices, repository: Path) -> None:
    write_input_check(repository, "check_brightness", decision_threshold=0.95)
    with both_services(services, repository) as clients:
        assert answers(clients, BRIGHT)[0].outcome == "out_of_scope"


@pytest.mark.parametrize("name", ["check_absent", "check_nothing"])
def test_a_service_without_its_input_check_answers_and_reports_it_missing(
    services: ModelServices, repository: Path, name: str
) -> None:
    """One is not loaded, the output of the other is not a number."""
    write_input_check(repository, name)
    before = counted("hepar_missing_models_total", model=name)
    with both_services(services, repository) as clients:
        for answer in answers(clients, DARK):
            assert answer.scope is None
            assert answer.missing_models == [name]
        assert counted("hepar_missing_models_total", model=name) == before + 2
        assert all(client.get("/readyz").status_code == 200 for client in clients)


def test_a_repository_without_an_input_check_reports_nothing_missing(services: ModelServices, repository: Path) -> None:
    with both_services(services, repository) as clients:
        for answer in answers(clients, DARK):
            assert (answer.scope, answer.missing_models) == (None, [])


def text() -> Image.Image:
    page = Image.new("L", (400, 500), 255)
    draw = ImageDraw.Draw(page)
    for line in range(20):
        draw.text((20, 20 + 22 * line), "The liver is of normal size and shape.", 0, ImageFont.load_default(size=16))
    return page


def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (256, 256)).astype(np.uint8))


def sunset() -> Image.Image:
    rows = np.linspace(220, 60, 300)[:, None] * np.ones((1, 400))
    rows[200:] = 30
    return Image.fromarray(rows.astype(np.uint8))


@pytest.mark.parametrize("picture", [text, noise, sunset])
def test_the_shipped_input_check_rejects_images_that_are_not_ct(
    services: ModelServices, repository: Path, picture: Callable[[], Image.Image]
) -> None:
    shutil.copytree(SHIPPED / "check_input", repository / "check_input")
    with both_services(services, repository) as clients:
        classified, detected = answers(clients, encoded(np.asarray(picture())))
    assert classified.outcome == "out_of_scope"
    assert detected.scope is not None
    assert not detected.scope.in_scope


@pytest.mark.parametrize("sample", sorted(Path("samples").glob("*.png")), ids=lambda path: path.stem)
def test_the_shipped_input_check_accepts_the_samples(services: ModelServices, repository: Path, sample: Path) -> None:
    shutil.copytree(SHIPPED / "check_input", repository / "check_input")
    with both_services(services, repository) as clients:
        for answer in answers(clients, sample.read_bytes()):
            assert answer.scope is not None
            assert (answer.scope.in_scope, answer.scope.reason) == (True, None)
