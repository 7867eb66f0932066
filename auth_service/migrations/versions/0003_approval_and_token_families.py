"""When an account was approved, and which refresh token replaced which.

Accounts that are or were in use are approved. A deactivated one that never was is pending after its reactivation.
"""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0003", "0002", None, None


def upgrade() -> None:
    with op.batch_alter_table("accounts") as accounts:
        accounts.add_column(sa.Column("approved_at", sa.DateTime(timezone=True)))
    op.execute(
        "UPDATE accounts SET approved_at = created_at WHERE status = 'active' OR id IN "
        "(SELECT subject FROM audit_entries WHERE event IN ('approved', 'signed_in') AND subject IS NOT NULL)"
    )
    with op.batch_alter_table("refresh_tokens") as tokens:
        tokens.add_column(sa.Column("parent", sa.String(64)))
        tokens.create_index("ix_refresh_tokens_parent", ["parent"])


def downgrade() -> None:
    with op.batch_alter_table("refresh_tokens") as tokens:
        tokens.drop_index("ix_refresh_tokens_parent")
        tokens.drop_column("parent")
    with op.batch_alter_table("accounts") as accounts:
        accounts.drop_column("approved_at")
