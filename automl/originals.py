"""Reject what repeats an earlier trial in a metric: functional duplicates, where canonical keys differ.

The canonical key knows equal graphs; ``a + b + b`` and ``a + 2b`` are two. Where an evaluator reports a fingerprint of
what a candidate computes, its option ``distinct`` names that metric, and a candidate whose value an earlier trial has
goes no further. The **original** of a value is the first told trial with it, whatever became of it: what is rejected or
does badly once need not be tried again. It stays the original; later ones refer to it and never to one another.

What counts are the trials that were told when a candidate was asked for, so candidates that run at the same time do not
know of each other and both go on. How many these were is stored with the trial: the told trials, in their order, and
that number decide, so that another attempt after an interruption is judged as the first would have been.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from automl.trial import Trial

Taken = Mapping[float, int]
"""The number of the original of each value. Plain data: it is sent to workers."""


@dataclass(frozen=True, slots=True)
class _Original:
    place: int
    number: int
    key: str


class Originals:
    """The first told trial of each value of the metrics that are to be distinct. A fold over told trials.

    Repeats of a trial are no other candidates, and are skipped; trials of another fidelity are not compared. A
    candidate is no duplicate of itself: what has the original's canonical key is evaluated, as with another seed.

    Args:
        rules: the metric that is to be distinct, by the name of the stage.
    """

    def __init__(self, rules: Mapping[str, str]) -> None:
        self._rules = rules
        self._first: dict[tuple[str, float | None], dict[float, _Original]] = {}
        self.told = 0

    def learn(self, trial: Trial) -> None:
        """Take in a told trial."""
        place, self.told = self.told, self.told + 1
        if trial.duplicate_of is not None:
            return
        for metric in set(self._rules.values()):
            value = trial.metrics.get(metric)
            if value is not None and math.isfinite(value):
                originals = self._first.setdefault((metric, trial.fidelity), {})
                originals.setdefault(value, _Original(place, trial.number, trial.key))

    def taken(self, key: str, fidelity: float | None, told: Mapping[str, int]) -> dict[str, Taken]:
        """Return the values that a candidate may not have, by stage.

        Args:
            key: its canonical key.
            fidelity: as it was asked for.
            told: for each stage, how many trials had been told then.
        """
        found: dict[str, Taken] = {}
        for stage, before in told.items():
            originals = self._first.get((self._rules[stage], fidelity), {}) if stage in self._rules else {}
            found[stage] = {
                value: one.number for value, one in originals.items() if one.place < before and one.key != key
            }
        return found


def repeated(metric: str, metrics: Mapping[str, float], taken: Taken) -> str | None:
    """Return why a candidate does not go on, or ``None``; one without the metric does.

    >>> repeated("function", {"function": 7.0}, {7.0: 17})
    'same function as trial 17'
    """
    number = taken.get(metrics[metric]) if metric in metrics else None
    return None if number is None else f"same {metric} as trial {number}"


def refuses(rules: Mapping[str, str], metrics: Mapping[str, float], taken: Mapping[str, Taken]) -> bool:
    """Say whether any stage would reject a candidate with ``metrics`` as a repetition."""
    return any(repeated(metric, metrics, taken.get(stage, {})) for stage, metric in rules.items())
