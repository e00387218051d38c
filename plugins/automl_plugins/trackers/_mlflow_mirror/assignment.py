"""What a writer process is told, and what it tells: plain data on its standard input and output."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Literal

Children = Literal["auto", "all", "best", "none"]

UNREACHABLE, BUSY = 3, 4
"""Exit codes of the writer: MLflow could not be reached for too long; another writer is at work on the study."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What to mirror, and where to.

    Attributes:
        storage: URL of the study store. It may hold a password, so it never goes on a command line.
        study: name of the study.
        tracking_uri: the place, or ``None`` for the default beside the store.
        children: which trials get a run of their own.
        follow: whether to stay while the study runs, or to catch up once.
        patience: seconds of an unreachable MLflow, after the end of the study, before the writer gives up.
        is_comparison: whether ``study`` names a comparison.
    """

    storage: str
    study: str
    tracking_uri: str | None
    children: Children
    follow: bool
    patience: float
    is_comparison: bool = False

    def to_json(self) -> str:
        """Return the assignment as one JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Assignment:
        """Return the assignment that `to_json` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class Status:
    """Where a writer stands; ``trouble`` is why it last could not write, and empty when it can."""

    told: int = 0
    created: int = 0
    updated: int = 0
    run_id: str = ""
    experiment_id: str = ""
    trouble: str = ""

    def to_json(self) -> str:
        """Return the status as one JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Status:
        """Return the status that `to_json` wrote; the initial one for an empty text."""
        return cls(**json.loads(text)) if text.strip() else cls()


_STATUS_BYTES = 4_000


def write_status(descriptor: int, status: Status) -> None:
    """Put ``status`` at the start of an open file; the file never grows."""
    os.pwrite(descriptor, status.to_json().encode().ljust(_STATUS_BYTES), 0)


def read_status(descriptor: int) -> Status:
    """Return what `write_status` last put there."""
    return Status.from_json(os.pread(descriptor, _STATUS_BYTES, 0).decode())
