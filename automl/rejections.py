"""A rejection in plain words, read back from the line that the cascade wrote.

The line is all that is stored, and is the same in every store ever written; what it does not fit is said as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from automl.conditions import Condition
from automl.errors import ConfigurationError
from automl.words import number

_RULE = re.compile(r"(\S+ [<>=!]+ \S+) \((.*)\)", re.DOTALL)
_CONSTRAINT = re.compile(r"constraint (\S+ [<>=!]+ \S+) is violated \((.*)\)", re.DOTALL)
_UNMET = re.compile(r"constraint (\S+ [<>=!]+ \S+) cannot be met: (.*)", re.DOTALL)
_SAME = re.compile(r"same (\S+) as trial (\d+)")
_BEST = re.compile(r"(\S+) = (\S+) is not among the best (\S+) % of (\d+) before it \(needs (>=|<=) (\S+)\)")
_NOT_MEASURED = re.compile(
    r"(\S+) (was not measured|= \S+ is not a finite number).*only the best (\S+) % go on", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a candidate was rejected: sentences, what one may do, and the stage whose rule it was, if it was one's."""

    sentences: tuple[str, ...]
    advice: str
    stage: str | None = None


def rejection_of(error: str, metrics: Mapping[str, float], stages: Sequence[str]) -> Rejection:
    """Return what the stored line ``error`` means.

    Args:
        error: why the trial was rejected, as `automl.cascade.Cascade` words it.
        metrics: what was found of it.
        stages: names of the study's evaluators, in order.

    >>> found = rejection_of(
    ...     "constraint params <= 100 is violated (params = 150)", {"params": 150.0}, ["cost", "train"]
    ... )
    >>> found.sentences[0]
    'The study has the constraint `params <= 100`, and this network has params = 150, 50 % beyond it.'
    """
    stage = next((name for name in stages if error.startswith(f"{name}: ")), None)
    if stage is not None:
        return _of_stage(stage, error.removeprefix(f"{stage}: "), metrics)
    if violated := _CONSTRAINT.fullmatch(error):
        beyond = _beyond(violated[1], metrics)
        return Rejection(
            (
                f"The study has the constraint `{violated[1]}`, and this network has "
                f"{_value(violated[1], metrics)}{beyond}.",
            ),
            "constraints are part of a study; start a new one with a wider --constraint to let such networks through",
        )
    if unmet := _UNMET.fullmatch(error):
        return Rejection(
            (f"The study has the constraint `{unmet[1]}`, and whether it holds is not known: {unmet[2]}.",),
            "see what the metric needs with `automl describe`, or leave the constraint out in a new study",
        )
    return Rejection((f"The reason that was stored is: {error}.",), "")


def _of_stage(stage: str, reason: str, metrics: Mapping[str, float]) -> Rejection:
    if same := _SAME.fullmatch(reason):
        return Rejection(
            (
                f"Evaluator {stage} lets each value of {same[1]} through once (`{stage}.distinct`), and trial "
                f"{same[2]} has the same: {_found(same[1], metrics)}.",
                "The two are different architectures that do the same.",
            ),
            f"look at the first with: automl show STUDY {same[2]}",
            stage,
        )
    if best := _BEST.fullmatch(reason):
        ahead = "at least" if best[5] == ">=" else "at most"
        return Rejection(
            (
                f"Evaluator {stage} lets only the best {best[3]} % go on (`{stage}.keep`), judged by {best[1]} among "
                f"this network and the {best[4]} before it.",
                f"That took {ahead} {number(float(best[6]))}, and this network has {number(float(best[2]))}.",
            ),
            f"in a new study a larger `{stage}.keep` lets more through, at the price of more training",
            stage,
        )
    if missing := _NOT_MEASURED.fullmatch(reason):
        return Rejection(
            (
                f"Evaluator {stage} lets only the best {missing[3]} % go on (`{stage}.keep`), judged by {missing[1]}, "
                f"which has no value here: {reason}.",
            ),
            f"choose another metric with `{stage}.keep_by` if most networks have none",
            stage,
        )
    if rule := _RULE.fullmatch(reason):
        why = "" if rule[2].startswith(f"{rule[1].split()[0]} = ") else f" ({rule[2]})"
        return Rejection(
            (
                f"Evaluator {stage} rejects what fits its rule `{rule[1]}` (`{stage}.reject`), and this network has "
                f"{_value(rule[1], metrics)}{why}.",
            ),
            f"in a new study another `{stage}.reject` lets such networks through",
            stage,
        )
    return Rejection((f"Evaluator {stage} rejected it: {reason}.",), "", stage)


def _value(condition: str, metrics: Mapping[str, float]) -> str:
    return _found(condition.split()[0], metrics)


def _found(metric: str, metrics: Mapping[str, float]) -> str:
    return f"{metric} = {number(metrics[metric])}" if metric in metrics else f"no {metric}"


def _beyond(condition: str, metrics: Mapping[str, float]) -> str:
    """Return how far beyond a limit a value is, in percent of the limit; nothing where that says little."""
    try:
        share = Condition.parse(condition).violation(metrics)
    except ConfigurationError:
        return ""
    return f", {100 * share:.3g} % beyond it" if 1e-6 < share < 1e6 else ""
