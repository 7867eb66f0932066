"""Versions that are only watched: asked beside the serving one, and nobody waits for what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Protocol

from hepar.core.errors import HeparError
from hepar.core.metrics import SHADOW_VOTES
from hepar.ensemble.voting import Vote

UNDER_WAY_MAX = 16


class Voted(Protocol):
    """What an answer holds."""

    @property
    def vote(self) -> Vote: ...


class Shadow:
    """Counts how often a watched version says what the serving one said."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[None]] = set()

    def ask(self, given: Vote, version: str, answer: Coroutine[None, None, Voted]) -> None:
        """Where as many are under way as may be, this one is left out."""
        if len(self._under_way) >= UNDER_WAY_MAX:
            answer.close()
            return
        task = asyncio.create_task(_compare(given, version, answer))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)


async def _compare(given: Vote, version: str, answer: Coroutine[None, None, Voted]) -> None:
    try:
        said = (await answer).vote.label
    except HeparError:
        outcome = "failed"
    else:
        outcome = "same" if said == given.label else "other"
    SHADOW_VOTES.labels(given.model, version, outcome).inc()
