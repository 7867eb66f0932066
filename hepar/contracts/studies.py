"""Studies: what was sent, and how far the analysis is."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from .analyses import Outcome
from .base import Document, example_of, with_example
from .problems import Problem

STUDIES_PATH = "/v1/studies"
DICOMWEB_PATH = "/dicom-web/studies"
"""Of QIDO-RS, WADO-RS and STOW-RS: docs/decisions/0060."""
STUDY_UPLOAD_PATHS = frozenset({STUDIES_PATH, DICOMWEB_PATH, f"{DICOMWEB_PATH}/"})
"""A path that ends in a slash stands for all below it."""
_CREATED_AT = "2026-11-26T09:30:00Z"
_STUDY_ID = "0b0e7f0a-5d4e-4c8a-9a5e-0d7f6b3f7c11"
StudyStatus = Literal["queued", "running", "finished", "failed", "cancelled"]
Priority = Literal["normal", "urgent"]
Plane = Literal["axial", "coronal", "sagittal", "oblique"]
SeriesFinding = Literal[
    "duplicate_slices",
    "missing_slices",
    "uneven_spacing",
    "gantry_tilt",
    "shifted_slices",
    "mixed_orientations",
    "mixed_sizes",
    "localizer",
    "derived",
    "not_ct",
    "too_few_slices",
    "no_positions",
    "unreadable_files",
]


class Series(Document):
    """One series of a study, and whether it was analysed."""

    model_config = with_example(
        {
            "id": "series-2",
            "uid": "2.25.302187546931",
            "number": 2,
            "description": "Abdomen portal venous 1.5 B30f",
            "modality": "CT",
            "plane": "axial",
            "images": 41,
            "slice_spacing_mm": 5.0,
            "findings": [],
            "chosen": True,
            "reason": "axial, original, soft kernel, portal venous, 41 slices over 200 mm",
        }
    )

    id: str = Field(description="select it with `?series=`")
    uid: str | None = Field(description="SeriesInstanceUID; null for NIfTI")
    number: int | None = Field(description="SeriesNumber, where the files state it")
    description: str | None = Field(description="SeriesDescription, where the files state it")
    modality: str | None = Field(description="CT for what can be analysed")
    plane: Plane | None = Field(description="null where the files state no orientation")
    images: int = Field(ge=0, description="readable images")
    slice_spacing_mm: float | None = Field(description="distance between neighbouring positions, median")
    findings: list[SeriesFinding] = Field(description="irregularities that a reader of the result should know about")
    chosen: bool = Field(description="whether this series was analysed")
    reason: str = Field(description="why it was chosen, or why not")


class UnreadableFile(Document):
    """A file of the upload that could not be used."""

    model_config = with_example({"index": 17, "detail": "the file ends in the middle of its pixel data"})

    index: int = Field(ge=0, description="its position in the upload, from 0")
    detail: str = Field(description="why it could not be used")


class StudyProgress(Document):
    """How far the analysis is."""

    model_config = with_example({"stage": "inference", "slices_done": 24, "slices_total": 41, "time_left_s": 9.5})

    stage: Literal["queued", "loading", "liver", "inference", "lesions", "outputs", "done"] = Field(
        description="what the analysis does now"
    )
    slices_done: int = Field(ge=0, description="of the liver's slices")
    slices_total: int | None = Field(ge=0, description="the liver's slices; null until they are known")
    time_left_s: float | None = Field(ge=0, description="estimated; null before the first slice")


class StudySummary(Document):
    """The result in one line of a list."""

    model_config = with_example(
        {
            "outcome": "decided",
            "label": "metastasis",
            "probability": 0.81,
            "lesions": 1,
            "largest_mm": 24.7,
            "key_slice": 17,
        }
    )

    outcome: Outcome = Field(description="as for one image")
    label: str | None = Field(description="the type; null where it is undecided")
    probability: float | None = Field(ge=0, le=1, description="of the label, or of a tumour")
    lesions: int = Field(ge=0, description="number of lesions")
    largest_mm: float | None = Field(description="long axis of the largest lesion")
    key_slice: int | None = Field(default=None, ge=0, description="the most telling slice")


class Study(Document):
    """A study as it is stored."""

    model_config = with_example(
        {
            "id": _STUDY_ID,
            "status": "finished",
            "priority": "normal",
            "created_at": _CREATED_AT,
            "updated_at": _CREATED_AT,
            "version": 1,
            "name": "Follow-up 3",
            "accession_number": "A-1042",
            "patient_pseudonym": "P-7KQ2M9",
            "study_date": "2026-11-20",
            "images": 41,
            "size_bytes": 21497520,
            "progress": example_of(StudyProgress) | {"stage": "done", "slices_done": 41, "time_left_s": 0.0},
            "summary": example_of(StudySummary),
        }
    )

    id: str = Field(description="a UUID")
    status: StudyStatus = Field(description="of the newest version")
    priority: Priority = Field(description="`urgent` studies are analysed first")
    created_at: datetime = Field(description="when it was received, UTC")
    updated_at: datetime = Field(description="time of the last change, UTC")
    version: int = Field(ge=1, description="of the newest result, or of the one that is computed now")
    name: str | None = Field(description="given by the sender with `?name=`")
    accession_number: str | None = Field(description="where the files state it")
    patient_pseudonym: str | None = Field(description="the same for all studies of a patient at this installation")
    study_date: str | None = Field(description="YYYY-MM-DD, where the files state it")
    images: int = Field(ge=0, description="received images, of all series")
    size_bytes: int = Field(ge=0, description="as received")
    progress: StudyProgress
    summary: StudySummary | None = Field(default=None, description="once finished")
    problem: Problem | None = Field(default=None, description="why it failed")


class StudyList(Document):
    """A page of studies, newest first."""

    model_config = with_example({"items": [example_of(Study)], "next": "eyJhZnRlciI6MX0"})

    items: list[Study] = Field(description="at most `limit` of them")
    next: str | None = Field(default=None, description="pass it as `after` for the next page; null on the last")
