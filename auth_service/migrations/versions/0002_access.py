"""Roles, status, second factor, sessions, clients, throttles and the audit."""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None

_TIME = sa.DateTime(timezone=True)
_TABLES = (
    "audit_head", "audit_entries", "throttles", "client_secrets", "clients", "revoked_tokens", "refresh_tokens",
    "sessions", "recovery_codes",
)  # fmt: skip
_ADDED = ("name", "role", "status", "totp_secret", "totp_confirmed_at", "last_totp_step")


def _of_account(nullable: bool = False) -> sa.Column[str]:
    return sa.Column("account_id", sa.String(32), sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=nullable)


def upgrade() -> None:
    _extend_accounts()
    _create_sessions()
    _create_clients()
    _create_throttles_and_audit()


def _extend_accounts() -> None:
    with op.batch_alter_table("accounts") as table:
        table.add_column(sa.Column("name", sa.String(120), nullable=False, server_default=""))
        table.add_column(sa.Column("role", sa.String(16), nullable=False, server_default="researcher"))
        table.add_column(sa.Column("status", sa.String(16), nullable=False, server_default="active"))
        table.add_column(sa.Column("totp_secret", sa.String(256)))
        table.add_column(sa.Column("totp_confirmed_at", _TIME))
        table.add_column(sa.Column("last_totp_step", sa.Integer))
        table.create_index("ix_accounts_created_at_id", ["created_at", "id"])
    op.create_table("recovery_codes", sa.Column("hash", sa.String(64), primary_key=True), _of_account())
    op.create_index("ix_recovery_codes_account_id", "recovery_codes", ["account_id"])


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(32), primary_key=True),
        _of_account(),
        sa.Column("scope", sa.String(256), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("last_used_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME),
    )
    op.create_index("ix_sessions_account_id", "sessions", ["account_id"])
    op.create_table(
        "refresh_tokens",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("session_id", sa.String(32), sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("used_at", _TIME),
    )
    op.create_index("ix_refresh_tokens_session_id", "refresh_tokens", ["session_id"])
    op.create_table(
        "revoked_tokens",
        sa.Column("token_id", sa.String(64), primary_key=True),
        sa.Column("expires_at", _TIME, nullable=False),
    )
    op.create_index("ix_revoked_tokens_expires_at", "revoked_tokens", ["expires_at"])


def _create_clients() -> None:
    op.create_table(
        "clients",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("scope", sa.String(256), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("deactivated_at", _TIME),
    )
    op.create_index("ix_clients_created_at_id", "clients", ["created_at", "id"])
    op.create_table(
        "client_secrets",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("client_id", sa.String(32), sa.ForeignKey("clients.id", ondelete="CASCADE"), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME),
    )
    op.create_index("ix_client_secrets_client_id", "client_secrets", ["client_id"])


def _create_throttles_and_audit() -> None:
    op.create_table(
        "throttles",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_failure_at", _TIME, nullable=False),
    )
    op.create_index("ix_throttles_last_failure_at", "throttles", ["last_failure_at"])
    op.create_table(
        "audit_entries",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("actor", sa.String(32)),
        sa.Column("subject", sa.String(32)),
        sa.Column("origin", sa.String(45)),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_index("ix_audit_entries_subject_number", "audit_entries", ["subject", "number"])
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "number": 0, "hash": "0" * 64}])


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
    with op.batch_alter_table("accounts") as accounts:
        accounts.drop_index("ix_accounts_created_at_id")
        for column in _ADDED:
            accounts.drop_column(column)
