"""Clients of the running stack."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.support.stack import Stack, tiny_repository, tiny_stack

__all__ = ["EMAIL", "PASSWORD", "Stack", "signed_in", "tiny_repository", "tiny_stack"]

EMAIL, PASSWORD = "ada@example.org", "a long enough password"


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `make test-hospital` gives; unknown where all tests are run together."""
    parser.addoption("--series", help="folder of DICOM files that the archive has; samples/study.zip by default")


@pytest.fixture(scope="session")
def client(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.settings.gateway_url, timeout=40, trust_env=False) as client:
        yield client


def signed_in(client: httpx.Client) -> dict[str, str]:
    """The headers of somebody who signed up and in through the gateway."""
    form = {"email": EMAIL, "password": PASSWORD}
    assert client.post("/v1/users", json=form).status_code == 201
    answer = client.post("/v1/token", data={"username": EMAIL, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.fixture(scope="session")
def bearer(client: httpx.Client) -> dict[str, str]:
    return signed_in(client)
