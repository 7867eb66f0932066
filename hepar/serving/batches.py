"""Many images in one request: each gets an answer or a problem of its own, in the order they came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from hepar.contracts.problems import Problem
from hepar.core.errors import HeparError
from hepar.web.problems import problem_of

Answer = TypeVar("Answer")
BATCH_CONCURRENCY = 8
"""Images under way of one batch: as many as Triton puts into one run of a network."""


async def answer_each(
    images: Sequence[bytes | HeparError], work: Callable[[bytes], Awaitable[Answer]]
) -> list[Answer | Problem]:
    """images: bytes, or why there are none."""
    answers = {index: answer async for index, answer in answers_as_ready(images, work)}
    return [answers[index] for index in range(len(images))]


async def answers_as_ready(
    images: Sequence[bytes | HeparError], work: Callable[[bytes], Awaitable[Answer]]
) -> AsyncIterator[tuple[int, Answer | Problem]]:
    """The same with each image's index, in the order in which they become ready."""
    places = asyncio.Semaphore(BATCH_CONCURRENCY)

    async def one(index: int, image: bytes | HeparError) -> tuple[int, Answer | Problem]:
        if isinstance(image, HeparError):
            return index, problem_of(image)
        async with places:
            try:
                return index, await work(image)
            except HeparError as error:
                return index, problem_of(error)

    tasks = [asyncio.create_task(one(index, image)) for index, image in enumerate(images)]
    try:
        for ready in asyncio.as_completed(tasks):
            yield await ready
    finally:
        for task in tasks:
            task.cancel()
