"""Images of a batch that wait for the networks at the same time are analysed together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from hepar.core.errors import HeparError, Unavailable
from hepar.serving.batches import Groups


class Networks:
    """Answers each image with ten times its number as soon as it may; an odd one fails."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.may_answer = asyncio.Event()

    async def analyse(self, images: Sequence[int]) -> list[int | HeparError]:
        self.groups.append(list(images))
        await self.may_answer.wait()
        return [Unavailable(f"not {image}") if image % 2 else 10 * image for image in images]


async def _results(groups: Groups[int, int], images: Sequence[int]) -> list[int | str]:
    """Of all images at once; of an image that fails, its error."""
    results = await asyncio.gather(*map(groups.result_of, images), return_exceptions=True)
    assert all(isinstance(result, int | Unavailable) for result in results), results
    return [result if isinstance(result, int) else str(result) for result in results]


def test_what_waits_while_the_networks_work_becomes_one_group() -> None:
    async def grouped() -> None:
        networks = Networks()
        results = asyncio.create_task(_results(Groups[int, int](networks.analyse), range(0, 12, 2)))
        for _ in range(10):  # more turns of the event loop than any image needs to get where it waits
            await asyncio.sleep(0)
        assert networks.groups == [[0], [2]], "the first ones do not wait for others"
        networks.may_answer.set()
        assert await results == [0, 20, 40, 60, 80, 100]
        assert networks.groups == [[0], [2], [4, 6, 8, 10]]

    asyncio.run(grouped())


def test_each_image_gets_its_own_result_or_error() -> None:
    async def answered() -> list[int | str]:
        networks = Networks()
        networks.may_answer.set()
        return await _results(Groups[int, int](networks.analyse), range(6))

    assert asyncio.run(answered()) == [0, "not 1", 20, "not 3", 40, "not 5"]


def test_an_error_of_a_group_is_that_of_all_its_images() -> None:
    async def analyse(_images: Sequence[int]) -> list[int | HeparError]:
        raise Unavailable("no model")

    assert asyncio.run(_results(Groups[int, int](analyse), range(5))) == ["no model"] * 5


def test_a_fault_of_ours_is_not_taken_for_an_answer() -> None:
    async def analyse(_images: Sequence[int]) -> list[int | HeparError]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(Groups[int, int](analyse).result_of(0))
