"""What the networks say of one image."""

from typing import Literal

from pydantic import Field

from hepar.contracts.base import RESEARCH_USE_NOTICE, Document
from hepar.contracts.cards import FusionMethod, VotingMethod
from hepar.contracts.problems import Problem


class ImageFacts(Document):
    """The image as it was understood."""

    width: int = Field(gt=0, description="pixels")
    height: int = Field(gt=0, description="pixels")
    format: Literal["PNG", "JPEG", "TIFF", "BMP", "WEBP", "DICOM"] = Field(description="found from the bytes")
    pixel_spacing_mm: tuple[float, float] | None = Field(
        description="distance of rows and of columns, millimetres; null where the file does not say"
    )
    warnings: list[str] = Field(description="what a reader of the result should know about the picture")


class Scope(Document):
    """Is it an image that the networks know? What the input check says."""

    model: str = Field(description="the input check's name")
    version: str = Field(description="of the check that answered")
    typicality: float = Field(ge=0, le=1, description="how like the abdominal CT slices that the networks learnt from")
    threshold: float = Field(ge=0, le=1, description="below this typicality an image is out of scope")
    out_of_scope: str | None = Field(description="why nothing is said of the image; null where it is in scope")


class Explanation(Document):
    """Where in the image the evidence for a label lies: its class activation map."""

    label: str = Field(description="what the map speaks for")
    activation_map: list[list[float]] = Field(
        description="rows over the image's height of columns over its width; 0..1, all 0 where nothing speaks for it"
    )
    overlay_png: str = Field(
        description="the map in colour over the image",
        json_schema_extra={"contentEncoding": "base64", "contentMediaType": "image/png"},
    )
    share_in_boxes: float | None = Field(
        default=None, ge=0, le=1, description="of the map inside the detected boxes; known where both were asked"
    )


class ModelVote(Document):
    """What one classifier says."""

    model: str = Field(description="its name")
    version: str = Field(description="of the model that answered")
    label: str = Field(description="its most probable one")
    probabilities: dict[str, float] = Field(description="calibrated, 0..1, summing to 1")
    duration_ms: float = Field(ge=0, description="of the call, milliseconds")
    explanation: Explanation | None = Field(default=None, description="with `explain_models`")


class Classification(Document):
    """The ensemble's verdict."""

    label: str = Field(description="a label of the models, `indeterminate`, or `out_of_scope`")
    probability: float | None = Field(
        ge=0, le=1, description="of the most probable label; null, and no votes, where the image is out of scope"
    )
    probabilities: dict[str, float] = Field(
        description="by label, 0 to 1, summing to 1; empty where the image is out of scope"
    )
    scope: Scope | None = Field(description="null where no input check answered")
    method: VotingMethod = Field(description="how the models decided together")
    agreement: str = Field(description="how many models voted for the most probable label, as `k of n`")
    entropy: float | None = Field(ge=0, description="of the models' mean, in nats: how unsure they are")
    mutual_information: float | None = Field(
        ge=0, description="the part of the entropy, in nats, that is their disagreement"
    )
    votes: list[ModelVote] = Field(description="one a model that answered")
    degraded: list[str] = Field(description="models that should have voted and did not")
    explanation: Explanation | None = Field(default=None, description="of the ensemble, with `explain`")
    image: ImageFacts
    request_id: str = Field(description="quote it when asking for help")
    notice: str = Field(default=RESEARCH_USE_NOTICE, description="show it wherever a result is shown")


class Box(Document):
    """One lesion, in pixels of the image as sent; the origin is the upper left corner, maxima exclusive."""

    x_min: float = Field(ge=0, description="left edge, pixels")
    y_min: float = Field(ge=0, description="upper edge, pixels")
    x_max: float = Field(ge=0, description="right edge, pixels, exclusive")
    y_max: float = Field(ge=0, description="lower edge, pixels, exclusive")
    label: str = Field(description="cholangiocarcinoma or metastasis")
    score: float = Field(ge=0, le=1, description="of the fused box, 0 to 1; not a probability")
    detectors: list[str] = Field(description="which detectors found it")
    size_px: tuple[float, float] = Field(description="width and height in pixels")
    size_mm: tuple[float, float] | None = Field(
        description="width and height in millimetres; null where the file does not say the pixel spacing"
    )
    longest_diameter_px: float = Field(ge=0, description="the box's longer side, in pixels")
    longest_diameter_mm: float | None = Field(description="the box's longer side in millimetres, where that is known")


class DetectorReport(Document):
    model: str = Field(description="its name")
    version: str = Field(description="of the model that answered")
    boxes: int = Field(ge=0, description="boxes above its threshold, before fusion")
    duration_ms: float = Field(ge=0, description="of the call, milliseconds")


class Detection(Document):
    """The fused boxes."""

    boxes: list[Box] = Field(description="highest score first; none where the image is out of scope")
    scope: Scope | None = Field(description="null where no input check answered")
    method: FusionMethod = Field(description="how boxes of several detectors became one")
    annotated_png: str | None = Field(
        default=None,
        description="the image with its boxes, with `annotate`",
        json_schema_extra={"contentEncoding": "base64", "contentMediaType": "image/png"},
    )
    detectors: list[DetectorReport] = Field(description="one a detector that answered")
    degraded: list[str] = Field(description="detectors that should have answered and did not")
    image: ImageFacts
    request_id: str = Field(description="quote it when asking for help")
    notice: str = Field(default=RESEARCH_USE_NOTICE, description="show it wherever a result is shown")


class ClassificationBatch(Document):
    """An answer or a problem for every image, in the order they were sent."""

    items: list[Classification | Problem] = Field(description="an answer or a problem an image")
    request_id: str = Field(description="quote it when asking for help")
    notice: str = Field(default=RESEARCH_USE_NOTICE, description="show it wherever a result is shown")


class DetectionBatch(Document):
    """An answer or a problem for every image, in the order they were sent."""

    items: list[Detection | Problem] = Field(description="an answer or a problem an image")
    request_id: str = Field(description="quote it when asking for help")
    notice: str = Field(default=RESEARCH_USE_NOTICE, description="show it wherever a result is shown")


class Analysis(Document):
    """Classification and detection of one image; a part that failed says so in its place."""

    classification: Classification | Problem = Field(description="the verdict, or why there is none")
    detection: Detection | Problem = Field(description="the boxes, or why there are none")
    request_id: str = Field(description="quote it when asking for help")
    notice: str = Field(default=RESEARCH_USE_NOTICE, description="show it wherever a result is shown")


class AnalysisBatch(Document):
    """Both parts of every image, in the order they were sent."""

    items: list[Analysis] = Field(description="one an image")
    request_id: str = Field(description="quote it when asking for help")
    notice: str = Field(default=RESEARCH_USE_NOTICE, description="show it wherever a result is shown")


class ClassificationItem(Document):
    """The event `item` of a batch of classifications."""

    index: int = Field(ge=0, description="of the image, in the order they were sent")
    item: Classification | Problem = Field(description="the answer, or why there is none")


class DetectionItem(Document):
    """The event `item` of a batch of detections."""

    index: int = Field(ge=0, description="of the image, in the order they were sent")
    item: Detection | Problem = Field(description="the answer, or why there is none")


class AnalysisItem(Document):
    """The event `item` of a batch of analyses."""

    index: int = Field(ge=0, description="of the image, in the order they were sent")
    item: Analysis = Field(description="both parts")


class BatchEnd(Document):
    """The event `end` of a batch: nothing follows it. A stream that ends without it was cut off."""

    count: int = Field(ge=0, description="how many items there were")
