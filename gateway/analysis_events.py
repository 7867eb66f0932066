"""A batch as it goes: what both services say of an image, as soon as both said it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from gateway.analysis import UpstreamCall, or_problem, together
from gateway.body_splitter import BodySplitter
from hepar.contracts.analyses import AnalysisItem, ClassificationItem, DetectionItem
from hepar.core.deadlines import Deadline
from hepar.core.errors import HeparError

_Said = ClassificationItem | DetectionItem | HeparError | None


async def analysis_events(
    classify: UpstreamCall,
    detect: UpstreamCall,
    body: AsyncIterator[bytes],
    headers: Mapping[str, str],
    deadline: Deadline,
) -> AsyncIterator[AnalysisItem]:
    """One item an image, in the order in which they become ready.

    A service that fails says so in the place of each part that it owes. Raises what ended the upload, and the
    classifier's error where both fail before anything is known.
    """
    fork = BodySplitter(body)
    said: asyncio.Queue[tuple[int, _Said]] = asyncio.Queue()

    async def follow(part: int, asked: UpstreamCall, kind: type[ClassificationItem] | type[DetectionItem]) -> None:
        try:
            content = fork.reader(part)
            async for item in asked.upstream.events(kind, asked.path, deadline, headers=headers, content=content):
                await said.put((part, item))
            await said.put((part, None))
        except HeparError as error:
            await said.put((part, error))
        finally:
            fork.leave(part)

    tasks = [
        asyncio.create_task(fork.pump()),
        asyncio.create_task(follow(0, classify, ClassificationItem)),
        asyncio.create_task(follow(1, detect, DetectionItem)),
    ]
    try:
        async for item in _merged(said):
            yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _merged(said: asyncio.Queue[tuple[int, _Said]]) -> AsyncIterator[AnalysisItem]:
    known: tuple[dict[int, Any], dict[int, Any]] = ({}, {})
    failed: list[HeparError | None] = [None, None]
    left, told = {0, 1}, set[int]()
    while left:
        part, what = await said.get()
        if isinstance(what, ClassificationItem | DetectionItem):
            known[part][what.index] = what.item
        else:
            left.discard(part)
            failed[part] = what
        for index in sorted((known[0].keys() | known[1].keys()) - told):
            parts: list[Any] = [known[number].get(index, failed[number]) for number in (0, 1)]
            if None not in parts:
                told.add(index)
                yield AnalysisItem(index=index, item=together(or_problem(parts[0]), or_problem(parts[1])))
    if failed[0] is not None and failed[1] is not None and not told:
        raise failed[0]
