"""Results of the analysis of many images in one request."""

from pydantic import Field

from .analyses import Analysis, Classification, Detection
from .base import RESEARCH_USE_NOTICE, Document, example_of, with_example
from .problems import Problem

_REQUEST = {"request_id": example_of(Problem)["request_id"], "notice": RESEARCH_USE_NOTICE}


class ClassificationBatch(Document):
    """A result or a problem for every image, in the order they were sent."""

    model_config = with_example({"items": [example_of(Classification)], **_REQUEST})

    items: list[Classification | Problem] = Field(description="a result or a problem per image")
    request_id: str = Field(description="identifies this request; include it in a support request")
    notice: str = Field(default=RESEARCH_USE_NOTICE, description="show it wherever a result is shown")


class DetectionBatch(Document):
    """A result or a problem for every image, in the order they were sent."""

    model_config = with_example({"items": [example_of(Detection)], **_REQUEST})

    items: list[Detection | Problem] = Field(description="a result or a problem per image")
    request_id: str = Field(description="identifies this request; include it in a support request")
    notice: str = Field(default=RESEARCH_USE_NOTICE, description="show it wherever a result is shown")


class AnalysisBatch(Document):
    """Both parts of every image, in the order they were sent."""

    model_config = with_example({"items": [example_of(Analysis)], **_REQUEST})

    items: list[Analysis] = Field(description="one per image")
    request_id: str = Field(description="identifies this request; include it in a support request")
    notice: str = Field(default=RESEARCH_USE_NOTICE, description="show it wherever a result is shown")


class ClassificationItem(Document):
    """Data of the event `item` of a batch of classifications."""

    model_config = with_example({"index": 0, "item": example_of(Classification)})

    index: int = Field(ge=0, description="position of the image in the request, from 0")
    item: Classification | Problem = Field(description="the result, or why it failed")


class DetectionItem(Document):
    """Data of the event `item` of a batch of detections."""

    model_config = with_example({"index": 0, "item": example_of(Detection)})

    index: int = Field(ge=0, description="position of the image in the request, from 0")
    item: Detection | Problem = Field(description="the result, or why it failed")


class AnalysisItem(Document):
    """Data of the event `item` of a batch of analyses."""

    model_config = with_example({"index": 0, "item": example_of(Analysis)})

    index: int = Field(ge=0, description="position of the image in the request, from 0")
    item: Analysis = Field(description="both parts")


class BatchEnd(Document):
    """Data of the event `end`, the last one of a batch. A stream that ends without it was cut off."""

    model_config = with_example({"count": 1})

    count: int = Field(ge=0, description="number of items sent")
