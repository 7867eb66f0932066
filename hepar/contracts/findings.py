"""Findings of a study as readers leave them: what the models said, and every correction with its author and time."""

from datetime import datetime
from typing import Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from .base import RESEARCH_USE_NOTICE, Document, example_of, with_example
from .lesions import Axis, Lesion, Point
from .roles import Role

OUTLINE_POINTS_MAX = 400
OUTLINES_MAX = 100
COMMENT_LENGTH_MAX = 2000
ReaderLabel = Literal[
    "cholangiocarcinoma", "metastasis", "hepatocellular_carcinoma", "haemangioma", "cyst", "other"
]  # fmt: skip
"""Types that a reader can choose; the models know the first two."""
AuthorRole = Role | Literal["system"]
"""`system`: a hospital system signed in with its own credentials."""
FindingSource = Literal["models", "reader"]
FindingStatus = Literal["unreviewed", "accepted", "rejected", "withdrawn"]
FindingPart = Literal["label", "outline"]
CorrectionAction = Literal["accept", "reject", "retype", "outline", "comment", "undo"]
_AT = "2026-11-26T10:04:00Z"
_AUTHOR = "6f1f7a52c9d34d0c8a5b0c7e9d1a2b3c"


class SliceOutline(Document):
    """The outline of a lesion in one slice."""

    model_config = with_example({"slice": 17, "polygon": [[141.0, 203.5], [190.0, 203.5], [190.0, 248.0]]})

    slice: int = Field(ge=0, lt=100_000, description="index in the analysed volume, from 0 at the feet")
    polygon: list[tuple[FiniteFloat, FiniteFloat]] = Field(
        max_length=OUTLINE_POINTS_MAX,
        description="corners as x and y in pixels of the slice as `slices/{index}.png` shows it, in order, without "
        "crossings; the last is joined with the first. Empty: the lesion does not reach this slice",
    )


class FindingMeasurement(Document):
    """Size and place of a finding, as the models or the newest outline of a reader give them."""

    model_config = with_example(
        {
            "measured_on": "outline",
            "first_slice": 15,
            "last_slice": 20,
            "centre_mm": [-60.0, -17.3, 140.0],
            "long_axis": example_of(Axis),
            "short_axis": example_of(Axis) | {"length_mm": 19.1},
            "volume_ml": 5.2,
            "measurable": True,
        }
    )

    measured_on: Literal["mask", "box", "outline"] = Field(
        description="`outline`: on outlines of readers, and on the models' mask in slices without one"
    )
    first_slice: int = Field(ge=0, description="lowest slice that shows it")
    last_slice: int = Field(ge=0, description="highest slice that shows it")
    centre_mm: Point = Field(description="x, y and z in patient coordinates")
    long_axis: Axis = Field(description="longest diameter in a slice (RECIST 1.1)")
    short_axis: Axis = Field(description="longest diameter perpendicular to it in the same slice")
    volume_ml: float | None = Field(description="of all slices; null for a box, and for an outline in one slice only")
    measurable: bool = Field(description="long axis of at least 10 mm and at least twice the slice thickness")


class CorrectionForm(Document):
    """What a reader says about a finding."""

    model_config = with_example({"action": "retype", "label": "metastasis", "comment": "known colon carcinoma"})

    action: CorrectionAction = Field(
        description="`accept` or `reject` the finding, `retype` it, correct its `outline`, `comment` it, or `undo` the "
        "newest correction of this finding that is in force"
    )
    label: ReaderLabel | None = Field(default=None, description="the type, for `retype`; null: undecided")
    outlines: list[SliceOutline] = Field(
        default=[],
        max_length=OUTLINES_MAX,
        description="for `outline`: the corrected slices, each once. Other slices stay as they are",
    )
    comment: str | None = Field(
        default=None, min_length=1, max_length=COMMENT_LENGTH_MAX, description="a remark, required for `comment`"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.action == "outline") != bool(self.outlines):
            raise ValueError("`outlines` belong to the action `outline`, which needs at least one")
        if self.label is not None and self.action != "retype":
            raise ValueError("`label` belongs to the action `retype`")
        if self.action == "comment" and self.comment is None:
            raise ValueError("the action `comment` needs a `comment`")
        return self


class NewFinding(Document):
    """A lesion that the models missed."""

    model_config = with_example({"label": "metastasis", "outlines": [example_of(SliceOutline)]})

    label: ReaderLabel | None = Field(default=None, description="the type; null: undecided")
    outlines: list[SliceOutline] = Field(
        min_length=1, max_length=OUTLINES_MAX, description="of at least one slice, each slice once"
    )
    comment: str | None = Field(default=None, min_length=1, max_length=COMMENT_LENGTH_MAX, description="a remark")


class Correction(Document):
    """One entry of a finding's history. Entries are never changed or removed."""

    model_config = with_example(
        {
            "number": 3,
            "action": "retype",
            "at": _AT,
            "author": _AUTHOR,
            "author_role": "clinician",
            "label": "metastasis",
            "outlined_slices": [],
            "comment": "known colon carcinoma",
            "undone": False,
        }
    )

    number: int = Field(ge=1, description="counts the entries of this version of the result")
    action: CorrectionAction | Literal["add"] = Field(description="`add`: a reader added the finding")
    at: datetime = Field(description="UTC")
    author: str = Field(description="id of the account or hospital system")
    author_role: AuthorRole = Field(description="as the author's access token stated it")
    label: str | None = Field(description="of `retype` and `add`")
    outlined_slices: list[int] = Field(description="slices whose outline was given")
    comment: str | None = Field(description="the remark")
    undone: bool = Field(description="whether a later entry took it back")


class Finding(Document):
    """A lesion with the models' answer, what readers made of it, and how."""

    model_config = with_example(
        {
            "id": "L1",
            "version": 1,
            "source": "models",
            "status": "accepted",
            "changed": ["label"],
            "label": "metastasis",
            "measurement": example_of(FindingMeasurement) | {"measured_on": "mask"},
            "outlines": [],
            "model": example_of(Lesion),
            "history": [example_of(Correction)],
            "etag": '"1.L1.1"',
        }
    )

    id: str = Field(description="L1, L2 and so on as in the result; R1, R2 and so on for those that readers added")
    version: int = Field(ge=1, description="version of the result that it belongs to")
    source: FindingSource = Field(description="who found it")
    status: FindingStatus = Field(
        description="`unreviewed` until a reader accepts, rejects, retypes or outlines it; `withdrawn`: a reader added "
        "it and took it back"
    )
    changed: list[FindingPart] = Field(description="what differs from the models' answer")
    label: str | None = Field(description="the type in force; null where it is undecided")
    measurement: FindingMeasurement
    outlines: list[SliceOutline] = Field(description="of readers, in force, by slice")
    model: Lesion | None = Field(description="what the models said, unchanged; null for what a reader added")
    history: list[Correction] = Field(description="oldest first")
    etag: str = Field(description="send it as If-Match with the next correction")


class ReadingSummary(Document):
    """The findings as readers left them, counted."""

    model_config = with_example(
        {
            "corrections": 3,
            "unreviewed": 0,
            "accepted": 1,
            "rejected": 1,
            "added": 0,
            "lesions": 1,
            "tumour_ml": 5.2,
            "tumour_percent": 0.35,
            "last_at": _AT,
            "last_role": "clinician",
        }
    )

    corrections: int = Field(ge=0, description="entries in the history of this version")
    unreviewed: int = Field(ge=0, description="findings of the models that no reader judged")
    accepted: int = Field(ge=0, description="findings of the models that were accepted or changed")
    rejected: int = Field(ge=0, description="findings of the models that were rejected")
    added: int = Field(ge=0, description="findings that readers added and did not reject")
    lesions: int = Field(ge=0, description="findings that are not rejected")
    tumour_ml: float | None = Field(description="volume of these; null where none of them has a volume")
    tumour_percent: float | None = Field(description="of the liver's volume, which corrections do not change")
    last_at: datetime | None = Field(default=None, description="time of the newest entry, UTC")
    last_role: AuthorRole | None = Field(default=None, description="role of its author")


class ReadFinding(Document):
    """A finding that readers judged, changed, commented or added, as documents of a result state it."""

    model_config = with_example(
        {
            "id": "L1",
            "source": "models",
            "status": "accepted",
            "changed": ["label"],
            "label": "metastasis",
            "measurement": example_of(FindingMeasurement) | {"measured_on": "mask"},
            "comments": ["known colon carcinoma"],
            "last_at": _AT,
            "last_role": "clinician",
        }
    )

    id: str = Field(description="as in the list of findings")
    source: FindingSource = Field(description="who found it")
    status: FindingStatus = Field(description="as in the list of findings")
    changed: list[FindingPart] = Field(description="what differs from the models' answer in `lesions`")
    label: str | None = Field(description="the type in force; null where it is undecided")
    measurement: FindingMeasurement
    comments: list[str] = Field(description="remarks in force, oldest first")
    last_at: datetime = Field(description="time of its newest correction, UTC")
    last_role: AuthorRole = Field(description="role of the author")


class Reading(Document):
    """What readers made of a result."""

    model_config = with_example({"summary": example_of(ReadingSummary), "findings": [example_of(ReadFinding)]})

    summary: ReadingSummary
    findings: list[ReadFinding] = Field(description="those with at least one correction")


class FindingList(Document):
    """All findings of one version of a result, and corrected ones of earlier versions."""

    model_config = with_example(
        {
            "study_id": "0b0e7f0a-5d4e-4c8a-9a5e-0d7f6b3f7c11",
            "version": 1,
            "summary": example_of(ReadingSummary),
            "items": [example_of(Finding)],
            "earlier": [],
            "etag": '"1.3"',
            "notice": RESEARCH_USE_NOTICE,
        }
    )

    study_id: str = Field(description="id of the study")
    version: int = Field(ge=1, description="of the result")
    summary: ReadingSummary
    items: list[Finding] = Field(description="the models' findings, largest first, then those that readers added")
    earlier: list[Finding] = Field(
        description="findings of earlier versions that have corrections, newest version first; they are not carried "
        "over, because a new version can find other lesions"
    )
    etag: str = Field(description="send it as If-Match to add a finding")
    notice: str = Field(default=RESEARCH_USE_NOTICE, description="show it wherever a result is shown")
