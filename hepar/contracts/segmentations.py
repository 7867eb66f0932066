"""Result of the segmentation of one image."""

from pydantic import Field

from .analyses import Polygon
from .base import RESEARCH_USE_NOTICE, Document, example_of, with_example
from .images import ImageFacts
from .problems import Problem
from .scope import Scope


class Region(Document):
    """A connected part of a mask."""

    model_config = with_example(
        {
            "polygon": [[[141.0, 203.5], [190.0, 203.5], [190.0, 248.0], [141.0, 203.5]]],
            "area_px": 1090.3,
            "area_mm2": 663.3,
        }
    )

    polygon: Polygon = Field(
        description="the outer ring, then the holes; each ring is closed and lists x, y in pixels of the image as sent "
        "with the origin at the upper left corner"
    )
    area_px: float = Field(ge=0, description="in pixels of the image, without the holes")
    area_mm2: float | None = Field(description="in square millimetres; null where the file states no pixel spacing")


class Mask(Document):
    """The mask of one class."""

    model_config = with_example({"regions": [example_of(Region)], "png": "iVBORw0KGgo="})

    regions: list[Region] = Field(description="largest first; the mask's border at half a pixel of the network's input")
    png: str = Field(
        description="the mask in the size of the image as sent: white inside, black outside",
        json_schema_extra={"contentEncoding": "base64", "contentMediaType": "image/png"},
    )


class Segmentation(Document):
    """Masks of the liver and of its lesions in one image."""

    model_config = with_example(
        {
            "liver": example_of(Mask),
            "lesions": example_of(Mask),
            "scope": example_of(Scope),
            "model": "segment_resunet",
            "version": "1",
            "duration_ms": 14.1,
            "missing_models": [],
            "image": example_of(ImageFacts),
            "request_id": example_of(Problem)["request_id"],
            "notice": RESEARCH_USE_NOTICE,
        }
    )

    liver: Mask | None = Field(description="the liver with its lesions; null where the image is out of scope")
    lesions: Mask | None = Field(description="lesions in the liver; null where the image is out of scope")
    scope: Scope = Field(description="whether the image is of the kind that the networks were trained on")
    model: str = Field(description="name of the segmenter")
    version: str = Field(description="version of the segmenter that answered")
    duration_ms: float = Field(ge=0, description="duration of the call, milliseconds")
    missing_models: list[str] = Field(description="models that should have answered and did not")
    image: ImageFacts
    request_id: str = Field(description="identifies this request; include it in a support request")
    notice: str = Field(default=RESEARCH_USE_NOTICE, description="show it wherever a result is shown")
