"""Webhooks and the calls that are still to be made."""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=32), primary_key=True),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("every_study", sa.Boolean(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("data_key", sa.LargeBinary(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("last_status", sa.Integer()),
        sa.Column("failed_attempts", sa.Integer(), nullable=False),
    )
    op.create_index("ix_webhooks_owner", "webhooks", ["owner"])
    of_study = sa.ForeignKey("studies.id", ondelete="CASCADE")
    op.create_table(
        "study_webhooks",
        sa.Column("study_id", sa.String(length=36), of_study, primary_key=True),
        sa.Column("webhook_id", sa.String(length=32), _of_webhook(), primary_key=True),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.String(length=32), primary_key=True),
        sa.Column("webhook_id", sa.String(length=32), _of_webhook(), nullable=False),
        sa.Column("study_id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
    )
    op.create_index("ix_webhook_deliveries_webhook_id", "webhook_deliveries", ["webhook_id"])
    op.create_index("ix_webhook_deliveries_due_at", "webhook_deliveries", ["due_at"])


def _of_webhook() -> sa.ForeignKey:
    return sa.ForeignKey("webhooks.id", ondelete="CASCADE")


def downgrade() -> None:
    for table in ("webhook_deliveries", "study_webhooks", "webhooks"):
        op.drop_table(table)
