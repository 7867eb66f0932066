"""Studies, their uploads, results and access log."""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0001", None, None, None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "studies",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("group_id", sa.String(length=64)),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.String(length=8), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("series_choice", sa.String(length=64)),
        sa.Column("data_key", sa.LargeBinary(), nullable=False),
        sa.Column("identifiers", sa.LargeBinary(), nullable=False),
        sa.Column("study_key", sa.String(length=64), nullable=False),
        sa.Column("accession_hash", sa.String(length=64)),
        sa.Column("name_hash", sa.String(length=64)),
        sa.Column("patient_pseudonym", sa.String(length=16)),
        sa.Column("study_date", sa.Date()),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.String(length=64)),
        sa.Column("summary", sa.JSON()),
        sa.Column("problem", sa.JSON()),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("slices_done", sa.Integer(), nullable=False),
        sa.Column("slices_total", sa.Integer()),
        sa.Column("time_left_s", sa.Float(53)),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("outages", sa.Integer(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=64)),
        sa.Column("lease_until", _TIME),
        sa.Column("started_at", _TIME),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_studies_accession_hash", "studies", ["accession_hash"])
    op.create_index("ix_studies_created_at_id", "studies", ["created_at", "id"])
    op.create_index("ix_studies_group_id", "studies", ["group_id"])
    op.create_index("ix_studies_label", "studies", ["label"])
    op.create_index("ix_studies_name_hash", "studies", ["name_hash"])
    op.create_index("ix_studies_owner_created_at", "studies", ["owner", "created_at"])
    op.create_index("ix_studies_owner_study_key", "studies", ["owner", "study_key"], unique=True)
    op.create_index("ix_studies_patient_pseudonym", "studies", ["patient_pseudonym"])
    op.create_index("ix_studies_status_due_at", "studies", ["status", "due_at"])
    op.create_index("ix_studies_study_date", "studies", ["study_date"])
    op.create_index("ix_studies_updated_at", "studies", ["updated_at"])
    op.create_table(
        "study_accesses",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("event", sa.String(length=24), nullable=False),
        sa.Column("actor", sa.String(length=64)),
        sa.Column("study_id", sa.String(length=36), nullable=False),
        sa.Column("origin", sa.String(length=45)),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("ix_study_accesses_at", "study_accesses", ["at"])
    op.create_index("ix_study_accesses_study_id", "study_accesses", ["study_id"])
    op.create_table(
        "study_turns",
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("last_started_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("owner"),
    )
    op.create_table(
        "study_instances",
        sa.Column("study_id", sa.String(length=36), nullable=False),
        sa.Column("uid_hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("study_id", "uid_hash"),
    )
    op.create_table(
        "study_results",
        sa.Column("study_id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("study_id", "version"),
    )
    op.create_table(
        "study_series",
        sa.Column("study_id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("study_id", "version", "position"),
    )
    op.create_table(
        "study_uploads",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("study_id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("data_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_study_uploads_study_id", "study_uploads", ["study_id"])
    op.create_table(
        "study_objects",
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("upload_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["upload_id"], ["study_uploads.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_study_objects_upload_id", "study_objects", ["upload_id"])


def downgrade() -> None:
    for table in (
        "study_objects",
        "study_uploads",
        "study_series",
        "study_results",
        "study_instances",
        "study_turns",
        "study_accesses",
        "studies",
    ):
        op.drop_table(table)
