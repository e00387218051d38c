"""Evaluator ``screening``: reject what cannot learn or repeats an earlier candidate, without data or a network."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from automl import Candidate, ConfigurationError, Context, Evaluator, EvaluatorOptions, Metric, SearchSpace, Task

_EXACT_BYTES = 6  # 48 bits: an integer that double precision holds exactly

_METRICS = (
    Metric("is_sound", "max", doc="1 if the space knows nothing against the architecture, 0 if it does."),
    Metric("function", "max", doc="A hash of what the architecture computes; it says nothing of quality."),
)


class ScreeningOptions(EvaluatorOptions):
    """Options of `Screening`."""

    reject: tuple[str, ...] = ("is_sound < 1",)
    """Reject a candidate when one of these holds."""

    distinct: str | None = "function"
    """Metric whose values may not repeat. Empty to let functional duplicates pass."""


class Screening(Evaluator):
    """Ask the space what is wrong with an architecture, and what function it is.

    Both are capabilities of spaces: `SearchSpace.defect` and `SearchSpace.function_key`. ``function`` is 48 bits of a
    hash of the latter, so that any two of 10,000 functions share one with a chance of 2 in 10 million.

    >>> Screening().options.reject
    ('is_sound < 1',)
    """

    Options = ScreeningOptions
    needs_task = False

    def check(self, space: SearchSpace[Any]) -> None:
        """Refuse a space that has neither capability: every candidate would pass."""
        own = type(space)
        if own.defect is SearchSpace.defect and own.function_key is SearchSpace.function_key:
            raise ConfigurationError(
                f"the space {own.__name__} cannot be screened: it defines neither `defect` nor `function_key`; "
                "leave the evaluator screening out"
            )

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        return _METRICS

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        defect = candidate.space.defect(candidate.blueprint)
        key = candidate.space.function_key(candidate.blueprint)
        found = {"is_sound": 1.0 if defect is None else 0.0}
        if defect is not None:
            context.remark("is_sound", defect)
        if key is None:
            context.remark("function", f"unsupported: {defect or 'the space does not know it'}")
        else:
            found["function"] = float(int.from_bytes(blake2b(key.encode(), digest_size=_EXACT_BYTES).digest()))
        return found
