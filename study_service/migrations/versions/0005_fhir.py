"""The patient and the chain of the access log, and what FHIR resources are found by."""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0005", "0004", None, None


def upgrade() -> None:
    with op.batch_alter_table("study_accesses") as table:
        table.add_column(sa.Column("patient", sa.String(length=16)))
        table.add_column(sa.Column("position", sa.BigInteger()))
        table.add_column(sa.Column("previous_hash", sa.String(length=64), nullable=False, server_default=""))
        table.add_column(sa.Column("hash", sa.String(length=64), nullable=False, server_default=""))
        table.create_index("ix_study_accesses_actor", ["actor"])
        table.create_index("ix_study_accesses_patient", ["patient"])
        table.create_unique_constraint("uq_study_accesses_position", ["position"])
    op.execute(
        "UPDATE study_accesses SET patient = (SELECT patient_pseudonym FROM studies WHERE id = study_accesses.study_id)"
    )
    head = op.create_table(
        "study_accesses_head",
        sa.Column("id", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "number": 0, "hash": "0" * 64}])
    op.create_table(
        "study_fhir_tokens",
        sa.Column("study_id", sa.String(length=36), sa.ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("version", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("token", sa.String(length=64), primary_key=True),
    )
    op.create_index("ix_study_fhir_tokens_token", "study_fhir_tokens", ["token"])
    with op.batch_alter_table("study_results") as table:
        table.add_column(sa.Column("has_fhir_tokens", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_study_results_has_fhir_tokens", "study_results", ["has_fhir_tokens"])


def downgrade() -> None:
    op.drop_index("ix_study_results_has_fhir_tokens", "study_results")
    with op.batch_alter_table("study_results") as table:
        table.drop_column("has_fhir_tokens")
    op.drop_table("study_fhir_tokens")
    op.drop_table("study_accesses_head")
    with op.batch_alter_table("study_accesses") as table:
        table.drop_constraint("uq_study_accesses_position", type_="unique")
        table.drop_index("ix_study_accesses_patient")
        table.drop_index("ix_study_accesses_actor")
        for column in ("hash", "previous_hash", "position", "patient"):
            table.drop_column(column)
