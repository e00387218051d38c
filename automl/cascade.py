"""The cascade: evaluators in order, each with its rejection rules, as one evaluation of one candidate.

This is what runs inside a worker. It turns whatever happens to a candidate into an `Outcome` that says which.
"""

from __future__ import annotations

import logging
import math
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from automl.architecture import Architecture
from automl.conditions import Condition
from automl.errors import ConfigurationError, Pruned, unknown_name
from automl.evaluator import Candidate, Context, Evaluator, Identity, Metric
from automl.objectives import Goal
from automl.space import SearchSpace
from automl.task import Task
from automl.trial import TrialState

FailureKind: TypeAlias = Literal[
    "raised", "not_finite", "timeout", "memory", "crashed", "exited", "gave_up", "rejected", "pruned"
]
OnReport: TypeAlias = Callable[[int, int, Mapping[str, float]], None]

_MEMORY_SIGNS = ("can't allocate memory", "bad_alloc", "out of memory")

log = logging.getLogger("automl")


class Interrupted(BaseException):
    """The study is being interrupted: the running evaluation is given up and will be run again."""


class TrialTimeout(Exception):
    """The evaluation passed its deadline."""


@dataclass(frozen=True, slots=True)
class Job:
    """One evaluation to be run: sent to workers, so it holds plain data only."""

    number: int
    architecture: Mapping[str, Any]
    seed: int
    fidelity: float | None = None
    checkpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job. ``details`` is a traceback, for people; ``error`` one line."""

    number: int
    state: TrialState
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    kind: FailureKind | None = None
    details: str | None = None

    @classmethod
    def failed(cls, number: int, kind: FailureKind, error: str, details: str | None = None) -> Outcome:
        """Return a failure."""
        return cls(number, TrialState.FAILED, {}, error, kind, details)


@dataclass(frozen=True, slots=True)
class Stage:
    """One evaluator under the name it has in the study, with its parsed rejection rules."""

    name: str
    evaluator: Evaluator
    reject: tuple[Condition, ...]


class Cascade:
    """Evaluates candidates of one space on one task, stage by stage.

    A candidate is **rejected** as soon as a stage's rejection rule holds, or a constraint on a metric known by then is
    violated; later and dearer stages then do not run.
    """

    def __init__(
        self, space: SearchSpace[Any], task: Task, stages: tuple[Stage, ...], goal: Goal, timeout: float | None = None
    ) -> None:
        self.space = space
        self.task = task
        self.stages = stages
        self.goal = goal
        self.timeout = timeout

    @property
    def identity(self) -> Identity:
        """Whose results are measured: the architecture's as soon as one stage says so."""
        is_own = any(stage.evaluator.identity == "architecture" for stage in self.stages)
        return "architecture" if is_own else "network"

    @property
    def needs_task(self) -> bool:
        """Whether any stage looks at the task."""
        return any(stage.evaluator.needs_task for stage in self.stages)

    def simulated_time(self) -> str | None:
        """Return the name of the metric that holds simulated seconds, if a stage reports one."""
        return next((metric.name for metric in self.declared().values() if metric.is_simulated_time), None)

    def declared(self) -> dict[str, Metric]:
        """Return the metrics that the stages declare, by name, in order."""
        return {metric.name: metric for stage in self.stages for metric in stage.evaluator.metrics(self.task)}

    def check_goal(self) -> None:
        """Raise `ConfigurationError` when an objective, constraint or rule names a metric that no stage reports."""
        declared = self.declared()
        wanted = [objective.metric for objective in self.goal.objectives]
        wanted += [constraint.metric for constraint in self.goal.constraints]
        for metric in wanted:
            if metric not in declared:
                raise ConfigurationError(unknown_name("metric", metric, declared, "automl describe evaluator NAME"))
        known: set[str] = set()
        for stage in self.stages:
            known |= {metric.name for metric in stage.evaluator.metrics(self.task)}
            for rule in stage.reject:
                if rule.metric not in known:
                    what = f"metric in `{stage.name}.reject`"
                    raise ConfigurationError(unknown_name(what, rule.metric, known))

    def run(self, job: Job, device: str, on_report: OnReport, should_stop: Callable[[], bool]) -> Outcome:
        """Evaluate one candidate; raises `Interrupted`, and `ConfigurationError` for what is no candidate's fault.

        This is the one place where a candidate's exceptions of any class are caught, and all are recorded.
        """
        reached: dict[str, float] = {}
        """What finished stages found, and the last that a running one reported."""
        try:
            return self._run(job, device, on_report, _checker(self.timeout, should_stop), reached)
        except Pruned as stop:
            return Outcome(job.number, TrialState.PRUNED, reached, str(stop) or "pruned", "pruned")
        except TrialTimeout as late:
            return Outcome(job.number, TrialState.FAILED, reached, str(late), "timeout")
        except SystemExit as stop:
            return Outcome.failed(job.number, "exited", f"the candidate called sys.exit({stop.code!r})")
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 - a candidate may raise anything; the trial records it
            return replace(_failure(job.number, error), metrics=reached)

    def _run(
        self,
        job: Job,
        device: str,
        on_report: OnReport,
        check: Callable[[], None],
        reached: dict[str, float],
    ) -> Outcome:
        candidate = Candidate(self.space, Architecture.from_json(job.architecture))

        def report(step: int, metrics: Mapping[str, float]) -> None:
            reached.update({name: float(value) for name, value in metrics.items()})
            on_report(job.number, step, metrics)
            check()

        context = Context(
            task=self.task,
            device=device,
            seed=job.seed,
            fidelity=job.fidelity,
            checkpoint=Path(job.checkpoint) if job.checkpoint else None,
            report=report,
            check=check,
        )
        metrics: dict[str, float] = {}
        for stage in self.stages:
            check()
            found = stage.evaluator.evaluate(candidate, replace(context, metrics=dict(metrics)))
            metrics.update(_numbers(stage.name, found))
            reached.update(metrics)
            reason = self._rejection(stage, metrics)
            if reason:
                return Outcome(job.number, TrialState.REJECTED, metrics, reason, "rejected")
        return self._completed(job.number, metrics)

    def _rejection(self, stage: Stage, metrics: Mapping[str, float]) -> str | None:
        for rule in stage.reject:
            if rule.holds(metrics):
                return f"{stage.name}: {rule} ({rule.metric} = {metrics[rule.metric]:.10g})"
        for constraint in self.goal.constraints:
            if constraint.metric in metrics and not constraint.holds(metrics):
                return f"constraint {constraint} is violated ({constraint.metric} = {metrics[constraint.metric]:.10g})"
        return None

    def _completed(self, number: int, metrics: Mapping[str, float]) -> Outcome:
        for objective in self.goal.objectives:
            value = metrics.get(objective.metric, math.nan)
            if not math.isfinite(value):
                found = f"{objective.metric} = {value}" if objective.metric in metrics else f"no {objective.metric}"
                error = f"the objective is not a finite number: the evaluators reported {found}"
                return Outcome(number, TrialState.FAILED, metrics, error, "not_finite")
        return Outcome(number, TrialState.COMPLETED, metrics)


def _checker(timeout: float | None, should_stop: Callable[[], bool]) -> Callable[[], None]:
    deadline = None if timeout is None else time.monotonic() + timeout

    def check() -> None:
        if should_stop():
            raise Interrupted
        if deadline is not None and time.monotonic() > deadline:
            raise TrialTimeout(f"the trial took longer than its timeout of {timeout:g} s")

    return check


def _numbers(stage: str, found: Mapping[str, Any]) -> dict[str, float]:
    numbers = {}
    for name, value in found.items():
        if isinstance(value, bool) or not hasattr(value, "__float__"):
            raise TypeError(f"evaluator {stage} reported {value!r} for {name}, which is not a number")
        numbers[name] = float(value)
    return numbers


def _failure(number: int, error: Exception) -> Outcome:
    text = " ".join(str(error).split()) or "no message"
    short = text if len(text) <= 300 else text[:297] + "..."
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, MemoryError) or any(sign in text.lower() for sign in _MEMORY_SIGNS):
        return Outcome.failed(number, "memory", f"out of memory: {short}", trace)
    kind: FailureKind = "not_finite" if isinstance(error, FloatingPointError) else "raised"
    return Outcome.failed(number, kind, f"{type(error).__name__}: {short}", trace)
