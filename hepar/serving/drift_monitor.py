"""Input drift as a metric: recent results compared with the reference in the model cards."""

from __future__ import annotations

from collections.abc import Mapping

from hepar.contracts.cards import Task
from hepar.core.metrics import DRIFT, DRIFT_IMAGES
from hepar.ensemble.drift import DriftStatistics
from hepar.inference import ModelSet

_IMAGES_PER_UPDATE = 10


class DriftMonitor:
    """Drift of one task. It starts again when the reference changes."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._statistics = DriftStatistics({})
        self._count = 0

    def record(self, models: ModelSet, signals: Mapping[str, float]) -> None:
        """Adds one image that all models answered and the default method decided: others are not comparable."""
        reference = models.ensemble.reference if models.ensemble else {}
        if reference != self._statistics.reference:
            for name in self._statistics.reference:
                DRIFT.remove(name)
            self._statistics = DriftStatistics(reference)
        self._statistics.observe(signals)
        self._count += 1
        if self._count % _IMAGES_PER_UPDATE == 0:
            DRIFT_IMAGES.labels(self._task).set(self._statistics.image_count())
            for name, index in self._statistics.indices().items():
                DRIFT.labels(name).set(index)
