"""One thing that was looked at, how it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one thing.

    Attributes:
        part: what it belongs to, as ``store``; findings of one part stand together.
        level: ``ok``, ``warn`` where something is missing or worse than it could be, ``fail`` where nothing works.
        found: what was found, one line.
        advice: what to do; empty where there is nothing to do.

    >>> Finding("python", "ok", "3.12.1").advice
    ''
    """

    part: str
    level: Level
    found: str
    advice: str = ""
