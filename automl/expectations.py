"""Expectations: the bands within which the figures of a finished study must lie for a finding to be reproduced.

A study file of any form may have a table ``[expect]``: the name of a figure, and a band with both ends included, or one
whole number that must be met exactly:

    [expect]
    "sep_crossover.reached@2000" = [0.9, 1.0]
    strict_local_maxima = 17

An end may be ``inf`` or ``-inf``. Everything here is a pure function; who computes figures is somebody else's matter.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from automl.errors import ConfigurationError, unknown_name
from automl.studyfile import EXPECT, StudyFile

_NAMES_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Band:
    """Where a figure is expected: from ``low`` to ``high``, both included.

    >>> Band("share", 0.9, 1.0).holds(1.0), Band("count", 17, 17).holds(18)
    (True, False)
    """

    figure: str
    low: float
    high: float

    def holds(self, found: float) -> bool:
        """Say whether ``found`` lies within; what is not a number never does."""
        return self.low <= found <= self.high

    def __str__(self) -> str:
        """Return the band as people write it."""
        if self.low == self.high:
            return f"{self.low:.10g}"
        return f"{self.low:.10g} to {self.high:.10g}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A band, the figure that was found, and whether it holds."""

    band: Band
    found: float

    @property
    def holds(self) -> bool:
        """Whether the figure lies within the band."""
        return self.band.holds(self.found)

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as JSON-able data; what is not finite is ``None``."""
        ends = [end if math.isfinite(end) else None for end in (self.band.low, self.band.high)]
        found = self.found if math.isfinite(self.found) else None
        return {"figure": self.band.figure, "found": found, "band": ends, "holds": self.holds}


def bands_of(file: StudyFile) -> tuple[Band, ...]:
    """Return the bands of a study file's ``[expect]`` table, in its order; none if it has no such table.

    Raises:
        StudyFileError: a band is neither a whole number nor a pair of ascending numbers; the message names the line.
    """
    table = file.values.get(EXPECT, {})
    if not isinstance(table, dict):
        raise file.located(ConfigurationError(f"`{EXPECT}` must be a table of bands, but got {table!r}"), (EXPECT,))
    return tuple(_band(file, figure, value) for figure, value in table.items())


def check_figures(bands: Iterable[Band], known: Collection[str], file: StudyFile | None = None) -> None:
    """Raise `ConfigurationError` for the first band whose figure is none of ``known``; says the nearest.

    With ``file`` the message names the line.
    """
    for band in bands:
        if band.figure in known:
            continue
        error = ConfigurationError(_unknown_figure(band.figure, known))
        raise error if file is None else file.located(error, (EXPECT, band.figure))


def judged(bands: Iterable[Band], figures: Mapping[str, float], file: StudyFile | None = None) -> tuple[Verdict, ...]:
    """Return a verdict for each band; raises `ConfigurationError` when a figure is missing."""
    listed = tuple(bands)
    check_figures(listed, figures, file)
    return tuple(Verdict(band, float(figures[band.figure])) for band in listed)


def _band(file: StudyFile, figure: str, value: object) -> Band:
    if isinstance(value, int) and not isinstance(value, bool):
        return Band(figure, value, value)
    if isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)) and value[0] <= value[1]:
        return Band(figure, float(value[0]), float(value[1]))
    message = f"the band of `{figure}` must be [low, high] or one whole number, but got {value!r}"
    if isinstance(value, float):
        message += "; a figure that is no count is never met exactly, so write how far off it may be"
    elif isinstance(value, dict):
        message = f"`{EXPECT}.{figure}` must be a band, but got a table; put a name with dots in quotes"
    raise file.located(ConfigurationError(message), (EXPECT, figure))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _unknown_figure(name: str, known: Collection[str]) -> str:
    """Return the message for an unknown figure; of many known ones it lists only the nearest."""
    if len(known) <= _NAMES_SHOWN:
        return unknown_name("figure", name, known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    meant = f"; did you mean {', '.join(map(repr, near))}?" if near else ""
    some = ", ".join(sorted(known)[:_NAMES_SHOWN])
    return f"unknown figure {name!r}{meant}\n  known: {some} and {len(known) - _NAMES_SHOWN} more"
