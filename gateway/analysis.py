"""Classification and detection of one upload, side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from gateway.body_splitter import BodySplitter
from hepar.contracts.analyses import (
    Analysis,
    AnalysisBatch,
    Classification,
    ClassificationBatch,
    Detection,
    DetectionBatch,
    Explanation,
)
from hepar.contracts.problems import Problem
from hepar.core.deadlines import Deadline
from hepar.core.errors import BadUpstream, HeparError
from hepar.core.request_context import current_request_id
from hepar.ensemble.box_shares import share_in_boxes
from hepar.web.problems import problem_of
from hepar.web.upstream import Answer, Upstream, UpstreamProblem

CLASSIFICATIONS = "/v1/classifications"
DETECTIONS = "/v1/detections"
BATCH = "/batch"
One = TypeVar("One", bound=BaseModel)
Other = TypeVar("Other", bound=BaseModel)


@dataclass(frozen=True)
class UpstreamCall:
    """A service, and the path and query to ask it by."""

    upstream: Upstream
    path: str


async def analyse(
    classify: UpstreamCall,
    detect: UpstreamCall,
    body: AsyncIterator[bytes],
    headers: Mapping[str, str],
    deadline: Deadline,
) -> Analysis:
    """Both services read the upload while it arrives. One part may fail on its own and says so in its place.

    Raises what ended the upload (TooLarge), and the classifier's error where both parts failed.
    """
    classification, detection = await _both((classify, Classification), (detect, Detection), body, headers, deadline)
    return together(or_problem(classification), or_problem(detection))


async def analyse_batch(
    classify: UpstreamCall,
    detect: UpstreamCall,
    body: AsyncIterator[bytes],
    headers: Mapping[str, str],
    deadline: Deadline,
) -> AnalysisBatch:
    """The same of many images, in order. A service that fails as a whole says so in the place of each of its parts.

    Raises what `analyse` raises, and BadUpstream where the services did not see the same number of images.
    """
    classified, detected = await _both(
        (classify, ClassificationBatch), (detect, DetectionBatch), body, headers, deadline
    )
    count = len(classified.items) if isinstance(classified, ClassificationBatch) else 0
    if isinstance(detected, DetectionBatch):
        if isinstance(classified, ClassificationBatch) and len(detected.items) != count:
            raise BadUpstream("the parts do not tell of the same images")
        count = len(detected.items)
    parts = zip(_items(classified, count), _items(detected, count), strict=True)
    return AnalysisBatch(items=[together(*pair) for pair in parts], request_id=current_request_id())


async def _both(
    one: tuple[UpstreamCall, type[One]],
    other: tuple[UpstreamCall, type[Other]],
    body: AsyncIterator[bytes],
    headers: Mapping[str, str],
    deadline: Deadline,
) -> tuple[One | HeparError, Other | HeparError]:
    fork = BodySplitter(body)

    async def ask(index: int, asked: UpstreamCall, answer: type[Answer]) -> Answer | HeparError:
        try:
            content = fork.reader(index)
            return await asked.upstream.call(answer, "POST", asked.path, deadline, headers=headers, content=content)
        except HeparError as error:
            return error
        finally:
            fork.leave(index)

    pump = asyncio.create_task(fork.pump())
    try:
        answers = await asyncio.gather(ask(0, *one), ask(1, *other))
    finally:
        if not pump.done():
            pump.cancel()
        failure = (await asyncio.gather(pump, return_exceptions=True))[0]
    if isinstance(failure, HeparError):
        raise failure
    if isinstance(answers[0], HeparError) and isinstance(answers[1], HeparError):
        raise answers[0]
    return answers


def _items(part: ClassificationBatch | DetectionBatch | HeparError, count: int) -> Sequence[Any]:
    return [or_problem(part)] * count if isinstance(part, HeparError) else part.items


def together(classification: Classification | Problem, detection: Detection | Problem) -> Analysis:
    if isinstance(classification, Classification) and isinstance(detection, Detection):
        classification = explained_by_boxes(classification, detection)
    return Analysis(classification=classification, detection=detection, request_id=current_request_id())


def explained_by_boxes(classification: Classification, detection: Detection) -> Classification:
    """With the share of every activation map that lies inside the detected boxes."""
    boxes = [(box.x_min, box.y_min, box.x_max, box.y_max) for box in detection.boxes]
    image = classification.image

    def explained(explanation: Explanation | None) -> Explanation | None:
        if explanation is None:
            return None
        share = share_in_boxes(explanation.activation_map, boxes, image.width, image.height)
        return explanation.model_copy(update={"share_in_boxes": round(share, 4)})

    votes = [vote.model_copy(update={"explanation": explained(vote.explanation)}) for vote in classification.votes]
    return classification.model_copy(update={"explanation": explained(classification.explanation), "votes": votes})


def or_problem(part: Answer | HeparError) -> Answer | Problem:
    if isinstance(part, UpstreamProblem):
        return part.problem
    if isinstance(part, HeparError):
        return problem_of(part)
    return part
