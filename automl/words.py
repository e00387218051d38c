"""Numbers as people read them: metrics, counts and lengths of time, the same in tables, reports and messages."""

from __future__ import annotations

import math


def number(value: float | None) -> str:
    """Return a metric as people read it.

    >>> number(0.98123), number(1234567.0), number(None), number(float("nan"))
    ('0.9812', '1,234,567', '', 'nan')
    """
    if value is None:
        return ""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.1f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


def plural(count: int, noun: str) -> str:
    """Return a count of something.

    >>> plural(1, "trial"), plural(2, "trial")
    ('1 trial', '2 trials')
    """
    return f"{count} {noun}" + ("" if count == 1 else "s")


def seconds(value: float | None) -> str:
    """Return a length of time.

    >>> seconds(4.25), seconds(75), seconds(7384), seconds(None)
    ('4.2 s', '1 min 15 s', '2 h 03 min', '')
    """
    if value is None:
        return ""
    if value < 60:
        return f"{value:.1f} s"
    if value < 3600:
        return f"{int(value) // 60} min {int(value) % 60:02d} s"
    return f"{int(value) // 3600} h {int(value) % 3600 // 60:02d} min"
