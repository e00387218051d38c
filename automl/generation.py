"""Keep the best share of each generation: a rejection rule that is relative to the candidates before it.

A candidate goes on to later stages only if its value is among the best ``ceil(share * (n + 1))`` of itself and the
last ``n <= size`` told trials that have the metric. This is the promotion rule of asynchronous successive halving [1]:
nobody waits for a generation to be complete. We deviate from [1] in three ways: a candidate is judged once, when it has
been measured, and not again as others come; it is ranked among a window of recent trials, so that what is asked of it
rises with the search; and the number kept is rounded up, so that the first candidate goes on. Equal values go on
together, so that a metric of few values lets more than its share pass.

What has to be reached follows from the told trials at the moment of the ask, and from nothing else: a study that is
resumed asks the same of every candidate. It is stored with the trial, so that another attempt has to reach the same.

[1] Li et al. A system for massively parallel hyperparameter tuning. MLSys 2020. arXiv 1810.05934. (Algorithm 2.)
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict

from automl.trial import Trial


class Threshold(TypedDict, total=False):
    """What a candidate has to reach in a stage.

    ``bound`` or better, which is the last value kept of ``among`` before it; and where values are to be distinct, one
    that none of the first ``told`` told trials has (see `automl.originals`).
    """

    bound: float
    among: int
    told: int


Thresholds = Mapping[str, Threshold]
"""The threshold of each stage that has one, by the name of the stage. Plain data: it is stored and sent to workers."""


@dataclass(frozen=True, slots=True)
class Keep:
    """The rule of one stage: the best ``share``, by ``metric``, of a candidate and the last ``size`` before it.

    >>> Keep("accuracy", "max", 0.25, 20).threshold([0.5, 0.9, 0.7, 0.6])
    {'bound': 0.7, 'among': 4}
    """

    metric: str
    direction: Literal["max", "min"]
    share: float
    size: int

    def threshold(self, values: Collection[float]) -> Threshold | None:
        """Return what the ``values`` of the last trials ask of the next one; ``None`` when everything may pass."""
        kept = math.ceil(round(self.share * (len(values) + 1), 9))  # 0.07 * 100 is a little more than 7
        if kept > len(values):
            return None
        ordered = sorted(values, reverse=self.direction == "max")
        return {"bound": ordered[kept - 1], "among": len(values)}

    def objection(self, value: float | None, why_not: str, threshold: Threshold | None) -> str | None:
        """Return why a candidate does not go on, or ``None``. What equals the bar goes on.

        Args:
            value: its value; ``None`` when it was not measured, and then it does not go on.
            why_not: why it was not measured, in parentheses; may be empty.
            threshold: what it has to reach.
        """
        if value is None or not math.isfinite(value):
            found = "was not measured" if value is None else f"= {value} is not a finite number"
            return f"{self.metric} {found}{why_not}, and only the best {100 * self.share:.4g} % go on"
        if threshold is None or "bound" not in threshold:
            return None
        bound, among = threshold["bound"], threshold["among"]
        if value == bound or (value > bound) == (self.direction == "max"):
            return None
        sign = ">=" if self.direction == "max" else "<="
        return (
            f"{self.metric} = {value:.10g} is not among the best {100 * self.share:.4g} % of {among} before it "
            f"(needs {sign} {bound:.10g})"
        )


class Generations:
    """The values of recent trials, from which the thresholds of the next ask follow. A fold over told trials.

    A trial counts where it has a finite value of the metric, whatever became of it. Repeats of a trial count once, or a
    search that settles down would compare a candidate with itself; trials of another fidelity are not compared.
    """

    def __init__(self, rules: Mapping[str, Keep]) -> None:
        self._rules = rules
        self._values: dict[tuple[str, float | None], deque[float]] = {}

    def learn(self, trial: Trial) -> None:
        """Take in a told trial."""
        if trial.duplicate_of is not None:
            return
        for stage, rule in self._rules.items():
            value = trial.metrics.get(rule.metric)
            if value is not None and math.isfinite(value):
                self._values.setdefault((stage, trial.fidelity), deque(maxlen=rule.size)).append(value)

    def thresholds(self, fidelity: float | None) -> dict[str, Threshold]:
        """Return what a candidate that is asked for now, at ``fidelity``, has to reach."""
        found = {stage: rule.threshold(self._values.get((stage, fidelity), ())) for stage, rule in self._rules.items()}
        return {stage: threshold for stage, threshold in found.items() if threshold is not None}
