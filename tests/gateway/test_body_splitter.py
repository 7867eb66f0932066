"""One upload for two readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.body_splitter import BodySplitter

READERS = ("one", "other")


async def chunks(count: int, size: int = 10) -> AsyncIterator[bytes]:
    for number in range(count):
        yield bytes([number % 256]) * size


async def collect(splitter: BodySplitter, reader: str) -> bytes:
    return b"".join([chunk async for chunk in splitter.reader(reader)])


def test_both_readers_get_the_whole_body() -> None:
    async def scenario() -> None:
        splitter = BodySplitter(chunks(50), READERS)
        _, one, other = await asyncio.gather(splitter.pump(), collect(splitter, "one"), collect(splitter, "other"))
        assert one == other
        assert len(one) == 500

    asyncio.run(scenario())


def test_a_slow_reader_holds_the_upload_back_so_that_memory_stays_small() -> None:
    read = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal read
        for number in range(100):
            read += 1
            yield bytes([number])

    async def scenario() -> None:
        splitter = BodySplitter(counted(), READERS, depth=4)
        pump = asyncio.create_task(splitter.pump())
        fast = asyncio.create_task(collect(splitter, "one"))
        await asyncio.sleep(0.05)
        assert read <= 6
        slow = await collect(splitter, "other")
        await pump
        assert slow == await fast

    asyncio.run(scenario())


def test_a_reader_that_leaves_holds_nobody_back() -> None:
    async def scenario() -> None:
        splitter = BodySplitter(chunks(100), READERS, depth=2)
        pump = asyncio.create_task(splitter.pump())
        staying = asyncio.create_task(collect(splitter, "one"))
        await asyncio.sleep(0.01)
        splitter.leave("other")
        assert len(await asyncio.wait_for(staying, 2)) == 1000
        await pump
        assert await collect(splitter, "other") == b""

    asyncio.run(scenario())


def test_what_ends_the_body_early_reaches_every_reader() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"start"
        raise ConnectionError("client gone")

    async def scenario() -> None:
        splitter = BodySplitter(broken(), READERS)
        outcomes = await asyncio.gather(
            splitter.pump(), collect(splitter, "one"), collect(splitter, "other"), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [ConnectionError] * 3

    asyncio.run(scenario())
    with pytest.raises(ConnectionError):
        asyncio.run(BodySplitter(broken(), []).pump())
