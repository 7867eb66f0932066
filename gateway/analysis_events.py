"""A batch as server-sent events: each image as soon as both of its parts are ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from gateway.analysis import CLASSIFICATION, DETECTION, PARTS, UpstreamCall, combined, or_problem, raise_for_query
from gateway.body_splitter import BodySplitter
from hepar.contracts.batches import AnalysisItem, ClassificationItem, DetectionItem
from hepar.core.deadlines import Deadline
from hepar.core.errors import HeparError

_Event = ClassificationItem | DetectionItem | HeparError | None
"""One image's result, the failure of the whole part, or its end."""


async def analysis_events(
    classify: UpstreamCall,
    detect: UpstreamCall,
    body: AsyncIterator[bytes],
    headers: Mapping[str, str],
    deadline: Deadline,
) -> AsyncIterator[AnalysisItem]:
    """One item per image, in the order in which they become ready.

    Where a service fails, its problem takes the place of each part that it owes. Raises what ended the upload, and the
    classifier's error where both fail before the first image is ready.
    """
    splitter = BodySplitter(body, PARTS)
    events: asyncio.Queue[tuple[str, _Event]] = asyncio.Queue()

    async def follow(part: str, request: UpstreamCall, kind: type[ClassificationItem] | type[DetectionItem]) -> None:
        try:
            content = splitter.reader(part)
            upstream = request.upstream
            async for item in upstream.events(kind, request.target, deadline, headers=headers, content=content):
                await events.put((part, item))
            await events.put((part, None))
        except HeparError as error:
            await events.put((part, error))
        finally:
            splitter.leave(part)

    tasks = [
        asyncio.create_task(splitter.pump()),
        asyncio.create_task(follow(CLASSIFICATION, classify, ClassificationItem)),
        asyncio.create_task(follow(DETECTION, detect, DetectionItem)),
    ]
    try:
        async for item in _combined_events(events):
            yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _combined_events(events: asyncio.Queue[tuple[str, _Event]]) -> AsyncIterator[AnalysisItem]:
    ready: dict[str, dict[int, Any]] = {part: {} for part in PARTS}
    failures: dict[str, HeparError] = {}
    unfinished, sent = set(PARTS), set[int]()
    while unfinished:
        part, event = await events.get()
        if isinstance(event, ClassificationItem | DetectionItem):
            ready[part][event.index] = event.item
        else:
            unfinished.discard(part)
            if event is not None:
                raise_for_query(event)
                failures[part] = event
        for index in sorted((ready[CLASSIFICATION].keys() | ready[DETECTION].keys()) - sent):
            classification = ready[CLASSIFICATION].get(index, failures.get(CLASSIFICATION))
            detection = ready[DETECTION].get(index, failures.get(DETECTION))
            if classification is not None and detection is not None:
                sent.add(index)
                yield AnalysisItem(index=index, item=combined(or_problem(classification), or_problem(detection)))
    if failures.keys() == set(PARTS) and not sent:
        raise failures[CLASSIFICATION]
