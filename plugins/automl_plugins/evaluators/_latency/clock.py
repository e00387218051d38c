"""Repeated timing of a call on one device."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True, slots=True)
class Timing:
    """Median and interquartile range of repeated runs, in milliseconds.

    >>> Timing.of([1.0, 2.0, 3.0, 4.0, 100.0])
    Timing(median=3.0, spread=2.0)
    """

    median: float
    spread: float

    @classmethod
    def of(cls, times: list[float]) -> Timing:
        """Return the summary of ``times``, in milliseconds; quartiles by linear interpolation."""
        low, middle, high = np.quantile(times, (0.25, 0.5, 0.75))
        return cls(float(middle), float(high - low))


def timing(
    run: Callable[[], object], device: torch.device, *, warm_up: int, repeats: int, check: Callable[[], None]
) -> Timing:
    """Return the timing of ``run`` on ``device``, after ``warm_up`` runs that do not count.

    Each run is timed alone and waited for. On CUDA the device's own events are the clock, so that the way of the answer
    back to the host does not count; the launching of kernels does, as in use.

    Args:
        run: what is timed; it puts its work on the current stream of ``device``.
        device: where it runs.
        warm_up: runs before.
        repeats: runs that count.
        check: called before each run; it may raise to give up.
    """
    measure = _by_events if device.type == "cuda" else _by_clock
    times: list[float] = []
    for number in range(warm_up + repeats):
        check()
        spent = measure(run, device)
        if number >= warm_up:
            times.append(spent)
    return Timing.of(times)


def _by_clock(run: Callable[[], object], device: torch.device) -> float:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    start = time.perf_counter_ns()
    run()
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return (time.perf_counter_ns() - start) / 1e6


def _by_events(run: Callable[[], object], device: torch.device) -> float:
    with torch.cuda.device(device):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        torch.cuda.synchronize(device)
        start.record()
        run()
        end.record()
        end.synchronize()
    return float(start.elapsed_time(end))
