"""Many images in one request: each gets a result or a problem of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from hepar.contracts.problems import Problem
from hepar.core.errors import HeparError
from hepar.web.problems import problem_of
from hepar.web.uploads import ImageBytes

Result = TypeVar("Result")
BATCH_CONCURRENCY = 8
"""Images of one batch in flight: as many as Triton puts into one run of a network."""


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
