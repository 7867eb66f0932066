"""Internal answers of the model services about the slices of a volume. One item per slice, in the order sent."""

from pydantic import Field

from .analyses import Outcome
from .base import Document
from .study_results import ModelVersion


class SliceClassification(Document):
    """As in a classification of one image, without explanations."""

    outcome: Outcome
    tumour_probability: float | None = Field(ge=0, le=1)
    type_probabilities: dict[str, float]


class SliceClassifications(Document):
    """models: that answered."""

    items: list[SliceClassification]
    models: list[ModelVersion]
    missing_models: list[str]


class DetectedBox(Document):
    """In pixels of the slice as sent, maxima exclusive."""

    x_min: float
    y_min: float
    x_max: float
    y_max: float
    label: str
    score: float = Field(ge=0, le=1)
    detectors: list[str]


class SliceDetections(Document):
    """items: the fused boxes of each slice.  models: that answered."""

    items: list[list[DetectedBox]]
    models: list[ModelVersion]
    missing_models: list[str]
