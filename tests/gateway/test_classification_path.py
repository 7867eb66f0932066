"""The modules that one classification runs through: what a reader needs to follow a request (decision 0056)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import httpx
import pytest

from gateway.app import create_app
from gateway.settings import GatewaySettings
from tests.support.gateway_client import DARK, NOWHERE, PNG, Surroundings
from tests.support.serving import serving

ROOT = Path(__file__).resolve().parents[2]
OURS = ("gateway", "hepar", "classify_service")
FEWER_THAN = 22
PATH = {
    "gateway/api/images.py",
    "gateway/api/dependencies.py",
    "hepar/web/uploads.py",
    "hepar/web/multipart.py",
    "hepar/web/upstream.py",
    "classify_service/api.py",
    "hepar/serving/routes.py",
    "hepar/serving/options.py",
    "hepar/serving/model_service.py",
    "classify_service/classifiers.py",
    "hepar/serving/decode_workers.py",
    "hepar/imaging/geometry.py",
    "hepar/serving/scope_check.py",
    "hepar/serving/segmenter.py",
    "hepar/serving/quorum.py",
    "hepar/inference/combined_calls.py",
    "hepar/inference/version_routing.py",
    "hepar/inference/triton.py",
    "hepar/inference/outputs.py",
    "hepar/ensemble/voting.py",
}
# In the gateway and in the service, around every request of any kind.
PROTECTIONS = {
    "gateway/authentication.py",
    "gateway/browser_headers.py",
    "gateway/capacity.py",
    "gateway/complete_results.py",
    "gateway/fhir_errors.py",
    "gateway/idempotency.py",
    "gateway/rate_limit.py",
    "hepar/core/deadlines.py",
    "hepar/core/networks.py",
    "hepar/inference/circuit_breaker.py",
    "hepar/serving/fair_slots.py",
    "hepar/serving/upload_memory.py",
    "hepar/storage/request_counts.py",
    "hepar/web/access_tokens.py",
    "hepar/web/app.py",
    "hepar/web/bearer.py",
    "hepar/web/connection_limits.py",
    "hepar/web/guard.py",
    "hepar/web/in_flight.py",
    "hepar/web/openapi.py",
    "hepar/web/query.py",
    "hepar/web/request_body.py",
    "hepar/web/request_limits.py",
    "hepar/web/token_verifier.py",
}
TELEMETRY = {
    "hepar/core/metrics.py",
    "hepar/core/request_context.py",
    "hepar/core/tracing.py",
    "hepar/ensemble/drift.py",
    "hepar/serving/drift_monitor.py",
    "hepar/web/access_log.py",
}
# Not part of each request: reading the model repository, the gateway's maintenance every few seconds, and times
# in the database, which some requests write.
BACKGROUND = {
    "gateway/shared_state.py",
    "hepar/contracts/cards.py",
    "hepar/core/combined_model.py",
    "hepar/core/file_stamps.py",
    "hepar/inference/repository_watcher.py",
    "hepar/storage/database.py",
    "hepar/storage/stored_responses.py",
    "hepar/storage/tables.py",
}


class Recorder:
    """Modules of which a function runs, in every thread that starts while it is the profiler."""

    def __init__(self) -> None:
        self.recording = False
        self.modules: set[str] = set()

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        if not self.recording or event != "call" or frame.f_code.co_name == "<module>":
            return
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and (name := path.relative_to(ROOT)).parts[0] in OURS:
            self.modules.add(name.as_posix())


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    made, before = Recorder(), threading.getprofile()
    threading.setprofile(made)
    yield made
    threading.setprofile(before)  # None ends it


def test_one_classification_enters_fewer_than_22_modules(
    recorder: Recorder, around: Surroundings, tmp_path: Path
) -> None:
    settings = GatewaySettings.model_validate(
        {
            "auth_url": around.auth_url,
            "classify_url": around.classify_url,
            "detect_url": NOWHERE,
            "database_url": f"sqlite+aiosqlite:///{tmp_path / 'gateway.sqlite3'}",
        }
    )
    bearer = {"authorization": f"Bearer {around.issuer.issue('somebody', 'analyses account')}"}
    with serving(create_app(settings)) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        for recording in (False, True):  # the first request opens connections and fetches keys
            recorder.recording = recording
            answer = client.post("/v1/classifications", content=DARK, headers=PNG | bearer)
            recorder.recording = False
            assert answer.status_code == 200, answer.text
    path = recorder.modules - PROTECTIONS - TELEMETRY - BACKGROUND
    print(*sorted(path), f"{len(path)} modules, besides those around every request", sep="\n")  # noqa: T201
    assert path == PATH
    assert len(path) + len(["all that is around every request"]) < FEWER_THAN
    assert recorder.modules >= PROTECTIONS | TELEMETRY, "a module that no request enters is not listed"
