"""Number of parameters: the baseline that every proxy is to be held against."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from automl import BaseOptions, Bench, Metric, Proxy, Reading
from automl_plugins.proxies._reachable import CountOptions, counted


class Params(Proxy):
    """Trainable parameters that the outputs depend on, shared ones once.

    In published comparisons this beats most proxies, so it stands beside each of them.

    Deviation: codes that build every operation of a cell and mask all but one (zero-cost-nas does, on NAS-Bench-201)
    count what is masked; here a parameter counts only if the outputs depend on it, and ``count="all"`` counts every one
    that the network owns. The evaluator `cost` counts all; so both agree where nothing is dead.

    >>> Params.declared[0].direction
    'max'
    """

    Options: ClassVar[type[BaseOptions]] = CountOptions
    declared: ClassVar[tuple[Metric, ...]] = (Metric("params", "max", doc="Trainable parameters, shared ones once."),)
    bn_mode: ClassVar[Literal["batch", "frozen", "none"]] = "none"

    def measure(self, bench: Bench, observer: Any) -> Reading:
        found = counted(bench, "all", self.options.count)
        return float(sum(parameter.numel() for parameter in found.values()))
