"""Work of a study that is started before the step that needs it: model services compute while the worker stores."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)
Answer = TypeVar("Answer")
Work = Callable[[], Coroutine[Any, Any, Answer]]


class StartedEarly(Generic[Name, Answer]):
    """Answers by name, in memory only: a worker that dies has lost them, and the next one computes them again."""

    def __init__(self) -> None:
        self._tasks: dict[Name, asyncio.Task[Answer]] = {}

    def start(self, name: Name, work: Work[Answer]) -> None:
        """Once for each name."""
        if name not in self._tasks:
            self._tasks[name] = asyncio.create_task(work())

    async def answer(self, name: Name, work: Work[Answer]) -> Answer:
        """Starts the work where it was not started. Raises what the work raises; it can then be started again."""
        self.start(name, work)
        try:
            return await self._tasks[name]
        finally:
            del self._tasks[name]

    async def stop(self) -> None:
        """Cancels what nobody waits for any more."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
