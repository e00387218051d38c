"""The cascade: evaluators in order, each with its rejection rules, as one evaluation of one candidate.

This is what runs inside a worker. It turns whatever happens to a candidate into an `Outcome` that says which.
"""

from __future__ import annotations

import contextlib
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
from automl.generation import Keep, Thresholds
from automl.objectives import Goal
from automl.originals import Taken, repeated
from automl.plugins import registry
from automl.reporters import advice_on
from automl.space import SearchSpace
from automl.task import Task
from automl.trial import TrialState
from automl.variants import context_in, metrics_in, named_in, over_variants

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
    """One evaluation to be run: sent to workers, so it holds plain data only.

    ``thresholds`` is what the candidate has to reach in stages that keep the best share of a generation, and ``taken``
    the values that it may not have in stages whose candidates are to be distinct.
    """

    number: int
    architecture: Mapping[str, Any]
    seed: int
    fidelity: float | None = None
    checkpoint: str | None = None
    thresholds: Thresholds = field(default_factory=dict)
    taken: Mapping[str, Taken] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job. ``details`` is a traceback, for people; ``error`` and each of ``remarks`` one line."""

    number: int
    state: TrialState
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    kind: FailureKind | None = None
    details: str | None = None
    remarks: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def failed(cls, number: int, kind: FailureKind, error: str, details: str | None = None) -> Outcome:
        """Return a failure."""
        return cls(number, TrialState.FAILED, {}, error, kind, details)


@dataclass(frozen=True, slots=True)
class Stage:
    """One evaluator under the name it has in the study, with its parsed rejection rules.

    ``keep`` is the rule that keeps the best share of a generation, if there is one, ``distinct`` the metric whose
    values may not repeat, and ``variants`` are those of the space that it runs in; without any it runs once.
    """

    name: str
    evaluator: Evaluator
    reject: tuple[Condition, ...]
    keep: Keep | None = None
    distinct: str | None = None
    variants: tuple[str, ...] = ()

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        """Return what the stage reports on ``task``: the evaluator's metrics, then each in every variant."""
        return metrics_in(self.evaluator.metrics(task), self.variants)


class Cascade:
    """Evaluates candidates of one space on one task, stage by stage.

    A candidate is **rejected** as soon as a stage's rejection rule holds, it repeats an earlier trial where candidates
    are to be distinct, a constraint on a metric known by then is violated, or its value is not among the best that a
    stage keeps; later and dearer stages then do not run.

    A metric that could not be measured, so that an evaluator left it out, fails a candidate where it is an objective. A
    constraint on it cannot be met, so that the candidate is rejected, and neither can a share of the best to be kept. A
    rejection rule on it does not hold.

    A stage with variants runs once in each of them, and rules are checked after each: variants that come after a
    rejection do not run.
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
        return {metric.name: metric for stage in self.stages for metric in stage.metrics(self.task)}

    def keeps(self) -> dict[str, Keep]:
        """Return the rules that keep the best share of a generation, by the name of their stage."""
        return {stage.name: stage.keep for stage in self.stages if stage.keep is not None}

    def distincts(self) -> dict[str, str]:
        """Return the metrics whose values may not repeat, by the name of their stage."""
        return {stage.name: stage.distinct for stage in self.stages if stage.distinct is not None}

    def check_goal(self) -> None:
        """Raise `ConfigurationError` when an objective, constraint or rule names a metric that no stage reports."""
        declared = self.declared()
        wanted = [objective.metric for objective in self.goal.objectives]
        wanted += [constraint.metric for constraint in self.goal.constraints]
        for metric in wanted:
            if metric not in declared:
                message = unknown_name("metric", metric, declared, "automl describe evaluator NAME")
                present = [stage.name for stage in self.stages]
                raise ConfigurationError(
                    message + (advice_on(metric, self.task, present) or registry().elsewhere(metric))
                )
        known: set[str] = set()
        for stage in self.stages:
            known |= {metric.name for metric in stage.metrics(self.task)}
            for rule in stage.reject:
                if rule.metric not in known:
                    what = f"metric in `{stage.name}.reject`"
                    raise ConfigurationError(unknown_name(what, rule.metric, known))
            if stage.keep is not None and stage.keep.metric not in known:
                raise ConfigurationError(unknown_name(f"metric in `{stage.name}.keep_by`", stage.keep.metric, known))
            if stage.distinct is not None and stage.distinct not in known:
                raise ConfigurationError(unknown_name(f"metric in `{stage.name}.distinct`", stage.distinct, known))

    def run(self, job: Job, device: str, on_report: OnReport, should_stop: Callable[[], bool]) -> Outcome:
        """Evaluate one candidate; raises `Interrupted`, and `ConfigurationError` for what is no candidate's fault."""
        found = _Found()
        outcome = self._caught(job, device, on_report, _checker(self.timeout, should_stop), found)
        return replace(outcome, remarks=found.remarks)

    def _caught(self, job: Job, device: str, on_report: OnReport, check: Callable[[], None], found: _Found) -> Outcome:
        """Evaluate: the one place where a candidate's exceptions of any class are caught, and all are recorded."""
        try:
            return self._run(job, device, on_report, check, found)
        except Pruned as stop:
            return Outcome(job.number, TrialState.PRUNED, found.reached, str(stop) or "pruned", "pruned")
        except TrialTimeout as late:
            return Outcome(job.number, TrialState.FAILED, found.reached, str(late), "timeout")
        except SystemExit as stop:
            return Outcome.failed(job.number, "exited", f"the candidate called sys.exit({stop.code!r})")
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 - a candidate may raise anything; the trial records it
            return replace(_failure(job.number, error, found.variant), metrics=found.reached)

    def _run(self, job: Job, device: str, on_report: OnReport, check: Callable[[], None], found: _Found) -> Outcome:
        candidate = Candidate(self.space, Architecture.from_json(job.architecture))

        def report(step: int, metrics: Mapping[str, float]) -> None:
            found.reached.update({name: float(value) for name, value in metrics.items()})
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
            remark=found.remark,
        )
        for stage in self.stages:
            reason = self._in_variants(stage, candidate, context, found)
            if reason is None and not stage.variants:
                check()
                reported = stage.evaluator.evaluate(candidate, replace(context, metrics=dict(found.metrics)))
                found.learn(_numbers(stage.name, reported))
            reason = reason or self._rejection(stage, found, job)
            if reason:
                return Outcome(job.number, TrialState.REJECTED, found.metrics, reason, "rejected")
        return self._completed(job.number, found)

    def _in_variants(self, stage: Stage, candidate: Candidate, context: Context, found: _Found) -> str | None:
        """Run a stage in each of its variants; return why the candidate is rejected, as soon as it is."""
        parts: dict[str, dict[str, float]] = {}
        for found.variant in stage.variants:
            context.check()
            own = context_in(replace(context, metrics=dict(found.metrics)), found.variant)
            reported = stage.evaluator.evaluate(candidate.in_variant(found.variant), own)
            parts[found.variant] = _numbers(stage.name, reported)
            found.learn(named_in(parts[found.variant], found.variant))
            violations = (_violation(constraint, found.metrics) for constraint in self.goal.constraints)
            if reason := self._broken_rule(stage, found) or next(filter(None, violations), None):
                return reason
        found.variant = None
        if parts:
            _forget_empty(context.checkpoint)
            declared = stage.evaluator.metrics(self.task)
            found.learn(over_variants(declared, parts, found.remarks, found.remark))
        return None

    def _broken_rule(self, stage: Stage, found: _Found) -> str | None:
        metrics = found.metrics
        for rule in stage.reject:
            if rule.holds(metrics):
                why = found.remarks.get(rule.metric, f"{rule.metric} = {metrics[rule.metric]:.10g}")
                return f"{stage.name}: {rule} ({why})"
        return None

    def _rejection(self, stage: Stage, found: _Found, job: Job) -> str | None:
        metrics = found.metrics
        if reason := self._broken_rule(stage, found):
            return reason
        if stage.distinct is not None and (same := repeated(stage.distinct, metrics, job.taken.get(stage.name, {}))):
            return f"{stage.name}: {same}"
        is_last = stage is self.stages[-1]
        for constraint in self.goal.constraints:
            if constraint.metric not in metrics and (is_last or self._is_final(constraint.metric, stage, found)):
                why_not = found.why_not(constraint.metric)
                return f"constraint {constraint} cannot be met: the evaluators reported no {constraint.metric}{why_not}"
            if violation := _violation(constraint, metrics):
                return violation
        if stage.keep is None:
            return None
        name = stage.keep.metric
        objection = stage.keep.objection(metrics.get(name), found.why_not(name), job.thresholds.get(stage.name))
        return f"{stage.name}: {objection}" if objection else None

    def _is_final(self, metric: str, stage: Stage, found: _Found) -> bool:
        """Say whether ``metric`` was remarked upon as missing, and no stage after ``stage`` declares it."""
        later = self.stages[self.stages.index(stage) + 1 :]
        declared = {one.name for after in later for one in after.metrics(self.task)}
        return metric in found.remarks and metric not in declared

    def _completed(self, number: int, found: _Found) -> Outcome:
        metrics = found.metrics
        for objective in self.goal.objectives:
            name = objective.metric
            if not math.isfinite(metrics.get(name, math.nan)):
                what = f"{name} = {metrics[name]}" if name in metrics else f"no {name}{found.why_not(name)}"
                error = f"the objective is not a finite number: the evaluators reported {what}"
                return Outcome(number, TrialState.FAILED, metrics, error, "not_finite")
        return Outcome(number, TrialState.COMPLETED, metrics)


@dataclass(slots=True)
class _Found:
    """What is known of a candidate whose evaluation is under way.

    ``metrics`` are those of finished stages and variants; ``reached`` has also what a running stage last reported.
    ``variant`` is the one that is running, if any.
    """

    metrics: dict[str, float] = field(default_factory=dict)
    reached: dict[str, float] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    variant: str | None = None

    def learn(self, metrics: Mapping[str, float]) -> None:
        """Take in what was measured, and put it last."""
        for name, value in metrics.items():
            self.metrics.pop(name, None)
            self.metrics[name] = value
        self.reached.update(self.metrics)

    def remark(self, metric: str, text: str) -> None:
        """Keep why ``metric`` was not measured, or is what it is, as one line."""
        self.remarks[str(metric)] = _one_line(text)

    def why_not(self, metric: str) -> str:
        """Return the remark on ``metric`` in parentheses, after a space; empty without one."""
        return f" ({self.remarks[metric]})" if metric in self.remarks else ""


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


def _violation(constraint: Condition, metrics: Mapping[str, float]) -> str | None:
    """Return how a known metric violates ``constraint``, or ``None``."""
    if constraint.metric not in metrics or constraint.holds(metrics):
        return None
    return f"constraint {constraint} is violated ({constraint.metric} = {metrics[constraint.metric]:.10g})"


def _forget_empty(checkpoint: Path | None) -> None:
    """Remove the folder of a candidate whose variants have left nothing in theirs."""
    if checkpoint is not None:
        with contextlib.suppress(OSError):
            checkpoint.rmdir()


def _failure(number: int, error: Exception, variant: str | None) -> Outcome:
    short = (_one_line(error) or "no message") + (f" (in the variant {variant})" if variant else "")
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in _MEMORY_SIGNS):
        return Outcome.failed(number, "memory", f"out of memory: {short}", trace)
    kind: FailureKind = "not_finite" if isinstance(error, FloatingPointError) else "raised"
    return Outcome.failed(number, kind, f"{type(error).__name__}: {short}", trace)


def _one_line(text: object) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= 300 else line[:297] + "..."
