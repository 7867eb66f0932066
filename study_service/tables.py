"""The tables of study_service. Times are UTC. What identifies a patient is encrypted or a keyed hash."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    event,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from hepar.storage.changes import announce
from hepar.storage.hash_chain import ChainedRow, ChainHead
from hepar.storage.tables import PagedRow, UtcDateTime

QUEUE_CHANNEL = "hepar_studies_queued"
"""Where idle workers are told of studies that wait."""


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy reads it from the class
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        bytes: LargeBinary,
    }


class StoredStudy(PagedRow, Base):
    """One study and the job that analyses its newest version.

    data_key: encrypts the rest of the study; it is encrypted itself.  identifiers: PatientIdentifiers, encrypted.
    *_hash: keyed hashes to search by.  study_key: recognises the same study of the same owner.
    worker, lease_until: who analyses it, and until when without a sign of life.  tries: begun so far, without those
    that a component's outage ended, which `outages` counts.  run: grows when a try failed, not when its worker died.
    """

    __tablename__ = "studies"
    __table_args__ = (
        Index("ix_studies_created_at_id", "created_at", "id"),
        Index("ix_studies_owner_created_at", "owner", "created_at"),
        Index("ix_studies_status_due_at", "status", "due_at"),
        Index("ix_studies_owner_study_key", "owner", "study_key", unique=True),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    group_id: Mapped[str | None] = mapped_column(String(64), index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime] = mapped_column(index=True)
    status: Mapped[str] = mapped_column(String(16))
    priority: Mapped[str] = mapped_column(String(8))
    version: Mapped[int] = mapped_column(Integer)
    series_choice: Mapped[str | None] = mapped_column(String(64))
    data_key: Mapped[bytes]
    identifiers: Mapped[bytes]
    study_key: Mapped[str] = mapped_column(String(64))
    accession_hash: Mapped[str | None] = mapped_column(String(64), index=True)
    name_hash: Mapped[str | None] = mapped_column(String(64), index=True)
    patient_pseudonym: Mapped[str | None] = mapped_column(String(16), index=True)
    study_date: Mapped[date | None] = mapped_column(index=True)
    images: Mapped[int] = mapped_column(Integer)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    label: Mapped[str | None] = mapped_column(String(64), index=True)
    summary: Mapped[dict[str, Any] | None]
    problem: Mapped[dict[str, Any] | None]
    stage: Mapped[str] = mapped_column(String(16))
    slices_done: Mapped[int] = mapped_column(Integer)
    slices_total: Mapped[int | None] = mapped_column(Integer)
    time_left_s: Mapped[float | None]
    due_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(Integer)
    outages: Mapped[int] = mapped_column(Integer, default=0)
    run: Mapped[int] = mapped_column(Integer, default=0)
    worker: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[datetime | None]
    started_at: Mapped[datetime | None]


@event.listens_for(StoredStudy, "after_insert")
@event.listens_for(StoredStudy, "after_update")
def _announce(_mapper: object, connection: Connection, study: StoredStudy) -> None:
    if study.status == "queued":
        announce(connection, QUEUE_CHANNEL)


class StoredUpload(Base):
    """One request with files of a study. version: of the study that it led to.  objects: `uploads/{id}/...`."""

    __tablename__ = "study_uploads"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), index=True)
    version: Mapped[int] = mapped_column(Integer)
    data_key: Mapped[bytes]
    created_at: Mapped[datetime]


class StoredObject(Base):
    """One object of an upload, in the order of arrival. key: in the object storage.  kind: archive, dicom or nifti."""

    __tablename__ = "study_objects"

    key: Mapped[str] = mapped_column(String(160), primary_key=True)
    upload_id: Mapped[str] = mapped_column(ForeignKey("study_uploads.id", ondelete="CASCADE"), index=True)
    position: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(8))
    size_bytes: Mapped[int] = mapped_column(BigInteger)


class StoredInstance(Base):
    """An image that the study has. uid_hash: keyed hash of its SOPInstanceUID."""

    __tablename__ = "study_instances"

    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True)
    uid_hash: Mapped[str] = mapped_column(String(64), primary_key=True)


class StoredResult(Base):
    """The result of one version; never changed. document: StudyResult as JSON, compressed and encrypted.

    has_fhir_tokens: whether StoredFhirToken has those of this version.
    """

    __tablename__ = "study_results"

    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    created_at: Mapped[datetime]
    document: Mapped[bytes]
    has_fhir_tokens: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false(), index=True)


class StoredSeries(Base):
    """A series of one version. document: Series as JSON, encrypted."""

    __tablename__ = "study_series"

    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    document: Mapped[bytes]


class StoredCorrection(Base):
    """One correction of a finding by a reader; append-only. number: counts those of one version of the result.

    finding_id: L1 and so on, R1 and so on for what readers added.  document: what the reader said, encrypted.
    """

    __tablename__ = "study_corrections"

    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    finding_id: Mapped[str] = mapped_column(String(16))
    action: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime] = mapped_column(index=True)
    author: Mapped[str] = mapped_column(String(64))
    author_role: Mapped[str] = mapped_column(String(16))
    document: Mapped[bytes]


class StoredAccess(ChainedRow, Base):
    """Who did what with a study, and when. Append-only; it outlives the study.

    patient: the pseudonym of the study's patient.  position: in the chain, None until it is sealed.
    """

    __tablename__ = "study_accesses"

    number: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    at: Mapped[datetime] = mapped_column(index=True)
    event: Mapped[str] = mapped_column(String(24))
    actor: Mapped[str | None] = mapped_column(String(64), index=True)
    study_id: Mapped[str] = mapped_column(String(36), index=True)
    origin: Mapped[str | None] = mapped_column(String(45))
    patient: Mapped[str | None] = mapped_column(String(16), index=True)
    details: Mapped[dict[str, Any]]
    position: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    previous_hash: Mapped[str] = mapped_column(String(64), server_default="")
    hash: Mapped[str] = mapped_column(String(64), server_default="")


class StoredAccessHead(ChainHead, Base):
    """One row: the last sealed entry of the access log."""

    __tablename__ = "study_accesses_head"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(64))


class StoredFhirToken(Base):
    """What a version's FHIR resources are found by: keyed hashes of their identifiers and of the patient's."""

    __tablename__ = "study_fhir_tokens"

    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    token: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)


class StoredTurn(Base):
    """When an account's study was last begun: the account that waits longest comes first."""

    __tablename__ = "study_turns"

    owner: Mapped[str] = mapped_column(String(64), primary_key=True)
    last_started_at: Mapped[datetime]
