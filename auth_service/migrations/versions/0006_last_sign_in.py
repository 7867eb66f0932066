"""The last sign-in of an account, for lists; that of earlier sign-ins comes from the audit log."""

import sqlalchemy as sa
from alembic import op

from hepar.storage.tables import UtcDateTime

revision, down_revision, branch_labels, depends_on = "0006", "0005", None, None

_FROM_AUDIT = """
    UPDATE accounts SET last_sign_in_at = (
        SELECT max(at) FROM audit_entries WHERE subject = accounts.id AND event = 'signed_in'
    )
"""


def upgrade() -> None:
    with op.batch_alter_table("accounts") as table:
        table.add_column(sa.Column("last_sign_in_at", UtcDateTime()))
    op.execute(_FROM_AUDIT)


def downgrade() -> None:
    with op.batch_alter_table("accounts") as table:
        table.drop_column("last_sign_in_at")
