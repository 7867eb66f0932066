"""Drift as a gauge: the answers of late against the reference in the models' cards."""

from __future__ import annotations

from collections.abc import Mapping

from hepar.contracts.cards import Task
from hepar.core.metrics import DRIFT, DRIFT_IMAGES
from hepar.ensemble.drift import DriftWatch
from hepar.inference import ModelSet

_EVERY = 10


class Watch:
    """Of one task. Begins anew when the models' reference changes."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._drift = DriftWatch({})
        self._count = 0

    def note(self, models: ModelSet, signals: Mapping[str, float]) -> None:
        """Of one image that was answered by the default way of all models: others are not comparable."""
        reference = models.ensemble.reference if models.ensemble else {}
        if reference != self._drift.reference:
            for name in self._drift.reference:
                DRIFT.remove(name)
            self._drift = DriftWatch(reference)
        self._drift.observe(signals)
        self._count += 1
        if self._count % _EVERY == 0:
            DRIFT_IMAGES.labels(self._task).set(self._drift.images())
            for name, index in self._drift.indices().items():
                DRIFT.labels(name).set(index)
