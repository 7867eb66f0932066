"""Classification and detection of one upload, side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from gateway.fork import BodyFork
from gateway.upstream import Answer, Upstream, UpstreamProblem
from hepar.contracts.analyses import Analysis, Classification, Detection
from hepar.contracts.problems import Problem
from hepar.service.deadlines import Deadline
from hepar.service.problems import HeparError, problem_of
from hepar.service.requests import current_request_id

CLASSIFICATIONS = "/v1/classifications"
DETECTIONS = "/v1/detections"


async def analyse(
    classify: Upstream,
    detect: Upstream,
    body: AsyncIterator[bytes],
    headers: Mapping[str, str],
    deadline: Deadline,
    query: str = "",
) -> Analysis:
    """Both services read the upload while it arrives. One part may fail on its own and says so in its place.

    Raises what ended the upload (TooLarge), and the classifier's error where both parts failed.
    """
    fork = BodyFork(body)

    def part(
        index: int, upstream: Upstream, answer: type[Answer], path: str
    ) -> Callable[[], Awaitable[Answer | HeparError]]:
        async def ask() -> Answer | HeparError:
            try:
                content = fork.reader(index)
                return await upstream.call(answer, "POST", path + query, deadline, headers=headers, content=content)
            except HeparError as error:
                return error
            finally:
                fork.leave(index)

        return ask

    ask_classifier = part(0, classify, Classification, CLASSIFICATIONS)
    ask_detector = part(1, detect, Detection, DETECTIONS)
    pump = asyncio.create_task(fork.pump())
    try:
        classification, detection = await asyncio.gather(ask_classifier(), ask_detector())
    finally:
        if not pump.done():
            pump.cancel()
        failure = (await asyncio.gather(pump, return_exceptions=True))[0]
    if isinstance(failure, HeparError):
        raise failure
    if isinstance(classification, HeparError) and isinstance(detection, HeparError):
        raise classification
    return Analysis(
        classification=_or_problem(classification),
        detection=_or_problem(detection),
        request_id=current_request_id(),
    )


def _or_problem(part: Answer | HeparError) -> Answer | Problem:
    if isinstance(part, UpstreamProblem):
        return part.problem
    if isinstance(part, HeparError):
        return problem_of(part)
    return part
