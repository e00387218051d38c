"""Comparisons, and the time that a study's strategy took."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table of comparisons, and say of each study to which one it belongs: those that are there, to none."""
    op.create_table(
        "comparisons",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("uid", sa.String(32), nullable=False, unique=True),
        sa.Column("name", sa.String(200), nullable=False, unique=True),
        sa.Column("definition", sa.JSON, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
    )
    op.add_column("studies", sa.Column("ask_seconds", sa.Float, nullable=False, server_default="0"))
    # In SQL, since SQLite takes the constraint only together with its column, which Alembic would write apart.
    op.execute("ALTER TABLE studies ADD COLUMN comparison_id INTEGER REFERENCES comparisons (id)")
    op.create_index("ix_studies_comparison_id", "studies", ["comparison_id"])
