"""A batch as server-sent events: each image as soon as both of its parts are ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

from gateway.analysis import CLASSIFICATION, DETECTION, PARTS, UpstreamCall, combined, or_problem, raise_for_query
from gateway.body_splitter import BodySplitter
from hepar.contracts.batches import AnalysisItem, ClassificationItem, DetectionItem
from hepar.core.deadlines import Deadline
from hepar.core.errors import HeparError

_Event = ClassificationItem | DetectionItem | BaseException | None
"""One image's result, what ended the whole part early, or its end."""


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
                events.put_nowait((part, item))
        finally:
            splitter.leave(part)

    def ended(part: str, task: asyncio.Task[None]) -> None:
        """However a part ends, whoever waits for its events gets to know."""
        events.put_nowait((part, None if task.cancelled() else task.exception()))

    followers = {
        CLASSIFICATION: asyncio.create_task(follow(CLASSIFICATION, classify, ClassificationItem)),
        DETECTION: asyncio.create_task(follow(DETECTION, detect, DetectionItem)),
    }
    for part, task in followers.items():
        task.add_done_callback(partial(ended, part))
    tasks = [asyncio.create_task(splitter.pump()), *followers.values()]
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
        elif isinstance(event, HeparError):
            raise_for_query(event)
            unfinished.discard(part)
            failures[part] = event
        elif event is not None:
            raise event
        else:
            unfinished.discard(part)
        for index in sorted((ready[CLASSIFICATION].keys() | ready[DETECTION].keys()) - sent):
            classification = ready[CLASSIFICATION].get(index, failures.get(CLASSIFICATION))
            detection = ready[DETECTION].get(index, failures.get(DETECTION))
            if classification is not None and detection is not None:
                sent.add(index)
                yield AnalysisItem(index=index, item=combined(or_problem(classification), or_problem(detection)))
    if failures.keys() == set(PARTS) and not sent:
        raise failures[CLASSIFICATION]
