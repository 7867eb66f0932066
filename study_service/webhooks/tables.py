"""The tables of webhooks. Times are UTC."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from study_service.outbox import OutboxRow
from study_service.tables import Base


class StoredWebhook(Base):
    """data_key: encrypts the secret; it is encrypted itself.  secret: of the signatures, encrypted."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64), index=True)
    url: Mapped[str] = mapped_column(String(500))
    events: Mapped[list[str]] = mapped_column(JSON)
    every_study: Mapped[bool]
    created_at: Mapped[datetime]
    data_key: Mapped[bytes]
    secret: Mapped[bytes]
    last_status: Mapped[int | None] = mapped_column(Integer)
    failed_attempts: Mapped[int] = mapped_column(Integer)


class StoredStudyWebhook(Base):
    """A webhook that was named with `?webhook=` when the study was sent."""

    __tablename__ = "study_webhooks"

    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"), primary_key=True)


class StoredDelivery(OutboxRow, Base):
    """A call that is still to be made."""

    __tablename__ = "webhook_deliveries"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"), index=True)
    study_id: Mapped[str] = mapped_column(String(36))
    version: Mapped[int] = mapped_column(Integer)
    event: Mapped[str] = mapped_column(String(16))
