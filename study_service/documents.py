"""What callers of the repository pass and get: values without a database."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Literal

from hepar.contracts.findings import AuthorRole
from hepar.contracts.studies import Priority, Study, StudyStatus
from hepar.storage.encryption import DataKey

ObjectKind = Literal["archive", "dicom", "nifti"]
ReceivedState = Literal["new", "extended", "known"]
AccessEvent = Literal[
    "created", "extended", "sent_again", "listed", "read", "result_read", "slice_read", "mask_read", "downloaded",
    "reanalysed", "cancelled", "deleted", "expired", "accesses_read", "delivered",
    "send_requested", "sending", "sent", "priors_fetched", "searched", "exported", "findings_read", "corrected",
    "corrections_exported",
]  # fmt: skip


@dataclass(frozen=True)
class Caller:
    """Who acts. groups: whose studies the caller may read too.  administrator: may read all.  origin: the address.

    role: as the scopes of the token tell it.
    """

    subject: str
    groups: frozenset[str] = frozenset()
    administrator: bool = False
    origin: str | None = None
    role: AuthorRole = "system"


@dataclass(frozen=True)
class PatientIdentifiers:
    """What names the patient; stored encrypted only. name_given: the sender's `?name=`."""

    patient_name: str | None = None
    patient_id: str | None = None
    issuer: str | None = None
    birth_date: str | None = None
    sex: str | None = None
    accession_number: str | None = None
    study_uid: str | None = None
    name_given: str | None = None

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> PatientIdentifiers:
        return cls(**json.loads(content))


@dataclass(frozen=True)
class Upload:
    """Where the files of one request are stored. data_key: encrypts them.  wrapped_key: to be stored."""

    id: str
    data_key: DataKey = field(repr=False)
    wrapped_key: bytes = field(repr=False)

    @property
    def prefix(self) -> str:
        return f"uploads/{self.id}"


@dataclass(frozen=True)
class UploadedObject:
    """key: below the upload's prefix; it is also the context of the encryption."""

    key: str
    kind: ObjectKind
    size_bytes: int


@dataclass(frozen=True)
class NewStudy:
    """A complete upload, already checked.

    instances: SOPInstanceUIDs; for NIfTI one SHA-256 of the content.  size_bytes: as received.
    quiet_s: how long the study waits for further images before it is analysed.
    """

    upload: Upload
    objects: tuple[UploadedObject, ...]
    instances: frozenset[str]
    identifiers: PatientIdentifiers
    images: int
    size_bytes: int
    study_date: date | None = None
    priority: Priority = "normal"
    series: str | None = None
    group: str | None = None
    quiet_s: float = 0.0


@dataclass(frozen=True)
class ReceivedStudy:
    """state `known`: all images were there already; nothing of the upload is used, and its objects can be deleted."""

    study: Study
    state: ReceivedState


@dataclass(frozen=True)
class StudyFilter:
    """search: an accession number, a name as given, a patient's pseudonym or a study's id, in full.

    order: `attention` begins with what somebody should look at first.
    """

    status: StudyStatus | None = None
    label: str | None = None
    accession_number: str | None = None
    study_date_from: date | None = None
    study_date_to: date | None = None
    search: str | None = None
    order: Literal["newest", "attention"] = "newest"


@dataclass(frozen=True)
class StudyFiles:
    """What a version of a study consists of. identifiers: of the patient.  data_key: of everything derived."""

    study_id: str
    version: int
    series: str | None
    data_key: DataKey = field(repr=False)
    identifiers: PatientIdentifiers = field(repr=False)
    uploads: tuple[tuple[DataKey, tuple[UploadedObject, ...]], ...] = field(repr=False)


@dataclass(frozen=True)
class AnalysedVersion:
    """A version that has a result. data_key: of everything derived."""

    version: int
    data_key: DataKey = field(repr=False)
    identifiers: PatientIdentifiers = field(repr=False)
    study_date: date | None


@dataclass(frozen=True)
class Access:
    """One entry of a study's access log."""

    at: datetime
    event: str
    actor: str | None
    origin: str | None
