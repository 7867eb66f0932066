"""Two gateway processes over one PostgreSQL: stored responses and rate limits are shared."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.support.gateway_client import DARK, PNG, Surroundings, bearer
from tests.support.postgresql import PostgreSql

STARTED_WITHIN_S = 60
PER_MINUTE = 7


@contextmanager
def gateway_process(around: Surroundings, database_url: str) -> Iterator[httpx.Client]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "HEPAR_GATEWAY_PORT": str(port),
        "HEPAR_GATEWAY_DATABASE_URL": database_url,
        "HEPAR_GATEWAY_AUTH_URL": around.auth_url,
        "HEPAR_GATEWAY_CLASSIFY_URL": around.classify_url,
        "HEPAR_GATEWAY_DETECT_URL": around.detect_url,
        "HEPAR_GATEWAY_STUDY_URL": around.study_url,
        "HEPAR_GATEWAY_ACCOUNT_PER_MINUTE": str(PER_MINUTE),
    }
    process = subprocess.Popen([sys.executable, "-m", "gateway"], env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client:
            wait_until_ready(client, process)
            yield client
    finally:
        process.terminate()
        process.wait(60)


def wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTED_WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError("the gateway did not start")


@pytest.fixture(scope="module")
def gateways(around: Surroundings, postgresql: PostgreSql) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    url = postgresql.new_database()
    with gateway_process(around, url) as one, gateway_process(around, url) as other:
        yield one, other


def test_a_key_repeated_at_the_other_gateway_gets_the_first_response(
    around: Surroundings, gateways: tuple[httpx.Client, httpx.Client]
) -> None:
    one, other = gateways
    headers = PNG | bearer(around, subject=uuid.uuid4().hex) | {"idempotency-key": str(uuid.uuid4())}
    first = one.post("/v1/classifications", content=DARK, headers=headers)
    again = other.post("/v1/classifications", content=DARK, headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    changed = other.post("/v1/classifications?vote=majority_vote", content=DARK, headers=headers)
    assert changed.json()["type"] == "/problems/idempotency-key-reused"


def test_the_rate_limit_counts_over_both_gateways(
    around: Surroundings, gateways: tuple[httpx.Client, httpx.Client]
) -> None:
    headers = bearer(around, subject=uuid.uuid4().hex)
    statuses = [gateways[number % 2].get("/v1/models", headers=headers).status_code for number in range(PER_MINUTE + 3)]
    assert statuses == [200] * PER_MINUTE + [429] * 3
