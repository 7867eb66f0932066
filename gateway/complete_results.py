"""Which results are complete. Only a complete result may be stored for a repetition: a fault may be gone by then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel
from starlette.types import Scope

from hepar.contracts.analyses import Analysis, Classification, Detection
from hepar.contracts.batches import (
    AnalysisBatch,
    AnalysisItem,
    ClassificationBatch,
    ClassificationItem,
    DetectionBatch,
    DetectionItem,
)
from hepar.contracts.segmentations import Segmentation

Item = TypeVar("Item", bound=BaseModel)
_STATE = "result_is_complete"


def is_complete(result: BaseModel) -> bool:
    """True for a result of an image or a batch in which nothing failed and no model is missing."""
    match result:
        case Classification() | Detection() | Segmentation():
            return not result.missing_models
        case Analysis():
            return is_complete(result.classification) and is_complete(result.detection)
        case ClassificationBatch() | DetectionBatch() | AnalysisBatch():
            return all(is_complete(item) for item in result.items)
        case ClassificationItem() | DetectionItem() | AnalysisItem():
            return is_complete(result.item)
        case _:
            return False


def record_completeness(request: Request, result: BaseModel) -> None:
    """For `IdempotencyMiddleware`: a route calls it with its result."""
    request.scope["state"][_STATE] = is_complete(result)


async def with_recorded_completeness(request: Request, items: AsyncIterator[Item]) -> AsyncIterator[Item]:
    """The same items; records at their end whether all were complete."""
    complete = True
    async for item in items:
        complete = complete and is_complete(item)
        yield item
    request.scope["state"][_STATE] = complete


def recorded_as_complete(scope: Scope) -> bool:
    """False for a route that records nothing."""
    recorded: bool = scope["state"].get(_STATE, False)
    return recorded
