"""Language and key images of a send."""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0006", "0005", None, None


def upgrade() -> None:
    with op.batch_alter_table("study_sends") as table:
        table.add_column(sa.Column("language", sa.String(length=2)))
        table.add_column(sa.Column("key_slices", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    with op.batch_alter_table("study_sends") as table:
        table.drop_column("key_slices")
        table.drop_column("language")
