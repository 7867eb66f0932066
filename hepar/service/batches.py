"""Many images in one request: each gets an answer or a problem of its own, in the order they came."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from hepar.contracts.problems import Problem
from hepar.service.problems import HeparError, problem_of

Answer = TypeVar("Answer")
AT_ONCE = 8
"""Images under way of one batch: as many as Triton puts into one run of a network."""


async def answer_each(
    images: Sequence[bytes | HeparError], work: Callable[[bytes], Awaitable[Answer]]
) -> list[Answer | Problem]:
    """images: bytes, or why there are none."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(image: bytes | HeparError) -> Answer | Problem:
        if isinstance(image, HeparError):
            return problem_of(image)
        async with places:
            try:
                return await work(image)
            except HeparError as error:
                return problem_of(error)

    return list(await asyncio.gather(*map(one, images)))
