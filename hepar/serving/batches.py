"""Many images in one request: each gets a result or a problem of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from hepar.contracts.problems import Problem
from hepar.core.errors import HeparError
from hepar.web.problems import problem_of
from hepar.web.uploads import ImageBytes

Image = TypeVar("Image")
Result = TypeVar("Result")
BATCH_CONCURRENCY = 8
"""Images of one batch in flight: as many as Triton puts into one run of a network."""
GROUPS_IN_FLIGHT = 2
"""Groups of one batch that the networks work on: with one, each network would wait for the slowest of them."""


class Groups(Generic[Image, Result]):
    """Images of one batch after they are decoded: those that wait at the same time are analysed together.

    analyse: gives a result or an error for each image of a group; what it raises is the error of all of them.
    """

    def __init__(self, analyse: Callable[[Sequence[Image]], Awaitable[Sequence[Result | HeparError]]]) -> None:
        self._analyse = analyse
        self._slots = asyncio.Semaphore(GROUPS_IN_FLIGHT)
        self._waiting: list[tuple[Image, asyncio.Future[Result | HeparError]]] = []

    async def result_of(self, image: Image) -> Result:
        """Raises the error of the image."""
        answer: asyncio.Future[Result | HeparError] = asyncio.get_running_loop().create_future()
        self._waiting.append((image, answer))
        async with self._slots:
            group, self._waiting = self._waiting, []
            if group:  # otherwise all are in the group of another image
                await self._answer(group)
        result = await answer
        if isinstance(result, HeparError):
            raise result
        return result

    async def _answer(self, group: Sequence[tuple[Image, asyncio.Future[Result | HeparError]]]) -> None:
        try:
            results = await self._analyse([image for image, _ in group])
        except HeparError as error:
            results = [error] * len(group)
        for (_, answer), result in zip(group, results, strict=True):
            answer.set_result(result)


async def results_as_ready(
    images: Sequence[ImageBytes | HeparError], analyse: Callable[[ImageBytes], Awaitable[Result]]
) -> AsyncIterator[tuple[int, Result | Problem]]:
    """The index and the result of each image, in the order in which they become ready.

    images: bytes, or why an upload cannot be used.
    """
    slots = asyncio.Semaphore(BATCH_CONCURRENCY)

    async def one(index: int, image: ImageBytes | HeparError) -> tuple[int, Result | Problem]:
        if isinstance(image, HeparError):
            return index, problem_of(image)
        async with slots:
            try:
                return index, await analyse(image)
            except HeparError as error:
                return index, problem_of(error)

    tasks = [asyncio.create_task(one(index, image)) for index, image in enumerate(images)]
    try:
        for ready in asyncio.as_completed(tasks):
            yield await ready
    finally:
        for task in tasks:
            task.cancel()


async def in_order(results: AsyncIterator[tuple[int, Result | Problem]]) -> list[Result | Problem]:
    """All results, in the order of the images."""
    by_index = {index: result async for index, result in results}
    return [by_index[index] for index in range(len(by_index))]
