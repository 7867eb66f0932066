"""Shadow, canary, promotion and rollback of a model version on a real Triton under load."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from hepar.contracts.cards import ModelCard, Versions
from local_stack.settings import StackSettings
from tests.end_to_end.conftest import signed_in, tiny_stack
from tests.end_to_end.test_observability import measured
from tests.support.pictures import encoded, gradient
from tests.support.tiny_models import write_classifier
from training.versions import add_version, write_versions

IMAGE = encoded(gradient(64, 64))
MODEL = "classify_tiny"
ROLLBACK_S = 10


@dataclass
class Caller(threading.Thread):
    """Asks again and again, and remembers which version answered and what else came."""

    settings: StackSettings
    headers: dict[str, str]
    stop: threading.Event = field(default_factory=threading.Event)
    statuses: Counter[int] = field(default_factory=Counter)
    answers: list[tuple[float, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        with httpx.Client(base_url=self.settings.gateway_url, timeout=30, trust_env=False) as client:
            while not self.stop.is_set():
                answer = client.post("/v1/classifications", content=IMAGE, headers=self.headers)
                self.statuses[answer.status_code] += 1
                if answer.status_code == 200:
                    document = answer.json()
                    assert document["missing_models"] == []
                    self.answers.append((time.monotonic(), document["votes"][0]["version"]))

    def wait_for(self, what: Callable[[list[str]], bool], seconds: float, last: int = 30) -> float:
        """How long it took until the last answers were so."""
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            recent = [version for at, version in self.answers[-last:] if at > began]
            if len(recent) >= min(last, 10) and what(recent):
                return time.monotonic() - began
            time.sleep(0.05)
        raise AssertionError(f"not so after {seconds} s: {Counter(version for _, version in self.answers[-last:])}")


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Caller, Path]]:
    folder = tmp_path_factory.mktemp("versions")
    unlimited = {"HEPAR_GATEWAY_ACCOUNT_PER_MINUTE": "100000", "HEPAR_GATEWAY_ADDRESS_PER_MINUTE": "100000"}
    with tiny_stack(folder, **unlimited) as stack:
        with httpx.Client(base_url=stack.settings.gateway_url, timeout=40, trust_env=False) as client:
            headers = signed_in(client) | {"content-type": "application/octet-stream"}
        asking = Caller(stack.settings, headers)
        asking.start()
        try:
            yield asking, folder / "models" / MODEL
        finally:
            asking.stop.set()
            asking.join()


def test_shadow_canary_promotion_and_rollback_fail_no_request(caller: tuple[Caller, Path], tmp_path: Path) -> None:
    asking, folder = caller
    write_classifier(tmp_path, MODEL, (2.0, 0.0, 0.0))
    card = ModelCard.model_validate_json((tmp_path / MODEL / "card.json").read_bytes())
    asking.wait_for(lambda recent: set(recent) == {"1"}, 30)

    add_version(folder, "2", tmp_path / MODEL / "1" / "model.onnx", card)
    write_versions(folder, Versions(serving={"1": 1.0}, shadow=["2"]))
    metrics = asking.settings.classify_metrics_port
    ends = time.monotonic() + 40
    while time.monotonic() < ends and "hepar_shadow_votes_total" not in measured(metrics):
        time.sleep(0.5)
    assert measured(metrics)["hepar_shadow_votes_total"][(MODEL, "other", "2")] >= 1
    asking.wait_for(lambda recent: set(recent) == {"1"}, 10)

    write_versions(folder, Versions(serving={"1": 0.5, "2": 0.5}))
    asking.wait_for(lambda recent: recent.count("2") >= 5 and recent.count("1") >= 5, 30)
    write_versions(folder, Versions(serving={"2": 1.0}))
    asking.wait_for(lambda recent: set(recent) == {"2"}, 30)

    took = rolled_back(asking, folder)
    assert took < ROLLBACK_S
    assert set(asking.statuses) == {200}


def rolled_back(asking: Caller, folder: Path) -> float:
    write_versions(folder, Versions(serving={"1": 1.0}))
    return asking.wait_for(lambda recent: set(recent[-10:]) == {"1"}, ROLLBACK_S + 20)
