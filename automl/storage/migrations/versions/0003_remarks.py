"""Remarks on metrics that were not measured, and what a trial had to reach to go on."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns; the trials that are there have neither."""
    op.add_column("trials", sa.Column("remarks", sa.JSON, nullable=False, server_default="{}"))
    op.add_column("trials", sa.Column("thresholds", sa.JSON, nullable=False, server_default="{}"))
