"""What the networks say of one image."""

from typing import Literal

from pydantic import Field

from hepar.contracts.base import RESEARCH_USE_NOTICE, Document
from hepar.contracts.problems import Problem


class ImageFacts(Document):
    """The image as it was understood."""

    width: int = Field(gt=0, description="pixels")
    height: int = Field(gt=0, description="pixels")
    format: Literal["PNG", "JPEG", "TIFF", "BMP", "WEBP", "DICOM"]
    pixel_spacing_mm: tuple[float, float] | None = Field(
        description="distance of rows and of columns, millimetres; null where the file does not say"
    )
    warnings: list[str]


class ModelVote(Document):
    """What one classifier says."""

    model: str
    version: str
    label: str
    probabilities: dict[str, float] = Field(description="calibrated, 0..1, summing to 1")
    duration_ms: float = Field(ge=0)


class Classification(Document):
    """The ensemble's verdict."""

    label: str = Field(description="a label of the models, or `indeterminate`")
    probability: float = Field(ge=0, le=1, description="of the most probable label")
    probabilities: dict[str, float]
    agreement: str = Field(description="how many models voted for the most probable label, as `k of n`")
    votes: list[ModelVote]
    degraded: list[str] = Field(description="models that should have voted and did not")
    image: ImageFacts
    request_id: str
    notice: str = RESEARCH_USE_NOTICE


class Box(Document):
    """One lesion, in pixels of the image as sent; the origin is the upper left corner, maxima exclusive."""

    x_min: float = Field(ge=0)
    y_min: float = Field(ge=0)
    x_max: float = Field(ge=0)
    y_max: float = Field(ge=0)
    label: str
    score: float = Field(ge=0, le=1)
    detectors: list[str] = Field(description="which detectors found it")


class DetectorReport(Document):
    model: str
    version: str
    boxes: int = Field(ge=0, description="boxes above its threshold, before fusion")
    duration_ms: float = Field(ge=0)


class Detection(Document):
    """The fused boxes."""

    boxes: list[Box] = Field(description="highest score first")
    detectors: list[DetectorReport]
    degraded: list[str] = Field(description="detectors that should have answered and did not")
    image: ImageFacts
    request_id: str
    notice: str = RESEARCH_USE_NOTICE


class Analysis(Document):
    """Classification and detection of one image; a part that failed says so in its place."""

    classification: Classification | Problem
    detection: Detection | Problem
    request_id: str
    notice: str = RESEARCH_USE_NOTICE
