"""Results of the analysis of one image."""

from typing import Literal

from pydantic import Field

from .base import RESEARCH_USE_NOTICE, Document, example_of, with_example
from .cards import FusionMethod, VotingMethod
from .images import ImageFacts
from .problems import Problem
from .scope import Scope

_REQUEST = {"request_id": example_of(Problem)["request_id"], "notice": RESEARCH_USE_NOTICE}
_PROBABILITIES = {"cholangiocarcinoma": 0.12, "metastasis": 0.81, "no_tumour": 0.07}


class Explanation(Document):
    """Class activation map: the regions of the image that support a label."""

    label: str = Field(description="the label that the map supports")
    activation_map: list[list[float]] = Field(
        description="rows (over the height of the image as sent) of columns (over its width), 0 to 1; all 0 where no "
        "region supports the label"
    )
    overlay_png: str = Field(
        description="a rendering for people: the map in colour over the image, turned and scaled as in `image.display`",
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


Outcome = Literal["decided", "type_undecided", "indeterminate", "out_of_scope"]


class Classification(Document):
    """The decision of the ensemble of classifiers.

    Where the image is out of scope there are no votes and no probabilities: the networks' output means nothing there.
    """

    model_config = with_example(
        {
            "kind": "classification",
            "outcome": "decided",
            "label": "metastasis",
            "tumour": True,
            "tumour_probability": 0.93,
            "type_probabilities": {"cholangiocarcinoma": 0.13, "metastasis": 0.87},
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

    kind: Literal["classification"] = Field(default="classification", description="tells a result from a problem")
    outcome: Outcome = Field(
        description="`decided`: `label` is the decision. `type_undecided`: a tumour is seen, its type is open. "
        "`indeterminate`: it is open whether there is a tumour. `out_of_scope`: the image is not of the kind that the "
        "networks were trained on"
    )
    label: str | None = Field(description="the decided label; null unless the outcome is `decided`")
    tumour: bool | None = Field(description="whether a tumour is seen; null where that is open, and out of scope")
    tumour_probability: float | None = Field(
        ge=0, le=1, description="calibrated; null out of scope, and for models that know only types"
    )
    type_probabilities: dict[str, float] = Field(
        description="by type, given a tumour, summing to 1; empty out of scope and where no model votes for one"
    )
    most_probable_label: str | None = Field(
        description="`no_tumour`, or the most probable type where a tumour is at least as probable as none; null out "
        "of scope"
    )
    probability: float | None = Field(ge=0, le=1, description="of the most probable label; null out of scope")
    probabilities: dict[str, float] = Field(description="by label, 0 to 1, summing to 1; empty out of scope")
    scope: Scope | None = Field(description="null where neither input check nor segmenter answered")
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


Ring = list[tuple[float, float]]
"""A closed line: x and y of its points, in pixels of the image; the last point is the first one."""
Polygon = list[Ring]
"""The outer ring, then the rings of its holes."""


class Box(Document):
    """One lesion, in pixels of the image as sent; the origin is the upper left corner, maxima exclusive."""

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
            "inside_liver": True,
            "liver_share": 0.97,
            "outline": [[[[150.5, 210.0], [188.0, 226.5], [160.0, 244.5], [150.5, 210.0]]]],
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
    liver_share: float | None = Field(
        ge=0, le=1, description="share of its area inside the liver; null where no segmenter answered"
    )
    inside_liver: bool | None = Field(
        description="whether that share reaches the ensemble's minimum; null where no segmenter answered"
    )
    outline: list[Polygon] | None = Field(
        description="the parts of the segmenter's lesion mask inside the box, as polygons: the outer ring, then the "
        "holes; empty where the mask has none, null where no segmenter answered"
    )


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
            "kind": "detection",
            "boxes": [example_of(Box)],
            "boxes_outside_liver": 0,
            "scope": example_of(Scope),
            "method": "weighted_box_fusion",
            "detectors": [example_of(DetectorReport)],
            "missing_models": [],
            "image": example_of(ImageFacts),
            **_REQUEST,
        }
    )

    kind: Literal["detection"] = Field(default="detection", description="tells a result from a problem")
    boxes: list[Box] = Field(description="highest score first; none where the image is out of scope")
    boxes_outside_liver: int | None = Field(
        ge=0,
        description="boxes that lie outside the liver; left out unless requested with `outside_liver`; null where no "
        "segmenter answered",
    )
    scope: Scope | None = Field(description="null where neither input check nor segmenter answered")
    method: FusionMethod = Field(description="how the boxes of several detectors were combined")
    annotated_png: str | None = Field(
        default=None,
        description="a rendering for people, requested with `annotate`: the image with its boxes, turned and scaled as "
        "in `image.display`",
        json_schema_extra={"contentEncoding": "base64", "contentMediaType": "image/png"},
    )
    detectors: list[DetectorReport] = Field(description="one per detector that answered; empty out of scope")
    missing_models: list[str] = Field(description="models that should have answered and did not")
    image: ImageFacts
    request_id: str = Field(description="identifies this request; include it in a support request")
    notice: str = Field(default=RESEARCH_USE_NOTICE, description="show it wherever a result is shown")


ConsistencyCode = Literal["consistent", "tumour_without_box", "box_without_tumour", "other_type", "not_comparable"]


class Consistency(Document):
    """Whether classification and detection of one image fit together."""

    model_config = with_example({"code": "consistent", "text": "classification and detection fit together"})

    code: ConsistencyCode = Field(
        description="`tumour_without_box`: classified as tumour, and no box was found. `box_without_tumour`: a box was "
        "found, and the image is classified as free of tumour. `other_type`: the box with the highest score is of "
        "another type than the decision. `not_comparable`: a part failed, is out of scope or is indeterminate"
    )
    text: str = Field(description="the code in words")


class Analysis(Document):
    """Classification and detection of one image; a part that failed is replaced by its problem."""

    model_config = with_example(
        {
            "classification": example_of(Classification),
            "detection": example_of(Detection),
            "consistency": example_of(Consistency),
            **_REQUEST,
        }
    )

    classification: Classification | Problem = Field(description="the classification, or why it failed")
    detection: Detection | Problem = Field(description="the detection, or why it failed")
    consistency: Consistency = Field(description="whether the two fit together")
    request_id: str = Field(description="identifies this request; include it in a support request")
    notice: str = Field(default=RESEARCH_USE_NOTICE, description="show it wherever a result is shown")
