"""Results that come from a caller's own loop: an evaluator that stands for it, and how its words become outcomes.

A study without an evaluator has `Told` in its place, which declares what the caller will report. What was told is
judged as an evaluation is: by the constraints, and by whether the objectives are finite numbers. It answers repeats
within its own study, and never a trial of another one, since nobody knows how it was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias, get_args

from automl.cascade import Cascade, FailureKind, Job, Outcome, Stage
from automl.errors import ConfigurationError, UsageError
from automl.evaluator import Candidate, Context, Evaluator, EvaluatorOptions, Metric
from automl.objectives import Goal, Objective
from automl.task import Task
from automl.trial import TrialState

TOLD = "automl.told:Told"
BY_HAND = "told by the caller"
ToldState: TypeAlias = Literal["completed", "failed", "rejected", "pruned"]

_KINDS: Mapping[str, FailureKind] = {"failed": "raised", "rejected": "rejected", "pruned": "pruned"}


class Told(Evaluator):
    """Stands for an evaluation by the caller of `Study.ask` and `Study.tell`.

    >>> [metric.name for metric in Told(Told.Options(reports=("score:max",))).metrics(None)]
    ['score']
    """

    needs_task = False

    class Options(EvaluatorOptions):
        """Options of `Told`."""

        reports: tuple[str, ...] = ()
        """What will be told, as ``val_accuracy:max``; other metrics may be told beside these."""

    options: Options

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        """Return what the caller has announced."""
        announced = [Objective.parse(text) for text in self.options.reports]
        return tuple(Metric(one.metric, one.direction, doc="told by the caller") for one in announced)

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        """Refuse."""
        raise ConfigurationError("this study has no evaluator: tell the result with `study.tell(trial, ...)`")


class _Said(Evaluator):
    """Reports what it was given."""

    needs_task = False

    def __init__(self, metrics: Mapping[str, float]) -> None:
        super().__init__()
        self._metrics = metrics

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        return ()

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        return self._metrics


def told_outcome(
    cascade: Cascade, job: Job, result: object, state: ToldState | None = None, error: str | None = None
) -> Outcome:
    """Return what a caller's result makes of a trial.

    Args:
        cascade: of the study; its space and its goal are used.
        job: the trial.
        result: metrics by name, the value of the only objective, ``None``, or an `Outcome` as it is.
        state: what became of the trial; by default what follows from the metrics.
        error: why it failed, was rejected or pruned; one line.

    Raises:
        UsageError: the result cannot be read, or does not go with the state; nothing was changed.
    """
    if isinstance(result, Outcome):
        if result.number != job.number:
            raise UsageError(f"this is the outcome of trial {result.number}, not of trial {job.number}")
        return result
    metrics = _metrics(cascade.goal, result)
    if state not in (None, *get_args(ToldState)):
        raise UsageError(f"state {state!r}: write completed, failed, rejected or pruned, or leave it out")
    if state is None or state == "completed":
        if result is None:
            raise UsageError("tell the metrics of a completed trial, or state='failed' for one that has none")
        return _judged(cascade, job, metrics)
    reason = " ".join((error or f"{state}, as the caller says").split())
    return Outcome(job.number, TrialState(state), metrics, reason, _KINDS[str(state)], BY_HAND)


def _judged(cascade: Cascade, job: Job, metrics: Mapping[str, float]) -> Outcome:
    """Return the outcome that an evaluator with these metrics would have had."""
    judge = Cascade(cascade.space, cascade.task, (Stage("told", _Said(metrics), ()),), cascade.goal)
    outcome = judge.run(job, "cpu", lambda number, step, found: None, lambda: False)
    return replace(outcome, details=outcome.details or BY_HAND)


def _metrics(goal: Goal, result: object) -> dict[str, float]:
    if result is None:
        return {}
    if isinstance(result, Mapping):
        return {str(name): _number(value, f"metric {str(name)!r}") for name, value in result.items()}
    names = [objective.metric for objective in goal.objectives]
    if len(names) > 1:
        raise UsageError(f"the study has {len(names)} objectives; tell them by name: {', '.join(names)}")
    return {names[0]: _number(result, f"what is told ({names[0]}, or metrics by name)")}


def _number(value: Any, what: str) -> float:
    try:
        if not isinstance(value, bool | str):
            return float(value)
    except (TypeError, ValueError):
        pass
    raise UsageError(f"{what} must be a number, but is {value!r}")
