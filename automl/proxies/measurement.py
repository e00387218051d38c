"""What a proxy says about a network: a number, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from automl.errors import AutomlError, unknown_name
from automl.evaluator import Direction

Status: TypeAlias = Literal["ok", "unsupported", "undefined", "singular", "ill_conditioned", "not_finite", "error"]


class Unmeasurable(AutomlError):
    """A metric has no value for this network; ``status`` says of which kind the reason is, ``reason`` which it is.

    ``unsupported``: the proxy is not made for such networks, inputs or tasks. ``undefined``: the formula has no value
    here. ``singular`` and ``ill_conditioned``: a matrix is so, up to rounding. ``not_finite``: a number overflowed.
    ``error``: the network or the proxy raised.

    >>> print(Unmeasurable("unsupported", "the network has no ReLU"))
    unsupported: the network has no ReLU
    """

    def __init__(self, status: Status, reason: str) -> None:
        if status not in get_args(Status):
            raise ValueError(unknown_name("status", status, get_args(Status)))
        super().__init__(f"{status}: {reason}")
        self.status: Status = status
        self.reason = reason


Reading: TypeAlias = float | Unmeasurable


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one proxy on one network.

    Attributes:
        name: of the metric.
        proxy: the proxy that found it.
        value: mean over the seeds; ``None`` exactly if ``status`` is not ``ok``.
        direction: which way is better, as published.
        log_value: natural logarithm of the value where it is positive, computed without overflow where the proxy can;
            else ``None``.
        status: ``ok``, or why there is no value (see `Unmeasurable`).
        reason: of a status that is not ``ok``, one line.
        method: how it was computed, where there are several ways.
        bn_mode: ``batch`` or ``frozen`` statistics of batch normalisation; ``none`` where they play no part.
        seeds: one for each repeat.
        values: one for each repeat.
        spread: standard deviation over the repeats (n - 1 in the denominator); ``None`` with one repeat.
        seconds: own time and that of the passes it needs, summed over the repeats, as if it had been alone.
        passes: the shared passes it took part in.
    """

    name: str
    proxy: str
    value: float | None
    direction: Direction
    log_value: float | None = None
    status: Status = "ok"
    reason: str = ""
    method: str = ""
    bn_mode: str = "none"
    seeds: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    spread: float | None = None
    seconds: float = 0.0
    passes: tuple[str, ...] = ()


def checked(reading: Reading) -> Reading:
    """Return ``reading``, with a number that is not finite turned into the status that says so."""
    if isinstance(reading, Unmeasurable) or math.isfinite(reading):
        return reading
    return Unmeasurable("not_finite", f"the value is {float(reading)}")


def logarithm(value: float) -> float | None:
    """Return the natural logarithm of a positive number, else ``None``."""
    return math.log(value) if value > 0 else None


def spread_of(values: Sequence[float]) -> float | None:
    """Return the standard deviation of a sample, ``None`` of one value."""
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
