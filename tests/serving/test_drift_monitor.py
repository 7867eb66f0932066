"""Input drift as a metric, by the reference in the model cards."""

from __future__ import annotations

import json
from pathlib import Path

from prometheus_client import REGISTRY

from hepar.contracts.cards import Distribution
from hepar.ensemble.drift import IMAGES_MIN
from hepar.inference import ModelSet, read_cards
from hepar.inference.version_routing import VersionRouting
from hepar.serving.drift_monitor import DriftMonitor
from tests.support.tiny_models import agree_on, write_classifier


def models(folder: Path, *signals: str) -> ModelSet:
    write_classifier(folder, "classify_tiny", (0.0, 2.0, 0.0))
    agree_on(folder, ["classify_tiny"], decision_threshold=0.5, method="soft_vote")
    card = folder / "classify_tiny" / "card.json"
    document = json.loads(card.read_text())
    halves = Distribution(edges=[0.5], shares=[0.5, 0.5]).model_dump()
    document["ensemble"]["reference"] = dict.fromkeys(signals, halves)
    card.write_text(json.dumps(document))
    return ModelSet({name: VersionRouting(one) for name, one in read_cards(folder, "classification").items()})


def drift(signal: str) -> float | None:
    return REGISTRY.get_sample_value("hepar_drift_psi", {"signal": signal})


def test_a_shift_is_measured_and_a_new_reference_starts_again(tmp_path: Path) -> None:
    monitor = DriftMonitor("classification")
    first = models(tmp_path / "first", "test_confidence")
    for _ in range(IMAGES_MIN):
        monitor.record(first, {"test_confidence": 0.9})
    assert (drift("test_confidence") or 0) > 0.2
    assert REGISTRY.get_sample_value("hepar_drift_images", {"task": "classification"}) == IMAGES_MIN
    second = models(tmp_path / "second", "test_other")
    monitor.record(second, {"test_other": 0.9})
    assert drift("test_confidence") is None
    assert drift("test_other") is None


def test_models_without_a_reference_have_no_drift_metric(tmp_path: Path) -> None:
    monitor = DriftMonitor("detection")
    without = models(tmp_path)
    for _ in range(IMAGES_MIN):
        monitor.record(without, {"test_nothing": 0.9})
    assert drift("test_nothing") is None
