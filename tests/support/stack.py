"""The whole stack as processes, with tiny models."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from local_stack.demo import running_stack, state_variables
from local_stack.settings import StackSettings, on_free_ports
from tests.support.auth_client import PASSWORD
from tests.support.tiny_models import write_classifier, write_detector


@dataclass(frozen=True)
class Stack:
    settings: StackSettings
    folder: Path
    pid: int

    def process(self, words: str) -> psutil.Process:
        """The one process of the stack whose command line holds `words`."""
        (found,) = (
            process
            for process in psutil.Process(self.pid).children(recursive=True)
            if words in " ".join(process.cmdline())
        )
        return found

    def variables(self) -> dict[str, str]:
        """The environment of a command that works with the state of this stack."""
        ports = {name: str(port) for name, port in self.settings.ports().items()}
        return ports | state_variables(self.folder)

    def create_administrator(self, password: str = PASSWORD, email: str | None = None) -> str:
        """By the command. Returns the e-mail address."""
        email = email or f"{uuid.uuid4().hex}@example.org"
        variables = self.variables() | {"HEPAR_ADMIN_PASSWORD": password}
        command = [sys.executable, "-m", "auth_service", "create-admin", email]
        subprocess.run(command, env=os.environ | variables, check=True, timeout=120)
        return email

    def logs(self) -> str:
        return (self.folder / "stack.log").read_text()


_OF_TESTS = {"HEPAR_AUTH_SIGNUP_BURST": "1000", "HEPAR_AUTH_ACCESS_TOKEN_S": "3600"}
"""Tests sign up from one address; tests of two files that share a stack may be many minutes apart."""


def tiny_repository(folder: Path) -> Path:
    write_classifier(folder, "classify_tiny", (0.0, 2.0, 0.0))
    write_detector(folder, "detect_tiny", (0.25, 0.25, 0.5, 0.5), 0.9, 1)
    return folder


@contextmanager
def tiny_stack(folder: Path, **variables: str) -> Iterator[Stack]:
    """A separate stack, with additional environment variables for its processes."""
    repository = tiny_repository(folder / "models")
    settings = on_free_ports().model_copy(update={"triton_model_repository": repository})
    with running_stack(settings, folder, _OF_TESTS | variables) as process:
        yield Stack(settings, folder, process.pid)


@contextmanager
def gateway_alone(folder: Path, **environment: str) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
    """A gateway without the services behind it, which lives."""
    settings = on_free_ports()
    told = {f"HEPAR_GATEWAY_{name.upper()}": value for name, value in environment.items()}
    told["HEPAR_GATEWAY_DATABASE_URL"] = f"sqlite+aiosqlite:///{folder / 'gateway.sqlite3'}"
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway"], env=os.environ | settings.environment() | told, stdout=subprocess.DEVNULL
    )
    try:
        with httpx.Client(base_url=settings.gateway_url, timeout=10, trust_env=False) as client:
            deadline = time.monotonic() + 30
            while True:
                try:
                    client.get("/healthz")
                    break
                except httpx.ConnectError:
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
            yield client, process
    finally:
        process.kill()
        process.wait()
