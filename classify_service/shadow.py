"""Shadow versions: they get a copy of each request, and their labels are compared with those of the serving version."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Protocol

from hepar.contracts.cards import ModelCard
from hepar.core.errors import HeparError
from hepar.core.metrics import SHADOW_VOTES

IN_FLIGHT_MAX = 16


class LabelledOutput(Protocol):
    """Output of one model."""

    @property
    def card(self) -> ModelCard: ...

    @property
    def label(self) -> str: ...


Outputs = Sequence[LabelledOutput | HeparError]
"""For each image."""


class ShadowVersions:
    """Counts how often a shadow version has the same label as the serving version."""

    def __init__(self) -> None:
        self._in_flight: set[asyncio.Task[None]] = set()

    def compare(self, served: Outputs, version: str, call: Coroutine[None, None, Outputs]) -> None:
        """Runs `call`, about the same images, in the background; skips it where IN_FLIGHT_MAX calls are in flight."""
        if len(self._in_flight) >= IN_FLIGHT_MAX:
            call.close()
            return
        task = asyncio.create_task(_compare(served, version, call))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)


async def _compare(served: Outputs, version: str, call: Coroutine[None, None, Outputs]) -> None:
    for of_served, of_shadow in zip(served, await call, strict=True):
        if isinstance(of_served, HeparError):
            continue
        if isinstance(of_shadow, HeparError):
            outcome = "failed"
        else:
            outcome = "same" if of_shadow.label == of_served.label else "other"
        SHADOW_VOTES.labels(of_served.card.name, version, outcome).inc()
