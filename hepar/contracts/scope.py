"""Whether an image is of the kind that the networks were trained on."""

from typing import Literal

from pydantic import Field

from .base import Document, with_example


class InputCheck(Document):
    """Similarity of the image to the training images."""

    model: str = Field(description="name of the input check")
    version: str = Field(description="version of the input check that answered")
    typicality: float = Field(ge=0, le=1, description="similarity to the abdominal CT slices of the training data")
    threshold: float = Field(ge=0, le=1, description="below this typicality an image is out of scope")


class LiverExtent(Document):
    """The liver in the image, as the segmenter sees it."""

    model: str = Field(description="name of the segmenter")
    version: str = Field(description="version of the segmenter that answered")
    area_px: float = Field(ge=0, description="area of the liver in pixels of the image")
    area_mm2: float | None = Field(description="in square millimetres; null where the file states no pixel spacing")


ScopeCode = Literal["not_abdominal_ct", "no_liver"]


class Scope(Document):
    """Is the image of the kind that the networks were trained on?"""

    model_config = with_example(
        {
            "in_scope": True,
            "input_check": {"model": "check_input", "version": "1", "typicality": 0.97, "threshold": 0.5},
            "liver": {"model": "segment_resunet", "version": "1", "area_px": 21350.0, "area_mm2": 12990.0},
        }
    )

    in_scope: bool = Field(description="false where the image is too untypical, or shows no liver")
    code: ScopeCode | None = Field(
        default=None,
        description="`not_abdominal_ct`: the typicality is below the threshold. `no_liver`: the segmenter sees no "
        "liver. null in scope",
    )
    reason: str | None = Field(default=None, description="the code in words; null in scope")
    input_check: InputCheck | None = Field(default=None, description="null where no input check answered")
    liver: LiverExtent | None = Field(default=None, description="null where no segmenter answered")
