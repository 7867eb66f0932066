"""Corrections of findings as training reads them."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from .base import RESEARCH_USE_NOTICE, Document, example_of, with_example
from .findings import AuthorRole, CorrectionAction, FindingMeasurement, SliceOutline
from .lesions import Lesion
from .study_results import ModelVersion


class CorrectionRecord(Document):
    """A line of the export for training: one correction, and what the models had said. Without comments."""

    model_config = with_example(
        {
            "study_id": "0b0e7f0a-5d4e-4c8a-9a5e-0d7f6b3f7c11",
            "version": 1,
            "finding_id": "L1",
            "number": 3,
            "action": "retype",
            "at": "2026-11-26T10:04:00Z",
            "author": "6f1f7a52c9d34d0c8a5b0c7e9d1a2b3c",
            "author_role": "clinician",
            "label": "metastasis",
            "outlines": [],
            "measurement": example_of(FindingMeasurement) | {"measured_on": "mask"},
            "undone": False,
            "model_answer": example_of(Lesion),
            "models": [example_of(ModelVersion)],
            "software_version": "2.0.0",
            "notice": RESEARCH_USE_NOTICE,
        }
    )

    study_id: str = Field(description="id of the study")
    version: int = Field(ge=1, description="of the result")
    finding_id: str = Field(description="as in the list of findings")
    number: int = Field(ge=1, description="of the entry, within this version")
    action: CorrectionAction | Literal["add"] = Field(description="what the reader did")
    at: datetime = Field(description="UTC")
    author: str = Field(description="id of the account or hospital system")
    author_role: AuthorRole = Field(description="as the author's access token stated it")
    label: str | None = Field(description="of `retype` and `add`; null: undecided")
    outlines: list[SliceOutline] = Field(description="as the reader gave them")
    measurement: FindingMeasurement | None = Field(description="after `outline` and `add`")
    undone: bool = Field(description="whether a later entry had taken it back when this line was written")
    model_answer: Lesion | None = Field(description="the models' finding; null for what a reader added")
    models: list[ModelVersion] = Field(description="the models that took part in the result, with their versions")
    software_version: str = Field(description="version of Hepar that made the result")
    notice: str = Field(default=RESEARCH_USE_NOTICE, description="show it wherever a result is shown")
