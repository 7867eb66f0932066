"""Stored responses count against the budget of an account. The earlier ones are deleted: they may contain tokens."""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None

_BEFORE = ("id", "created_at", "lease_until", "owner")
_AFTER = ("fingerprint", "sealed")


def _columns() -> dict[str, sa.Column[object]]:
    return {
        "id": sa.Column("id", sa.LargeBinary(32), primary_key=True),
        "created_at": sa.Column("created_at", sa.Float, nullable=False, index=True),
        "lease_until": sa.Column("lease_until", sa.Float, nullable=False),
        "owner": sa.Column("owner", sa.String(32), nullable=False),
        "fingerprint": sa.Column("fingerprint", sa.LargeBinary(32)),
        "sealed": sa.Column("sealed", sa.LargeBinary),
    }


def upgrade() -> None:
    op.drop_table("stored_responses")
    columns = _columns()
    op.create_table(
        "stored_responses",
        *(columns[name] for name in _BEFORE),
        sa.Column("account", sa.LargeBinary(32), nullable=False),
        sa.Column("stored_bytes", sa.Integer, nullable=False),
        *(columns[name] for name in _AFTER),
    )
    # It answers both sums of a budget without reading the rows.
    op.create_index("ix_stored_responses_budget", "stored_responses", ["account", "created_at", "stored_bytes"])


def downgrade() -> None:
    op.drop_table("stored_responses")
    op.create_table("stored_responses", *_columns().values())
