"""What the model services answer about slices of a volume, asked in parts before a step needs them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import groupby

from pydantic import BaseModel

from hepar.contracts.slices import SliceClassifications, SliceDetections
from study_service.slice_models import joined_classifications, joined_detections

PART_SLICES = 8
PARTS_IN_FLIGHT = 3
"""No model waits for slices with as many; their pixels are in memory."""


class SliceAnswers(BaseModel):
    """Of the models, for the slices from `start`."""

    start: int
    classifications: SliceClassifications
    detections: SliceDetections

    @classmethod
    def joined(cls, start: int, parts: list[SliceAnswers]) -> SliceAnswers:
        """parts: of consecutive slices from `start`."""
        return cls(
            start=start,
            classifications=joined_classifications([part.classifications for part in parts]),
            detections=joined_detections([part.detections for part in parts]),
        )

    def of(self, start: int, stop: int) -> SliceAnswers:
        """For some of the slices."""
        part, classified, detected = slice(start - self.start, stop - self.start), self.classifications, self.detections
        return SliceAnswers(
            start=start,
            classifications=classified.model_copy(update={"items": classified.items[part]}),
            detections=detected.model_copy(update={"items": detected.items[part], "single": detected.single[part]}),
        )


Ask = Callable[[range], Awaitable[SliceAnswers]]
"""About consecutive slices."""


class AskedSlices:
    """Answers in memory only: a worker that dies has lost them, and the next one asks again. Call `stop` at the end."""

    def __init__(self) -> None:
        self._by_slice: dict[int, asyncio.Task[SliceAnswers]] = {}
        self._turns = asyncio.Semaphore(PARTS_IN_FLIGHT)

    def ask(self, indices: range, ask: Ask) -> None:
        """About those of the slices that were not asked about yet, and does not wait."""
        new = [index for index in indices if index not in self._by_slice]
        for _, numbered in groupby(enumerate(new), key=lambda item: item[1] - item[0]):
            run = [index for _, index in numbered]
            for start in range(run[0], run[-1] + 1, PART_SLICES):
                part = range(start, min(start + PART_SLICES, run[-1] + 1))
                self._by_slice |= dict.fromkeys(part, asyncio.create_task(self._in_turn(part, ask)))

    async def answers(self, indices: range, ask: Ask) -> SliceAnswers:
        """Asks about what was not asked about before. Raises what `ask` raises."""
        self.ask(indices, ask)
        parts = []
        for task, group in groupby(indices, key=self._by_slice.__getitem__):
            run, answers = list(group), await task
            parts.append(answers.of(run[0], run[-1] + 1))
        return SliceAnswers.joined(indices.start, parts)

    async def stop(self) -> None:
        """Cancels what nobody waits for any more, and forgets all answers."""
        tasks = set(self._by_slice.values())
        self._by_slice.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _in_turn(self, part: range, ask: Ask) -> SliceAnswers:
        async with self._turns:
            return await ask(part)
