"""`make compose-test`: needs podman and podman-compose (shared/tools/container-engine.sh), root, and the images."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.containers.stack import ROOT, Containers

IMAGES = {
    "POSTGRES_IMAGE": "localhost/stand-in/postgres",
    "PROMETHEUS_IMAGE": "localhost/stand-in/prometheus",
}


@pytest.fixture(scope="session")
def containers() -> Iterator[Containers]:
    if shutil.which("podman") is None or shutil.which("podman-compose") is None:
        pytest.fail("podman and podman-compose are needed: ../shared/tools/container-engine.sh sets them up")
    subprocess.run([ROOT / "deploy" / "make-secrets"], check=True, timeout=60)
    stack = Containers(IMAGES)
    stack.down()
    try:
        stack.up()
        yield stack
    finally:
        stack.down()
