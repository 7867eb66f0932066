"""The table of sends. Times are UTC."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from hepar.contracts.study_files import Language
from hepar.storage.tables import PagedRow
from study_service.outbox import OutboxRow
from study_service.tables import Base


class StoredSend(PagedRow, OutboxRow, Base):
    """A version of a study for one destination; deleted with the study.

    status: `waiting`, `sent` or `failed`.  requested_by: None where it is automatic.  reason: of the last failure.
    language: that of the destination where it is None.  key_slices: those of the result where it is empty.
    """

    __tablename__ = "study_sends"
    __table_args__ = (
        Index("ix_study_sends_created_at_id", "created_at", "id"),
        Index("ix_study_sends_destination_status", "destination", "status"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), index=True)
    version: Mapped[int] = mapped_column(Integer)
    destination: Mapped[str] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(8))
    requested_by: Mapped[str | None] = mapped_column(String(64))
    ended_at: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(String(300))
    language: Mapped[Language | None] = mapped_column(String(2))
    key_slices: Mapped[list[int]] = mapped_column(JSON)
