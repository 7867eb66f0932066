"""Internal answers of the model services about the slices of a volume. One item per slice, in the order sent."""

from typing import Annotated

from pydantic import Field, StringConstraints

from .analyses import Outcome
from .base import Document
from .study_results import ModelVersion

SLICES_PATH = "/internal/v1/slices"
LIVER_PATH = "/internal/v1/liver"
SEGMENTER_HEADER = "x-hepar-segmenter"
"""Of masks, as `MODEL/VERSION`: in the answer that has them, and in a request that sends them on."""
LESION_THRESHOLD_HEADER = "x-hepar-lesion-threshold"
"""Of an answer with masks: from this probability on, 0 to 1, a pixel belongs to a lesion."""
BY_MODEL_HEADER = "x-hepar-by-model"
"""Of a request, `true`: the answer has what each model said too. Earlier workers refuse an answer with it."""
FRAME_HEADER = "x-hepar-frame"
"""The part of each slice that the networks see, as `X Y SIDE` of a square's centre and side in pixels of the slice; in
the request, and repeated in the answer. Without it they see whole slices. Earlier services do not repeat it."""
PIXEL_MM_HEADER = "x-hepar-pixel-mm"
"""Of a request with a frame: side of a pixel of the slices. Without it, detectors see a share of each slice that
does not depend on its scale."""
SliceFrame = Annotated[
    str,
    StringConstraints(pattern=r"^(?:[0-9]{1,5}(?:\.[0-9]{1,3})? ){2}[1-9][0-9]{0,4}(?:\.[0-9]{1,3})?$"),
]
SegmenterName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,100}/[0-9]{1,18}$")]


class SliceClassification(Document):
    """As in a classification of one image, without explanations."""

    outcome: Outcome
    tumour_probability: float | None = Field(ge=0, le=1)
    type_probabilities: dict[str, float]
    votes: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Probabilities by label of each classifier: see BY_MODEL_HEADER; empty out of scope."""


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
    """items: the fused boxes of each slice.  models: that answered.

    single: the boxes of each detector alone, see BY_MODEL_HEADER.
    """

    items: list[list[DetectedBox]]
    single: list[list[DetectedBox]] = Field(default_factory=list)
    models: list[ModelVersion]
    missing_models: list[str]
