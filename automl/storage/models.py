"""Tables of the study store, as SQLAlchemy models.

Times are seconds since 1970 (UTC). Non-finite numbers inside JSON are written as the strings ``nan``, ``inf`` and
``-inf``.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Declarative base of the store's models."""


class ComparisonModel(Base):
    """A comparison: strategies and seeds on one problem. Each of its studies is a row of its own in ``studies``."""

    __tablename__ = "comparisons"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    uid: Mapped[str] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    definition: Mapped[dict[str, Any]] = mapped_column(JSON)
    created: Mapped[float] = mapped_column(Float)


class StudyModel(Base):
    """A study: its frozen definition, what may be changed later (budget), and its state.

    ``ask_seconds`` is the time that its strategy took to ask and to learn, added up over the study's engines.
    """

    __tablename__ = "studies"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    uid: Mapped[str] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(Text)
    definition: Mapped[dict[str, Any]] = mapped_column(JSON)
    components: Mapped[dict[str, Any]] = mapped_column(JSON)
    environment: Mapped[dict[str, Any]] = mapped_column(JSON)
    trials_budget: Mapped[int | None] = mapped_column(Integer)
    time_budget: Mapped[float | None] = mapped_column(Float)
    created: Mapped[float] = mapped_column(Float)
    ask_seconds: Mapped[float] = mapped_column(Float, server_default="0")
    comparison_id: Mapped[int | None] = mapped_column(ForeignKey("comparisons.id"), index=True)


class LeaseModel(Base):
    """Which engine owns a study; ``owner`` is null when none does. ``elapsed`` adds up over the study's engines."""

    __tablename__ = "leases"

    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True)
    owner: Mapped[str | None] = mapped_column(String(32))
    host: Mapped[str | None] = mapped_column(String(200))
    pid: Mapped[int | None] = mapped_column(Integer)
    process_started: Mapped[float | None] = mapped_column(Float)
    heartbeat: Mapped[float] = mapped_column(Float)
    elapsed: Mapped[float] = mapped_column(Float)


class TrialModel(Base):
    """A trial. ``revision`` grows with every change in a study, so that mirrors can ask for what is new.

    ``remarks`` says of metrics why they were not measured, ``thresholds`` what the trial had to reach
    (`automl.generation`).
    """

    __tablename__ = "trials"
    __table_args__ = (
        UniqueConstraint("study_id", "number"),
        UniqueConstraint("study_id", "told_order"),
        Index("ix_trials_cache_key", "cache_key"),
        Index("ix_trials_revision", "study_id", "revision"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    revision: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(16))
    architecture: Mapped[dict[str, Any]] = mapped_column(JSON)
    canonical_key: Mapped[str] = mapped_column(String(64))
    cache_key: Mapped[str] = mapped_column(String(64))
    fidelity: Mapped[float | None] = mapped_column(Float)
    seed: Mapped[int] = mapped_column(BigInteger)
    note: Mapped[dict[str, Any]] = mapped_column(JSON)
    metrics: Mapped[dict[str, Any]] = mapped_column(JSON)
    error: Mapped[str | None] = mapped_column(Text)
    error_kind: Mapped[str | None] = mapped_column(String(16))
    details: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer)
    told_order: Mapped[int | None] = mapped_column(Integer)
    duplicate_of: Mapped[int | None] = mapped_column(Integer)
    is_cached: Mapped[bool] = mapped_column(Boolean)
    started: Mapped[float] = mapped_column(Float)
    finished: Mapped[float | None] = mapped_column(Float)
    remarks: Mapped[dict[str, Any]] = mapped_column(JSON, server_default="{}")
    thresholds: Mapped[dict[str, Any]] = mapped_column(JSON, server_default="{}")


class ReportModel(Base):
    """Intermediate metrics of a trial at one step, as the loss of an epoch."""

    __tablename__ = "reports"

    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    step: Mapped[int] = mapped_column(Integer, primary_key=True)
    metrics: Mapped[dict[str, Any]] = mapped_column(JSON)
