"""Results of the analysis of one image or of a batch."""

from typing import Literal, Self

from pydantic import Field, model_validator

from .base import RESEARCH_USE_NOTICE, Document, example_of, with_example
from .cards import FusionMethod, VotingMethod
from .problems import Problem

_REQUEST = {"request_id": example_of(Problem)["request_id"], "notice": RESEARCH_USE_NOTICE}
_PROBABILITIES = {"cholangiocarcinoma": 0.12, "metastasis": 0.81, "no_tumour": 0.07}


class ImageFacts(Document):
    """Properties of the image as it was decoded."""

    model_config = with_example(
        {"width": 512, "height": 512, "format": "DICOM", "pixel_spacing_mm": [0.78, 0.78], "warnings": []}
    )

    width: int = Field(gt=0, description="pixels")
    height: int = Field(gt=0, description="pixels")
    format: Literal["PNG", "JPEG", "TIFF", "BMP", "WEBP", "DICOM"] = Field(description="detected from the bytes")
    pixel_spacing_mm: tuple[float, float] | None = Field(
        description="distance between rows and between columns, millimetres; null where the file does not state it"
    )
    warnings: list[str] = Field(description="what a reader of the result should know about the image")


class Scope(Document):
    """Result of the input check: is the image of the kind that the networks were trained on?"""

    model_config = with_example(
        {"model": "check_input", "version": "1", "in_scope": True, "typicality": 0.97, "threshold": 0.5}
    )

    model: str = Field(description="name of the input check")
    version: str = Field(description="version of the input check that answered")
    in_scope: bool = Field(description="false where the typicality is below the threshold")
    reason: str | None = Field(default=None, description="why the image is out of scope; null where it is in scope")
    typicality: float = Field(ge=0, le=1, description="similarity to the abdominal CT slices of the training data")
    threshold: float = Field(ge=0, le=1, description="below this typicality an image is out of scope")


class Explanation(Document):
    """Class activation map: the regions of the image that support a label."""

    label: str = Field(description="the label that the map supports")
    activation_map: list[list[float]] = Field(
        description="rows (over the image's height) of columns (over its width), 0 to 1; all 0 where no region "
        "supports the label"
    )
    overlay_png: str = Field(
        description="the map in colour over the image",
        json_schema_extra={"contentEncoding": "base64", "contentMediaType": "image/png"},
    )
    share_in_boxes: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="share of the map that lies inside the detected boxes; null without a detection",
    )


class ModelVote(Document):
    """Result of one classifier."""

    model_config = with_example(
        {
            "model": "classify_resnet",
            "version": "1",
            "label": "metastasis",
            "probabilities": _PROBABILITIES,
            "duration_ms": 9.4,
        }
    )

    model: str = Field(description="name of the model")
    version: str = Field(description="version of the model that answered")
    label: str = Field(description="the model's most probable label")
    probabilities: dict[str, float] = Field(description="calibrated, by label, 0 to 1, summing to 1")
    duration_ms: float = Field(ge=0, description="duration of the call, milliseconds")
    explanation: Explanation | None = Field(default=None, description="requested with `explain_models`")


Outcome = Literal["decided", "indeterminate", "out_of_scope"]


class Classification(Document):
    """The decision of the ensemble of classifiers.

    Where the image is out of scope there are no votes and no probabilities: the networks' output means nothing there.
    """

    model_config = with_example(
        {
            "outcome": "decided",
            "label": "metastasis",
            "most_probable_label": "metastasis",
            "probability": 0.81,
            "probabilities": _PROBABILITIES,
            "scope": example_of(Scope),
            "method": "soft_vote",
            "agreeing_models": 1,
            "voting_models": 1,
            "entropy": 0.6,
            "mutual_information": 0.03,
            "votes": [example_of(ModelVote)],
            "missing_models": [],
            "image": example_of(ImageFacts),
            **_REQUEST,
        }
    )

    outcome: Outcome = Field(
        description="`decided`: `label` is the decision. `indeterminate`: no label reaches the ensemble's decision "
        "threshold. `out_of_scope`: the input check rejected the image"
    )
    label: str | None = Field(description="the decided label; null unless the outcome is `decided`")
    most_probable_label: str | None = Field(description="the label with the highest probability; null out of scope")
    probability: float | None = Field(ge=0, le=1, description="of the most probable label; null out of scope")
    probabilities: dict[str, float] = Field(description="by label, 0 to 1, summing to 1; empty out of scope")
    scope: Scope | None = Field(description="null where no input check answered")
    method: VotingMethod = Field(description="how the votes were combined")
    agreeing_models: int = Field(ge=0, description="models that voted for the most probable label")
    voting_models: int = Field(ge=0, description="models that voted")
    entropy: float | None = Field(
        ge=0, description="uncertainty: entropy of the models' mean probabilities, in nats; null out of scope"
    )
    mutual_information: float | None = Field(
        ge=0, description="the part of the entropy, in nats, that is due to disagreement; null out of scope"
    )
    votes: list[ModelVote] = Field(description="one per model that answered")
    missing_models: list[str] = Field(description="models that should have answered and did not")
    explanation: Explanation | None = Field(default=None, description="of the ensemble, requested with `explain`")
    image: ImageFacts
    request_id: str = Field(description="identifies this request; include it in a support request")
    notice: str = Field(default=RESEARCH_USE_NOTICE, description="show it wherever a result is shown")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.label is not None) != (self.outcome == "decided"):
            raise ValueError("a label belongs to the outcome `decided` and to no other")
        if (self.most_probable_label is None) != (self.outcome == "out_of_scope"):
            raise ValueError("a most probable label belongs to every outcome but `out_of_scope`")
        return self


class Box(Document):
    """One lesion, in pixels of the image as displayed; the origin is the upper left corner, maxima exclusive."""

    model_config = with_example(
        {
            "x_min": 141.0,
            "y_min": 203.5,
            "x_max": 190.0,
            "y_max": 248.0,
            "label": "metastasis",
            "score": 0.83,
            "detectors": ["detect_faster_rcnn", "detect_yolov5"],
            "size_px": [49.0, 44.5],
            "size_mm": [38.2, 34.7],
            "longest_diameter_px": 49.0,
            "longest_diameter_mm": 38.2,
        }
    )

    x_min: float = Field(ge=0, description="left edge, pixels")
    y_min: float = Field(ge=0, description="upper edge, pixels")
    x_max: float = Field(ge=0, description="right edge, pixels, exclusive")
    y_max: float = Field(ge=0, description="lower edge, pixels, exclusive")
    label: str = Field(description="cholangiocarcinoma or metastasis")
    score: float = Field(ge=0, le=1, description="of the fused box, 0 to 1; not a probability")
    detectors: list[str] = Field(description="the detectors that found it")
    size_px: tuple[float, float] = Field(description="width and height in pixels")
    size_mm: tuple[float, float] | None = Field(
        description="width and height in millimetres; null where the file does not state the pixel spacing"
    )
    longest_diameter_px: float = Field(ge=0, description="the box's longer side, in pixels")
    longest_diameter_mm: float | None = Field(description="the box's longer side in millimetres, where that is known")


class DetectorReport(Document):
    """Result of one detector."""

    model_config = with_example({"model": "detect_yolov5", "version": "1", "box_count": 1, "duration_ms": 14.2})

    model: str = Field(description="name of the model")
    version: str = Field(description="version of the model that answered")
    box_count: int = Field(ge=0, description="boxes above its own decision threshold, before fusion")
    duration_ms: float = Field(ge=0, description="duration of the call, milliseconds")


class Detection(Document):
    """The boxes of all detectors, fused."""

    model_config = with_example(
        {
            "boxes": [example_of(Box)],
            "scope": example_of(Scope),
            "method": "weighted_box_fusion",
            "detectors": [example_of(DetectorReport)],
            "missing_models": [],
            "image": example_of(ImageFacts),
            **_REQUEST,
        }
    )

    boxes: list[Box] = Field(description="highest score first; none where the image is out of scope")
    scope: Scope | None = Field(description="null where no input check answered")
    method: FusionMethod = Field(description="how the boxes of several detectors were combined")
    annotated_png: str | None = Field(
        default=None,
        description="the image with its boxes drawn, requested with `annotate`",
        json_schema_extra={"contentEncoding": "base64", "contentMediaType": "image/png"},
    )
    detectors: list[DetectorReport] = Field(description="one per detector that answered; empty out of scope")
    missing_models: list[str] = Field(description="models that should have answered and did not")
    image: ImageFacts
    request_id: str = Field(description="identifies this request; include it in a support request")
    notice: str = Field(default=RESEARCH_USE_NOTICE, description="show it wherever a result is shown")


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


class Analysis(Document):
    """Classification and detection of one image; a part that failed is replaced by its problem."""

    model_config = with_example(
        {"classification": example_of(Classification), "detection": example_of(Detection), **_REQUEST}
    )

    classification: Classification | Problem = Field(description="the classification, or why it failed")
    detection: Detection | Problem = Field(description="the detection, or why it failed")
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
