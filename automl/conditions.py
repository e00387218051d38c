"""Conditions on metrics: ``params <= 5e5``. Constraints and rejection rules are written in them.

The grammar is ``METRIC OPERATOR NUMBER`` with ``<``, ``<=``, ``>``, ``>=``, ``==`` or ``!=``. In a rejection rule the
metric may be ``NAME.*``: the rule then holds where it does in any variant (`automl.variants`). Nothing is
evaluated as code.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from automl.errors import ConfigurationError

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_FORM = re.compile(r"\s*([A-Za-z_][\w.]*(?:\.\*)?)\s*(<=|>=|==|!=|<|>)\s*(\S+)\s*")


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of one metric with a number.

    >>> Condition.parse("params <= 5e5").holds({"params": 120_000.0})
    True
    """

    metric: str
    comparison: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Return the condition that ``text`` writes; raises `ConfigurationError` with the right form."""
        match = _FORM.fullmatch(text)
        try:
            if match and not math.isnan(float(match[3].replace("_", ""))):
                return cls(match[1], match[2], float(match[3].replace("_", "")))
        except ValueError:
            pass
        raise ConfigurationError(f"cannot read the condition {text!r}; write it as 'params <= 5e5'")

    def holds(self, metrics: Mapping[str, float]) -> bool:
        """Say whether the metric is there and satisfies the condition; NaN satisfies none but ``!=``."""
        return self.metric in metrics and _OPERATORS[self.comparison](metrics[self.metric], self.bound)

    def violation(self, metrics: Mapping[str, float]) -> float:
        """Return how far the condition is missed, relative to the bound: 0 when it holds, ``inf`` without a value."""
        if self.holds(metrics):
            return 0.0
        value = metrics.get(self.metric, math.nan)
        if not math.isfinite(value):
            return math.inf
        return max(abs(value - self.bound) / max(abs(self.bound), 1e-12), 1e-12)

    def __str__(self) -> str:
        """Return the condition as written."""
        return f"{self.metric} {self.comparison} {self.bound:.15g}"
