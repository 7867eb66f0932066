"""Tables of e-mail: messages that wait for delivery, and the links that they contain."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from auth_service.tables import Base


class StoredEmail(Base):
    """A requested link. Whether the address has an account is looked up when it is delivered.

    attempts: deliveries that were begun.  due_at: earliest time of the next one.
    """

    __tablename__ = "emails"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(24))
    address: Mapped[str] = mapped_column(String(254))
    origin: Mapped[str | None] = mapped_column(String(45))
    attempts: Mapped[int] = mapped_column(Integer)
    due_at: Mapped[datetime] = mapped_column(index=True)


class StoredLink(Base):
    """A single-use link. hash: SHA-256 of 256 random bits.

    account_state: SHA-256 of the password hash at the time: another change of the password invalidates the link.
    """

    __tablename__ = "email_links"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(24))
    account_state: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime] = mapped_column(index=True)
