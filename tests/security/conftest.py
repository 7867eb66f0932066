"""Attacks run against a real stack of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.conftest import bearer, client
from tests.support.stack import Stack, tiny_stack

__all__ = ["bearer", "client"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `make attack` gives; unknown where all tests are run together."""
    parser.addoption("--corpora", help="folder of third-party files to upload")
    parser.addoption("--full", action="store_true", help="schemathesis with 100 examples an operation")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with tiny_stack(tmp_path_factory.mktemp("attacked")) as running:
        yield running
