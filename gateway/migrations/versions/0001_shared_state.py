"""Stored responses and request counts."""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0001", None, None, None


def upgrade() -> None:
    op.create_table(
        "stored_responses",
        sa.Column("id", sa.LargeBinary(32), primary_key=True),
        sa.Column("created_at", sa.Float, nullable=False, index=True),
        sa.Column("lease_until", sa.Float, nullable=False),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(32)),
        sa.Column("sealed", sa.LargeBinary),
    )
    op.create_table(
        "request_counts",
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("period", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("count", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("request_counts")
    op.drop_table("stored_responses")
