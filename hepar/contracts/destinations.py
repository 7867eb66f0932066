"""Destinations: archives and record systems that results are sent to, and the sends."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from .base import Document, example_of, with_example
from .study_files import FileName, Language

DESTINATIONS_PATH = "/v1/destinations"
SENDS_PATH = "/v1/sends"
DestinationKind = Literal["dicom", "dicomweb", "fhir"]
DestinationName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
SendStatus = Literal["waiting", "sent", "failed"]
KeySlices = Annotated[list[Annotated[int, Field(ge=0, lt=100_000)]], Field(min_length=1, max_length=5)]
_AT = "2026-11-26T09:31:12Z"
_ID = "6b1f0e0a-2f2b-4c57-8e0f-1d6f7b8a9c01"
_STUDY_ID = "0b0e7f0a-5d4e-4c8a-9a5e-0d7f6b3f7c11"


class DestinationQueue(Document):
    """What waits for a destination, and what it did not take."""

    model_config = with_example({"waiting": 2, "failed": 1, "last_sent_at": _AT, "last_reason": "it does not answer"})

    waiting: int = Field(ge=0, description="sends that wait, those between two attempts included")
    failed: int = Field(ge=0, description="sends that are not attempted again; they can be retried")
    last_sent_at: datetime | None = Field(default=None, description="when the last send succeeded, UTC")
    last_reason: str | None = Field(default=None, description="why the last failed attempt failed")


class Destination(Document):
    """A destination that the operator configured."""

    model_config = with_example(
        {
            "name": "pacs",
            "kind": "dicom",
            "title": "Radiology archive",
            "files": ["segmentation.dcm", "measurements.dcm", "report.dcm"],
            "queue": example_of(DestinationQueue),
        }
    )

    name: str = Field(description="how requests name it")
    kind: DestinationKind = Field(description="`dicom`: C-STORE, `dicomweb`: STOW-RS, `fhir`: FHIR R4")
    title: str = Field(description="for people; the name where the operator gave none")
    files: list[FileName] = Field(description="files of a study that are sent there, as far as the study has them")
    queue: DestinationQueue | None = Field(default=None, description="for administrators only; null for others")


class DestinationList(Document):
    """All destinations, in the operator's order."""

    model_config = with_example({"items": [example_of(Destination)]})

    items: list[Destination] = Field(description="the destinations")


class DestinationTest(Document):
    """Whether a destination answers and lets Hepar in. Nothing is stored there."""

    model_config = with_example({"reachable": True, "duration_s": 0.12})

    reachable: bool = Field(description="whether the test passed")
    reason: str | None = Field(default=None, description="why it did not")
    duration_s: float = Field(ge=0, description="how long the test took, in seconds")


class SendRequest(Document):
    """Sends a study's result to a destination."""

    model_config = with_example({"destination": "pacs"})

    destination: DestinationName = Field(description="`name` of the destination")
    version: int | None = Field(
        default=None, ge=1, lt=2**31, description="version of the result; the newest that is finished by default"
    )
    language: Language | None = Field(
        default=None, description="of the report and of key images; that of the destination by default"
    )
    key_slices: KeySlices | None = Field(
        default=None, description="slices to show in the report and in key images, instead of the result's key slices"
    )


class FetchRequest(Document):
    """Fetches a study from an archive."""

    model_config = with_example({"study_uid": "1.2.840.113619.2.55.3.604688119.969.1764150000.12"})

    study_uid: str = Field(
        max_length=64, pattern=r"^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+$", description="StudyInstanceUID"
    )


class Send(Document):
    """One version of a study on its way to a destination."""

    model_config = with_example(
        {
            "id": _ID,
            "study_id": _STUDY_ID,
            "version": 1,
            "destination": "pacs",
            "status": "waiting",
            "automatic": True,
            "created_at": _AT,
            "attempts": 2,
            "next_attempt_at": "2026-11-26T09:33:12Z",
            "reason": "the archive does not answer",
        }
    )

    id: str = Field(description="identifies the send")
    study_id: str = Field(description="id of the study")
    version: int = Field(ge=1, description="version of the result")
    destination: str = Field(description="name of the destination")
    status: SendStatus = Field(description="`failed`: not attempted again, but it can be retried")
    automatic: bool = Field(description="sent because the study was finished, not because somebody requested it")
    created_at: datetime = Field(description="when it was queued, UTC")
    attempts: int = Field(ge=0, description="attempts so far")
    next_attempt_at: datetime | None = Field(default=None, description="where it waits, UTC")
    ended_at: datetime | None = Field(default=None, description="when it was sent or had failed, UTC")
    reason: str | None = Field(default=None, description="why the last attempt failed; nothing about the patient")
    language: Language | None = Field(default=None, description="as it was requested")
    key_slices: list[int] | None = Field(default=None, description="as they were requested")


class SendList(Document):
    """Sends, newest first."""

    model_config = with_example({"items": [example_of(Send)], "next": _ID})

    items: list[Send] = Field(description="the sends of this page")
    next: str | None = Field(default=None, description="value of `after` for the next page; null on the last page")


class RetriedSends(Document):
    """How many failed sends wait again."""

    model_config = with_example({"retried": 3})

    retried: int = Field(ge=0, description="sends that had failed")
