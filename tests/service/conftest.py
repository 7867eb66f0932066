"""A real Triton with tiny models and a real PostgreSQL, for as long as these tests run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from auth_service.app import create_app
from auth_service.settings import AuthSettings
from local_stack.settings import StackSettings, on_free_ports
from tests.desk import Desk
from tests.event_loop import one_event_loop
from tests.gateway_desk import around
from tests.postgresql import PostgreSql, postgresql_server
from tests.tiny_models import write_broken, write_classifier, write_detector, write_input_check, write_looking

__all__ = ["around", "one_event_loop"]
READY_WITHIN_S = 90
SHIPPED = Path("triton_models")
LIARS: dict[str, tuple[tuple[float, float, float, float], float, int]] = {
    "score_over_one": ((0.1, 0.1, 0.5, 0.5), 1.5, 0),
    "score_below_zero": ((0.1, 0.1, 0.5, 0.5), -0.1, 0),
    "unknown_label": ((0.1, 0.1, 0.5, 0.5), 0.5, 2),
    "negative_label": ((0.1, 0.1, 0.5, 0.5), 0.5, -1),
    "far_outside": ((0.1, 0.1, 7.0, 0.5), 0.5, 0),
}
"""Detectors that answer what none may."""


@dataclass(frozen=True)
class RunningTriton:
    """pid: of its keeper.  log_file: Triton's own."""

    settings: StackSettings
    repository: Path
    pid: int
    log_file: Path

    @property
    def grpc(self) -> str:
        return f"127.0.0.1:{self.settings.triton_grpc_port}"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.settings.triton_http_port}"


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    folder = tmp_path_factory.mktemp("triton")
    repository = folder / "models"
    write_classifier(repository, "classify_bright", (0.0, 1.0, 0.0), brightness_gain=4.0)
    write_classifier(repository, "classify_steady", (0.0, 1.0, 0.0))
    write_detector(repository, "detect_left", (0.25, 0.25, 0.5, 0.5), 0.9, 1)
    write_detector(repository, "detect_right", (0.27, 0.25, 0.5, 0.5), 0.5, 1)
    write_classifier(repository, "single", (0.0, 1.0, 0.0), brightness_gain=4.0, batched=False)
    write_broken(repository, "broken")
    write_looking(repository, "looking")
    write_input_check(repository, "check_brightness")
    write_input_check(repository, "check_nothing", gain=float("nan"))
    shutil.copytree(SHIPPED / "check_input", repository / "check_input")
    for name, (box, score, label) in LIARS.items():
        write_detector(repository, name, box, score, label)
    write_classifier(repository, "not_a_number", (float("nan"), 1.0, 0.0))
    unasked = (
        "single",
        "broken",
        "looking",
        "check_brightness",
        "check_nothing",
        "check_input",
        "not_a_number",
        *LIARS,
    )
    for name in unasked:  # without a card they are of no service's ensemble
        (repository / name / "card.json").unlink()
    with running_triton(folder, repository) as running:
        yield running


@contextmanager
def running_triton(folder: Path, repository: Path) -> Iterator[RunningTriton]:
    """folder: for its log and state."""
    settings = on_free_ports().model_copy(update={"triton_model_repository": repository})
    log_file = folder / "triton.log"
    environment = os.environ | settings.environment()
    environment |= {"HEPAR_TRITON_LOG_FILE": str(log_file), "HEPAR_TRITON_STATE_FOLDER": str(folder / "state")}
    # A bare base: only the PATH that Triton's own environment gives leads its Python to onnxruntime.
    environment["PATH"] = "/usr/bin:/bin"
    keeper = subprocess.Popen([sys.executable, "-m", "triton_runtime"], env=environment)
    running = RunningTriton(settings, repository, keeper.pid, log_file)
    try:
        wait_for_triton(running, keeper)
        yield running
    finally:
        keeper.send_signal(signal.SIGTERM)
        keeper.wait(30)


def wait_for_triton(running: RunningTriton, keeper: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        assert keeper.poll() is None, running.log_file.read_text()[-3000:]
        try:
            if httpx.get(f"{running.http}/v2/health/ready", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise AssertionError(running.log_file.read_text()[-3000:])


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    with postgresql_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'deep' / 'accounts.sqlite3'}"
    server: PostgreSql = request.getfixturevalue("postgresql")
    return server.new_database()


@pytest.fixture
def auth_settings(database_url: str, tmp_path: Path) -> AuthSettings:
    return AuthSettings(
        database_url=database_url,
        keys_folder=tmp_path / "keys",
        secret_key_file=tmp_path / "secret.key",
        proxies=["192.0.2.0/28"],
    )


@pytest.fixture
def desk(auth_settings: AuthSettings) -> Iterator[Desk]:
    """The client is the gateway."""
    app = create_app(auth_settings)
    with TestClient(app, base_url="http://127.0.0.1", client=("192.0.2.1", 50000)) as client:
        yield Desk(client)


@pytest.fixture
def time_stands_still(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """For whoever counts attempts: a busy machine would else wait out a delay of one second by itself."""
    now = datetime.now(UTC)
    monkeypatch.setattr(desk.house.throttle, "_clock", lambda: now)
