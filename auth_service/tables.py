"""The tables of auth_service. Times are UTC. Secrets are hashed; the second factor's is encrypted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, Integer, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from hepar.storage.hash_chain import ChainedRow, ChainHead
from hepar.storage.tables import PagedRow, UtcDateTime


class Base(DeclarativeBase):
    type_annotation_map = {datetime: UtcDateTime}  # noqa: RUF012  SQLAlchemy reads it from the class


class StoredAccount(PagedRow, Base):
    """One person. The address is stored in lower case and is unique.

    totp_secret: encrypted.  last_totp_step: makes codes single-use.  approved_at: when first active.
    email_pending: until a link confirms the address.  group_name: whose studies it may read, too.
    last_sign_in_at: with the password.
    """

    __tablename__ = "accounts"
    __table_args__ = (Index("ix_accounts_created_at_id", "created_at", "id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(120), default="")
    password_hash: Mapped[str] = mapped_column(String(256))
    role: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    approved_at: Mapped[datetime | None]
    totp_secret: Mapped[str | None] = mapped_column(String(256))
    totp_confirmed_at: Mapped[datetime | None]
    last_totp_step: Mapped[int | None] = mapped_column(Integer)
    email_pending: Mapped[bool] = mapped_column(default=False)
    group_name: Mapped[str | None] = mapped_column(String(64))
    last_sign_in_at: Mapped[datetime | None]


class StoredRecoveryCode(Base):
    """A single-use replacement for a code of the second factor. hash: SHA-256."""

    __tablename__ = "recovery_codes"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)


class StoredSession(Base):
    """One sign-in and all refreshes that follow from it: a token family."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    scope: Mapped[str] = mapped_column(String(256))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class StoredRefreshToken(Base):
    """Single-use. hash: SHA-256 of the opaque token.  parent: the hash of the token that it replaced."""

    __tablename__ = "refresh_tokens"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    parent: Mapped[str | None] = mapped_column(String(64), index=True)


class StoredRevocation(Base):
    """A revoked access token; the row is deleted after the token's expiry."""

    __tablename__ = "revoked_tokens"

    token_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class StoredClient(PagedRow, Base):
    """A hospital system that signs in with a secret."""

    __tablename__ = "clients"
    __table_args__ = (Index("ix_clients_created_at_id", "created_at", "id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    scope: Mapped[str] = mapped_column(String(256))
    created_at: Mapped[datetime]
    deactivated_at: Mapped[datetime | None]
    group_name: Mapped[str | None] = mapped_column(String(64))


class StoredClientSecret(Base):
    """One of a client's secrets; there are several during a rotation. hash: SHA-256 of 256 random bits."""

    __tablename__ = "client_secrets"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"), index=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]


class StoredThrottle(Base):
    """Recent failed attempts. key: SHA-256 of the account or the origin."""

    __tablename__ = "throttles"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    last_failure_at: Mapped[datetime] = mapped_column(index=True)


class StoredAuditEntry(ChainedRow, Base):
    """Append-only. hash: HMAC over the canonical entry and the hash of the previous one."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index("ix_audit_entries_subject_number", "subject", "number"),)

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    event: Mapped[str] = mapped_column(String(40))
    actor: Mapped[str | None] = mapped_column(String(32))
    subject: Mapped[str | None] = mapped_column(String(32))
    origin: Mapped[str | None] = mapped_column(String(45))
    details: Mapped[dict[str, str]] = mapped_column(JSON)
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class StoredAuditHead(ChainHead, Base):
    """One row, which every writer locks."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(Integer)
    hash: Mapped[str] = mapped_column(String(64))
