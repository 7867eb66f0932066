"""A lesion in three dimensions."""

from typing import Literal

from pydantic import Field

from .base import Document, example_of, with_example

Point = tuple[float, float, float]
"""x to the patient's left, y to the back, z to the head, in millimetres (DICOM's patient coordinates)."""
Lobe = Literal["left", "right"]


class Axis(Document):
    """A diameter of a lesion in one slice."""

    model_config = with_example(
        {
            "length_mm": 24.7,
            "slice": 17,
            "start_mm": [-71.2, -12.0, 140.0],
            "end_mm": [-48.9, -22.6, 140.0],
            "start_px": [141.0, 203.5],
            "end_px": [190.0, 248.0],
        }
    )

    length_mm: float = Field(gt=0, description="in the plane of the slice")
    slice: int = Field(ge=0, description="index in the analysed volume, from 0 at the feet")
    start_mm: Point = Field(description="one end point: x, y and z in patient coordinates")
    end_mm: Point = Field(description="the other end point")
    start_px: tuple[float, float] = Field(description="x and y in pixels of the slice as `slices/{index}.png` shows it")
    end_px: tuple[float, float] = Field(description="x and y of the other end point")


class SliceBox(Document):
    """The box of a lesion in one slice, in pixels of the slice as `slices/{index}.png` shows it; maxima exclusive."""

    model_config = with_example(
        {
            "slice": 17,
            "x_min": 141.0,
            "y_min": 203.5,
            "x_max": 190.0,
            "y_max": 248.0,
            "score": 0.83,
            "label": "metastasis",
            "detectors": ["detect_faster_rcnn", "detect_yolov5"],
        }
    )

    slice: int = Field(ge=0, description="index in the analysed volume, from 0 at the feet")
    x_min: float = Field(description="left edge")
    y_min: float = Field(description="upper edge")
    x_max: float = Field(description="right edge, exclusive")
    y_max: float = Field(description="lower edge, exclusive")
    score: float = Field(ge=0, le=1, description="of the fused box; not a probability")
    label: str = Field(description="type of the lesion according to the detectors")
    detectors: list[str] = Field(description="the detectors that found it")


class Lesion(Document):
    """One lesion in three dimensions."""

    model_config = with_example(
        {
            "id": "L1",
            "tracking_uid": "2.25.129003331",
            "first_slice": 15,
            "last_slice": 20,
            "key_slice": 17,
            "centre_mm": [-60.0, -17.3, 140.0],
            "measured_on": "mask",
            "long_axis": example_of(Axis),
            "short_axis": example_of(Axis) | {"length_mm": 19.1},
            "volume_ml": 5.2,
            "measurable": True,
            "probability": 0.91,
            "label": "metastasis",
            "type_probabilities": {"cholangiocarcinoma": 0.19, "metastasis": 0.81},
            "detectors": ["detect_faster_rcnn", "detect_yolov5"],
            "agreement": 2,
            "liver_share": 0.97,
            "lobe": "right",
            "boxes": [example_of(SliceBox)],
        }
    )

    id: str = Field(description="within this result: L1 is the largest")
    tracking_uid: str = Field(description="the same in DICOM SEG and SR")
    first_slice: int = Field(ge=0, description="lowest slice that shows it")
    last_slice: int = Field(ge=0, description="highest slice that shows it")
    key_slice: int = Field(ge=0, description="where the long axis lies")
    centre_mm: Point = Field(description="x, y and z in patient coordinates")
    measured_on: Literal["mask", "box"] = Field(description="`box`: there is no mask; the axes are the sides")
    long_axis: Axis = Field(description="longest diameter in a slice (RECIST 1.1)")
    short_axis: Axis = Field(description="longest diameter perpendicular to it in the same slice")
    volume_ml: float | None = Field(description="of the mask; null where there is none")
    measurable: bool = Field(description="long axis of at least 10 mm and at least twice the slice thickness")
    probability: float = Field(ge=0, le=1, description="of being a lesion")
    label: str | None = Field(description="the type; null where it is undecided")
    type_probabilities: dict[str, float] = Field(description="given a tumour, summing to 1; empty where unknown")
    detectors: list[str] = Field(description="detectors that found it in at least one slice")
    agreement: int = Field(ge=0, description="number of these detectors")
    liver_share: float | None = Field(ge=0, le=1, description="share of its boxes inside the liver")
    lobe: Lobe | None = Field(description="estimated from the position in the liver; null without a liver mask")
    boxes: list[SliceBox] = Field(description="by slice")
