"""Sends of results to destinations."""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0004", "0003", None, None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "study_sends",
        sa.Column("id", sa.String(length=36), primary_key=True),
        sa.Column("study_id", sa.String(length=36), sa.ForeignKey("studies.id", ondelete="CASCADE"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("destination", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("requested_by", sa.String(length=64)),
        sa.Column("ended_at", _TIME),
        sa.Column("reason", sa.String(length=300)),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
    )
    op.create_index("ix_study_sends_study_id", "study_sends", ["study_id"])
    op.create_index("ix_study_sends_due_at", "study_sends", ["due_at"])
    op.create_index("ix_study_sends_created_at_id", "study_sends", ["created_at", "id"])
    op.create_index("ix_study_sends_destination_status", "study_sends", ["destination", "status"])


def downgrade() -> None:
    op.drop_table("study_sends")
