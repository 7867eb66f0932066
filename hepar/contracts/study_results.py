"""The result of one patient's study."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from .analyses import Outcome
from .base import RESEARCH_USE_NOTICE, Document, example_of, with_example
from .findings import Reading
from .images import NetworkScale
from .lesions import Lesion, Point, SliceBox
from .studies import Series, UnreadableFile

Certainty = Literal["high", "moderate", "low"]


class ModelVersion(Document):
    """A model that took part in a result."""

    model_config = with_example({"model": "segment_resunet", "version": "1"})

    model: str = Field(description="name of the model")
    version: str = Field(description="its version in the model repository")


class KeySlice(Document):
    """One of the most telling slices."""

    model_config = with_example({"slice": 17, "lesions": ["L1"], "tumour_probability": 0.93})

    slice: int = Field(ge=0, description="index in the analysed volume, from 0 at the feet")
    lesions: list[str] = Field(description="ids of the lesions that it shows")
    tumour_probability: float | None = Field(ge=0, le=1, description="of the classifiers; null where none answered")


class SliceResult(Document):
    """What the classifiers decided about one slice of the liver."""

    model_config = with_example(
        {
            "slice": 17,
            "outcome": "decided",
            "tumour_probability": 0.93,
            "type_probabilities": {"cholangiocarcinoma": 0.13, "metastasis": 0.87},
        }
    )

    slice: int = Field(ge=0, description="index in the analysed volume, from 0 at the feet")
    outcome: Outcome = Field(description="as for one image")
    tumour_probability: float | None = Field(ge=0, le=1, description="null where no classifier answered")
    type_probabilities: dict[str, float] = Field(description="given a tumour, summing to 1; empty where unknown")


class SliceModelAnswers(Document):
    """What each model said about one slice of the liver, before boxes were fused and votes combined."""

    model_config = with_example(
        {
            "slice": 17,
            "boxes": [example_of(SliceBox) | {"detectors": ["detect_yolov5"]}],
            "votes": {"classify_unet": {"cholangiocarcinoma": 0.12, "metastasis": 0.79, "no_tumour": 0.09}},
        }
    )

    slice: int = Field(ge=0, description="index in the analysed volume, from 0 at the feet")
    boxes: list[SliceBox] = Field(description="each of one detector, which its `detectors` names")
    votes: dict[str, dict[str, float]] = Field(
        description="probabilities of each classifier by label; empty where the slice is out of scope"
    )


class StudyModelAnswers(Document):
    """What each model said about each slice of the liver."""

    model_config = with_example(
        {
            "study_id": "0b0e7f0a-5d4e-4c8a-9a5e-0d7f6b3f7c11",
            "version": 1,
            "slices": [example_of(SliceModelAnswers)],
            "notice": RESEARCH_USE_NOTICE,
        }
    )

    study_id: str = Field(description="id of the study")
    version: int = Field(ge=1, description="of the result")
    slices: list[SliceModelAnswers] = Field(description="empty without a liver, and for results of earlier versions")
    notice: str = Field(default=RESEARCH_USE_NOTICE, description="show it wherever a result is shown")


class VolumeFacts(Document):
    """The analysed volume: slices from the feet to the head in standard radiological display."""

    model_config = with_example(
        {
            "slices": 41,
            "rows": 512,
            "columns": 512,
            "spacing_mm": [5.0, 0.78, 0.78],
            "origin_mm": [-200.0, -180.0, 40.0],
            "slice_direction": [0.0, 0.0, 1.0],
            "row_direction": [0.0, 1.0, 0.0],
            "column_direction": [1.0, 0.0, 0.0],
            "liver_slices": [6, 38],
            "scale": example_of(NetworkScale),
        }
    )

    slices: int = Field(gt=0, description="number of slices")
    rows: int = Field(gt=0, description="height of a slice in pixels")
    columns: int = Field(gt=0, description="width of a slice in pixels")
    spacing_mm: Point = Field(description="between slices, rows and columns")
    origin_mm: Point = Field(description="centre of the first voxel")
    slice_direction: Point = Field(description="unit vector in which the index of the slice grows")
    row_direction: Point = Field(description="unit vector in which the index of the row grows")
    column_direction: Point = Field(description="unit vector in which the index of the column grows")
    liver_slices: tuple[int, int] | None = Field(description="first and last slice of the liver; null without a liver")
    scale: NetworkScale | None = Field(
        default=None,
        description="of what the networks saw of each slice; null without a liver, and for results of earlier versions",
    )


class StudyResult(Document):
    """The result of one patient's study."""

    model_config = with_example(
        {
            "study_id": "0b0e7f0a-5d4e-4c8a-9a5e-0d7f6b3f7c11",
            "version": 1,
            "created_at": "2026-11-26T09:30:00Z",
            "outcome": "decided",
            "tumour": True,
            "tumour_probability": 0.96,
            "label": "metastasis",
            "type_probabilities": {"cholangiocarcinoma": 0.19, "metastasis": 0.81},
            "certainty": "high",
            "lesions": [example_of(Lesion)],
            "liver_ml": 1480.0,
            "tumour_ml": 5.2,
            "tumour_percent": 0.35,
            "key_slices": [example_of(KeySlice)],
            "slices": [example_of(SliceResult)],
            "volume": example_of(VolumeFacts),
            "series": [example_of(Series)],
            "unreadable_files": [],
            "warnings": [],
            "models": [example_of(ModelVersion)],
            "missing_models": [],
            "software_version": "2.0.0",
            "notice": RESEARCH_USE_NOTICE,
        }
    )

    study_id: str = Field(description="id of the study")
    version: int = Field(ge=1, description="grows when images come late and when the study is analysed again")
    created_at: datetime = Field(description="when the analysis ended, UTC")
    outcome: Outcome = Field(description="as for one image; `out_of_scope` where no slice shows a liver")
    tumour: bool | None = Field(description="null where that is open, and out of scope")
    tumour_probability: float | None = Field(ge=0, le=1, description="of at least one lesion, calibrated")
    label: str | None = Field(description="the type; null where it is undecided")
    type_probabilities: dict[str, float] = Field(description="given a tumour, summing to 1; empty out of scope")
    certainty: Certainty | None = Field(description="of the outcome, in words; null out of scope")
    lesions: list[Lesion] = Field(description="largest first")
    liver_ml: float | None = Field(description="volume of the liver with its lesions")
    tumour_ml: float | None = Field(description="volume of all lesions that have a mask")
    tumour_percent: float | None = Field(description="of the liver's volume")
    key_slices: list[KeySlice] = Field(max_length=5, description="the most telling slices, best first")
    slices: list[SliceResult] = Field(description="one per slice of the liver")
    volume: VolumeFacts
    series: list[Series] = Field(description="the series of the study, and which one was analysed")
    unreadable_files: list[UnreadableFile] = Field(description="files that could not be used")
    warnings: list[str] = Field(description="what a reader of the result should know about the study")
    models: list[ModelVersion] = Field(description="the models that took part")
    missing_models: list[str] = Field(description="models that should have answered and did not")
    reading: Reading | None = Field(
        default=None, description="corrections by readers; null where there are none. They change nothing above"
    )
    software_version: str = Field(description="version of Hepar")
    notice: str = Field(default=RESEARCH_USE_NOTICE, description="show it wherever a result is shown")
