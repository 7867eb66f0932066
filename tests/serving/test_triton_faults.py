"""Triton hung, killed, slow, and a model unloaded under load: correct results or errors, and recovery without restart.

These tests have a Triton of their own, so that other tests are not affected.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from tests.support.model_services import ModelServices
from tests.support.pictures import encoded, nearly_flat
from tests.support.tiny_models import write_classifier, write_slow
from tests.support.tokens import TokenAuthority
from tests.support.triton import RunningTriton, running_triton

DEADLINE_S = 2.0
ANSWERED_WITHIN_S = 15.0  # far above the deadline, for a busy machine, and below an answer without one
LONG_DEADLINE_S = 60.0
RECOVERED_WITHIN_S = 60
DARK = encoded(nearly_flat(0))


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RunningTriton]:
    repository = tmp_path / "triton" / "models"
    write_classifier(repository, "classify_one", (0.0, 1.0, 0.0))
    write_classifier(repository, "classify_two", (0.0, 1.0, 0.0))
    with running_triton(tmp_path / "triton", repository) as running:
        yield running


@pytest.fixture
def view(own: RunningTriton, tmp_path: Path) -> Path:
    """The service's own copy of the cards: it still calls a model that Triton has unloaded."""
    copy = tmp_path / "view"
    shutil.copytree(own.repository, copy)
    return copy


@pytest.fixture
def client(own: RunningTriton, view: Path, authority: TokenAuthority) -> Iterator[TestClient]:
    with ModelServices(authority, own.grpc).classify(view, deadline_s=DEADLINE_S) as client:
        until_it_answers(client)
        yield client


def ask(client: TestClient) -> Response:
    answer = client.post("/v1/classifications", content=DARK, headers={"content-type": "image/png"})
    if answer.status_code != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.status_code in (503, 504), answer.text
    return answer


def server_of(running: RunningTriton) -> psutil.Process:
    (server,) = psutil.Process(running.pid).children()
    return server


def wait_until_loaded(running: RunningTriton, model: str) -> None:
    deadline = time.monotonic() + RECOVERED_WITHIN_S
    while not running.model_ready(model):
        assert time.monotonic() < deadline
        time.sleep(0.3)


def until_it_answers(client: TestClient) -> None:
    """The first answers on a busy machine may take longer than the deadline, too."""
    deadline = time.monotonic() + RECOVERED_WITHIN_S
    while ask(client).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert ask(client).json()["label"] == "metastasis"


def test_a_hung_triton_ends_in_timeouts_and_then_in_open_circuit_breakers(
    own: RunningTriton, client: TestClient
) -> None:
    server = server_of(own)
    server.suspend()
    try:
        statuses = []
        for _ in range(7):
            began = time.monotonic()
            statuses.append(ask(client).status_code)
            assert time.monotonic() - began < ANSWERED_WITHIN_S
        assert statuses[:5] == [504] * 5
        assert statuses[-1] == 503, "the circuit breakers are open"
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
    finally:
        server.resume()
    until_it_answers(client)


def test_the_service_reconnects_to_a_restarted_triton(own: RunningTriton, client: TestClient) -> None:
    before = server_of(own).pid
    os.kill(before, signal.SIGKILL)
    assert ask(client).status_code in (503, 504)
    until_it_answers(client)
    assert server_of(own).pid != before


def test_a_slow_model_is_left_out_at_the_deadline(own: RunningTriton, view: Path, authority: TokenAuthority) -> None:
    write_slow(view, "classify_slow")
    shutil.copytree(view / "classify_slow", view.parent / "classify_slow")
    (view.parent / "classify_slow").rename(own.repository / "classify_slow")
    wait_until_loaded(own, "classify_slow")
    with ModelServices(authority, own.grpc).classify(view, deadline_s=DEADLINE_S) as client:
        until_it_answers(client)
        began = time.monotonic()
        answer = ask(client)
        assert time.monotonic() - began < ANSWERED_WITHIN_S
        assert answer.status_code == 200
        assert answer.json()["missing_models"] == ["classify_slow"]
        assert answer.json()["label"] == "metastasis"


def test_a_model_unloaded_under_load_is_reported_and_the_others_answer(
    own: RunningTriton, view: Path, authority: TokenAuthority
) -> None:
    service = ModelServices(authority, own.grpc).classify(view, deadline_s=LONG_DEADLINE_S)
    with service as client, ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(ask, client) for _ in range(40)]
        shutil.rmtree(own.repository / "classify_two")
        deadline = time.monotonic() + RECOVERED_WITHIN_S
        missing: list[str] = []
        while missing != ["classify_two"]:
            assert time.monotonic() < deadline
            answers += [pool.submit(ask, client) for _ in range(8)]
            missing = answers[-1].result().json()["missing_models"]
    documents = [answer.result() for answer in answers]
    assert {document.status_code for document in documents} == {200}
    assert {document.json()["label"] for document in documents} == {"metastasis"}
