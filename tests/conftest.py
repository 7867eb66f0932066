"""A real Triton with tiny models, the whole stack and a real PostgreSQL, for as long as these tests run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import fastapi.dependencies.models
import hypothesis
import pytest
from starlette.testclient import TestClient

from auth_service.app import create_app
from auth_service.settings import AuthSettings
from tests.support.auth_client import AuthTestClient
from tests.support.event_loop import one_event_loop
from tests.support.gateway_client import around
from tests.support.model_services import ModelServices
from tests.support.postgresql import PostgreSql, postgresql_server
from tests.support.stack import Stack, tiny_stack
from tests.support.tiny_models import (
    write_broken,
    write_classifier,
    write_detector,
    write_input_check,
    write_mapped_classifier,
    write_segmenter,
)
from tests.support.tokens import TokenAuthority, token_authority
from tests.support.triton import INVALID_DETECTORS, SHIPPED, RunningTriton, running_triton

__all__ = ["around", "one_event_loop"]

# Without its limit of 200 ms for an example, which a busy machine exceeds.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes may contain the time at which they were made (gzip), but all processes must give a test the same name."""
    return argname if isinstance(val, bytes) else None


def pytest_report_teststatus(report: pytest.TestReport, config: pytest.Config) -> tuple[str, str, str] | None:
    """The name and message of a failure at once: a run that is cut off has no summary."""
    if not report.failed or config.option.verbose > 0:
        return None
    category, letter = ("failed", "F") if report.when == "call" else ("error", "E")
    crash = getattr(report.longrepr, "reprcrash", None)
    message = crash.message.partition("\n")[0] if crash else ""
    return category, f"{letter} {report.nodeid}: {message}\n", category.upper()


@pytest.fixture(autouse=True)
def apps_are_released() -> Iterator[None]:
    """FastAPI's caches of endpoints hold thousands, and with them the apps of the tests: 2 GB at the end of a run."""
    yield
    for value in vars(fastapi.dependencies.models).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()


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
    write_mapped_classifier(repository, "mapped")
    write_input_check(repository, "check_brightness")
    write_input_check(repository, "check_nothing", gain=float("nan"))
    shutil.copytree(SHIPPED / "check_input", repository / "check_input")
    shutil.copytree(SHIPPED / "segment_resunet", repository / "segment_resunet")
    write_segmenter(repository, "segment_grey")
    write_segmenter(repository, "segment_dark", in_the_dark=True)
    for name, (box, score, label) in INVALID_DETECTORS.items():
        write_detector(repository, name, box, score, label)
    write_classifier(repository, "not_a_number", (float("nan"), 1.0, 0.0))
    unasked = (
        "single",
        "broken",
        "mapped",
        "check_brightness",
        "check_nothing",
        "check_input",
        "segment_resunet",
        "segment_grey",
        "segment_dark",
        "not_a_number",
        *INVALID_DETECTORS,
    )
    for name in unasked:  # without a card they are of no service's ensemble
        (repository / name / "card.json").unlink()
    with running_triton(folder, repository) as running:
        yield running


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenAuthority]:
    """For model services without auth_service."""
    with token_authority(tmp_path_factory.mktemp("authority")) as running:
        yield running


@pytest.fixture(scope="session")
def services(triton: RunningTriton, authority: TokenAuthority) -> ModelServices:
    return ModelServices(authority, triton.grpc)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with tiny_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


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
def auth(auth_settings: AuthSettings) -> Iterator[AuthTestClient]:
    """The client is the gateway."""
    app = create_app(auth_settings)
    with TestClient(app, base_url="http://127.0.0.1", client=("192.0.2.1", 50000)) as client:
        yield AuthTestClient(client)


@pytest.fixture
def frozen_time(auth: AuthTestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops the throttle's clock: on a busy machine a delay of one second would otherwise pass by itself."""
    now = datetime.now(UTC)
    monkeypatch.setattr(auth.dependencies.throttle, "_clock", lambda: now)
