"""The first tables: studies, leases, trials and reports."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "studies",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("uid", sa.String(32), nullable=False, unique=True),
        sa.Column("name", sa.String(200), nullable=False, unique=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("definition", sa.JSON, nullable=False),
        sa.Column("components", sa.JSON, nullable=False),
        sa.Column("environment", sa.JSON, nullable=False),
        sa.Column("trials_budget", sa.Integer),
        sa.Column("time_budget", sa.Float),
        sa.Column("created", sa.Float, nullable=False),
    )
    op.create_table(
        "leases",
        _study_key(),
        sa.Column("owner", sa.String(32)),
        sa.Column("host", sa.String(200)),
        sa.Column("pid", sa.Integer),
        sa.Column("process_started", sa.Float),
        sa.Column("heartbeat", sa.Float, nullable=False),
        sa.Column("elapsed", sa.Float, nullable=False),
    )
    _create_trials()
    op.create_table(
        "reports",
        _study_key(),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("step", sa.Integer, primary_key=True),
        sa.Column("metrics", sa.JSON, nullable=False),
    )


def _create_trials() -> None:
    op.create_table(
        "trials",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("study_id", sa.Integer, sa.ForeignKey("studies.id", ondelete="CASCADE"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("architecture", sa.JSON, nullable=False),
        sa.Column("canonical_key", sa.String(64), nullable=False),
        sa.Column("cache_key", sa.String(64), nullable=False),
        sa.Column("fidelity", sa.Float),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("note", sa.JSON, nullable=False),
        sa.Column("metrics", sa.JSON, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("error_kind", sa.String(16)),
        sa.Column("details", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("told_order", sa.Integer),
        sa.Column("duplicate_of", sa.Integer),
        sa.Column("is_cached", sa.Boolean, nullable=False),
        sa.Column("started", sa.Float, nullable=False),
        sa.Column("finished", sa.Float),
        sa.UniqueConstraint("study_id", "number"),
        sa.UniqueConstraint("study_id", "told_order"),
    )
    op.create_index("ix_trials_cache_key", "trials", ["cache_key"])
    op.create_index("ix_trials_revision", "trials", ["study_id", "revision"])


def _study_key() -> sa.Column[int]:
    return sa.Column("study_id", sa.Integer, sa.ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True)
