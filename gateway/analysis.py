"""Classification and detection of one upload at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from gateway.body_splitter import BodySplitter
from hepar.contracts.analyses import Analysis, Classification, Consistency, ConsistencyCode, Detection, Explanation
from hepar.contracts.batches import AnalysisBatch, ClassificationBatch, DetectionBatch
from hepar.contracts.problems import Problem
from hepar.core.deadlines import Deadline
from hepar.core.errors import BadUpstream, HeparError
from hepar.core.request_context import current_request_id
from hepar.ensemble.box_shares import share_in_boxes
from hepar.web.problems import problem_of
from hepar.web.upstream import Answer, Upstream, UpstreamProblem

CLASSIFICATION, DETECTION = "classification", "detection"
"""The parts of an analysis."""
PARTS = (CLASSIFICATION, DETECTION)
Classified = TypeVar("Classified", bound=BaseModel)
Detected = TypeVar("Detected", bound=BaseModel)


@dataclass(frozen=True)
class UpstreamCall:
    """A service, and the path and query of the request to it."""

    upstream: Upstream
    target: str


@dataclass(frozen=True)
class _Results(Generic[Classified, Detected]):
    """What each service answered, or why it did not."""

    classification: Classified | HeparError
    detection: Detected | HeparError


async def analyse(
    classify: UpstreamCall,
    detect: UpstreamCall,
    body: AsyncIterator[bytes],
    headers: Mapping[str, str],
    deadline: Deadline,
) -> Analysis:
    """Both services read the upload while it arrives. Where one part fails, it is a problem document.

    Raises what ended the upload (TooLarge), and the classifier's error where both parts failed.
    """
    results = await _call_both((classify, Classification), (detect, Detection), body, headers, deadline)
    return combined(or_problem(results.classification), or_problem(results.detection))


async def analyse_batch(
    classify: UpstreamCall,
    detect: UpstreamCall,
    body: AsyncIterator[bytes],
    headers: Mapping[str, str],
    deadline: Deadline,
) -> AnalysisBatch:
    """The same for many images, in order. Where a service fails as a whole, that part of each image is its problem.

    Raises what `analyse` raises, and BadUpstream where the services did not see the same number of images.
    """
    results = await _call_both((classify, ClassificationBatch), (detect, DetectionBatch), body, headers, deadline)
    classification, detection = results.classification, results.detection
    counts = {len(part.items) for part in (classification, detection) if not isinstance(part, HeparError)}
    if len(counts) != 1:
        raise BadUpstream("classification and detection returned different numbers of images")
    count = counts.pop()
    classifications: Sequence[Classification | Problem] = _items(classification, count)
    detections: Sequence[Detection | Problem] = _items(detection, count)
    items = [combined(*parts) for parts in zip(classifications, detections, strict=True)]
    return AnalysisBatch(items=items, request_id=current_request_id())


async def _call_both(
    classify: tuple[UpstreamCall, type[Classified]],
    detect: tuple[UpstreamCall, type[Detected]],
    body: AsyncIterator[bytes],
    headers: Mapping[str, str],
    deadline: Deadline,
) -> _Results[Classified, Detected]:
    splitter = BodySplitter(body, PARTS)

    async def call(part: str, request: UpstreamCall, answer: type[Answer]) -> Answer | HeparError:
        try:
            content = splitter.reader(part)
            upstream = request.upstream
            return await upstream.call(answer, "POST", request.target, deadline, headers=headers, content=content)
        except HeparError as error:
            return error
        finally:
            splitter.leave(part)

    pump = asyncio.create_task(splitter.pump())
    try:
        results = _Results(*await asyncio.gather(call(CLASSIFICATION, *classify), call(DETECTION, *detect)))
    finally:
        if not pump.done():
            pump.cancel()
        failure = (await asyncio.gather(pump, return_exceptions=True))[0]
    if isinstance(failure, HeparError):
        raise failure
    raise_for_query(results.classification, results.detection)
    if isinstance(results.classification, HeparError) and isinstance(results.detection, HeparError):
        raise results.classification
    return results


def raise_for_query(*parts: object) -> None:
    """An option that one service refuses is a fault of the whole request, whatever the other one answered."""
    for part in parts:
        if isinstance(part, UpstreamProblem) and any(error.location == "query" for error in part.problem.errors or []):
            raise part


def _items(part: ClassificationBatch | DetectionBatch | HeparError, count: int) -> Sequence[Any]:
    return [or_problem(part)] * count if isinstance(part, HeparError) else part.items


def combined(classification: Classification | Problem, detection: Detection | Problem) -> Analysis:
    if isinstance(classification, Classification) and isinstance(detection, Detection):
        classification = with_shares_in_boxes(classification, detection)
    return Analysis(
        classification=classification,
        detection=detection,
        consistency=consistency_of(classification, detection),
        request_id=current_request_id(),
    )


_CONSISTENCY: dict[ConsistencyCode, str] = {
    "consistent": "classification and detection fit together",
    "tumour_without_box": "classified as tumour, but no detector found a lesion above its threshold",
    "box_without_tumour": "classified as free of tumour, but the detectors found a lesion",
    "other_type": "the detectors give the lesion with the highest score another type than the classification",
    "not_comparable": "a part failed, is out of scope or is indeterminate",
}


def consistency_of(classification: Classification | Problem, detection: Detection | Problem) -> Consistency:
    code = _consistency_code(classification, detection)
    return Consistency(code=code, text=_CONSISTENCY[code])


def _consistency_code(classification: Classification | Problem, detection: Detection | Problem) -> ConsistencyCode:
    """Boxes outside the liver are no findings."""
    if isinstance(classification, Problem) or isinstance(detection, Problem):
        return "not_comparable"
    boxes = [box for box in detection.boxes if box.inside_liver is not False]
    if classification.tumour is None or (detection.scope is not None and not detection.scope.in_scope):
        return "not_comparable"
    if classification.tumour and not boxes:
        return "tumour_without_box"
    if boxes and not classification.tumour:
        return "box_without_tumour"
    if boxes and classification.label not in (None, boxes[0].label):
        return "other_type"
    return "consistent"


def with_shares_in_boxes(classification: Classification, detection: Detection) -> Classification:
    """Adds to every activation map its share inside the detected boxes."""
    boxes = [(box.x_min, box.y_min, box.x_max, box.y_max) for box in detection.boxes]
    image = classification.image

    def with_share(explanation: Explanation | None) -> Explanation | None:
        if explanation is None:
            return None
        share = share_in_boxes(explanation.activation_map, boxes, image.width, image.height)
        return explanation.model_copy(update={"share_in_boxes": round(share, 4)})

    votes = [vote.model_copy(update={"explanation": with_share(vote.explanation)}) for vote in classification.votes]
    return classification.model_copy(update={"explanation": with_share(classification.explanation), "votes": votes})


def or_problem(part: Answer | HeparError) -> Answer | Problem:
    if isinstance(part, UpstreamProblem):
        return part.problem
    if isinstance(part, HeparError):
        return problem_of(part)
    return part
