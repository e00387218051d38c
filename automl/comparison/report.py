"""What a comparison found: curves, values at checkpoints, ranks, tests, evaluations to a target, and costs of asking.

All of it is read from the store, so that a report can be made again at any time, and of a comparison that is not over:
then it covers the seeds with which every strategy is done, since strategies are compared seed by seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from automl.comparison.comparison import ENDED, Comparison, Member
from automl.comparison.curves import (
    Checkpoint,
    Curves,
    Direction,
    Reached,
    Run,
    at_checkpoints,
    curves_of,
    evaluations_to,
    values_after,
)
from automl.comparison.definition import ComparisonDefinition, default_checkpoints
from automl.comparison.statistics import AverageRank, Friedman, PairedTest, average_ranks, friedman, paired_tests
from automl.errors import UsageError
from automl.hypervolume import hypervolumes
from automl.objectives import Goal
from automl.seeds import derive_rng
from automl.storage.comparisons import TrialOutcome
from automl.storage.records import StudyRecord
from automl.trial import TrialState

HYPERVOLUME = "hypervolume"


@dataclass(frozen=True, eq=False)
class ComparisonReport:
    """The findings of a comparison. Mappings go by the strategies' labels, in the order of the definition.

    Attributes:
        name: of the comparison.
        definition: its definition.
        objective: what chose the incumbents: a metric, or ``hypervolume``.
        metric: what is reported of the incumbents.
        direction: whether more or less of both is better.
        curves: of each strategy, all of one length, over the same seeds.
        checkpoints: evaluations after which the strategies are compared; the last is the end.
        values: of each strategy, the reported metric at the checkpoints.
        ranks: average rank of each strategy at the end.
        tests: at each checkpoint, every other strategy against the one that the definition names, corrected by Holm.
        against: label of that one.
        friedman: test that all are alike at the end, if it can be made.
        reached: of each strategy, how soon it reached the target; empty without one.
        ask_seconds: of each strategy, mean seconds per proposal that it took to ask and to learn; NaN if not measured.
        seeds_planned: how many seeds there are to be; the curves say how many there are.
    """

    name: str
    definition: ComparisonDefinition
    objective: str
    metric: str
    direction: Direction
    curves: Mapping[str, Curves]
    checkpoints: tuple[int, ...]
    values: Mapping[str, tuple[Checkpoint, ...]]
    ranks: Mapping[str, AverageRank]
    tests: Mapping[int, Mapping[str, PairedTest]]
    against: str
    friedman: Friedman | None
    reached: Mapping[str, Reached]
    ask_seconds: Mapping[str, float]
    seeds_planned: int

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that the report covers."""
        return next(iter(self.curves.values())).seeds

    @property
    def is_complete(self) -> bool:
        """Whether every study has ended."""
        return len(self.seeds) == self.seeds_planned


def report_of(comparison: Comparison) -> ComparisonReport:
    """Return what the finished studies of ``comparison`` show.

    Raises:
        UsageError: there is no seed with which every strategy is done.
    """
    definition = comparison.definition
    curves = _curves(comparison)
    longest = max(each.evaluations for each in curves.values())
    # A space that is tried up or a budget in time may end a run early; its incumbent then stays what it was.
    curves = {label: _continued(each, longest) for label, each in curves.items()}
    settings = definition.settings
    checkpoints = tuple(count for count in definition.checkpoints if count <= longest) or default_checkpoints(longest)
    if checkpoints[-1] != longest:
        checkpoints = (*checkpoints, longest)
    labels, direction = list(curves), next(iter(curves.values())).direction
    against = settings.against or settings.control
    tests = {}
    for count in checkpoints:
        values = np.stack([values_after(each, count) for each in curves.values()])
        found = paired_tests(labels, values, direction, derive_rng(0, "tests", count), reference=against)
        tests[count] = {test.first: test for test in found}
    objective = objective_of(definition)
    return ComparisonReport(
        comparison.name,
        definition,
        objective,
        settings.report or objective,
        direction,
        curves,
        checkpoints,
        {label: at_checkpoints(each, checkpoints) for label, each in curves.items()},
        {rank.label: rank for rank in average_ranks(labels, values, direction, derive_rng(0, "ranks"))},
        tests,
        against,
        friedman(values, direction),
        _reached(curves, settings.target),
        {label: _mean(each.ask_seconds) for label, each in curves.items()},
        settings.seeds,
    )


def objective_of(definition: ComparisonDefinition) -> str:
    """Return what chooses the incumbents: the objective's metric, or ``hypervolume`` where there are several."""
    objectives = definition.base.goal("").objectives
    return objectives[0].metric if len(objectives) == 1 else HYPERVOLUME


def direction_of(definition: ComparisonDefinition) -> Direction:
    """Return which way of that is better."""
    objectives = definition.base.goal("").objectives
    return objectives[0].direction if len(objectives) == 1 else "max"


def run_of(
    definition: ComparisonDefinition, seed: int, outcomes: Iterable[TrialOutcome], ask_seconds: float = math.nan
) -> Run:
    """Return the run of one study: the values of its counted evaluations, in the order of proposals.

    With several objectives both values are the hypervolume of what was found so far.

    Args:
        definition: of the comparison.
        seed: the study's seed.
        outcomes: of the study's told trials, in the order of proposals. Those at partial fidelity do not count.
        ask_seconds: total seconds that the strategy took.
    """
    base = definition.base
    told = list(outcomes)
    counted = [each for each in told if each.fidelity is None and (base.count_duplicates or not each.is_repeat)]
    per_ask = ask_seconds / len(told) if told and ask_seconds > 0 else math.nan
    goal = base.goal("")
    if len(goal.objectives) > 1:
        losses = (goal.losses(each.metrics) if _is_feasible(each, goal) else None for each in counted)
        found = hypervolumes(losses, goal.worst_losses)
        return Run(seed, found, found, per_ask)
    metric = goal.objectives[0].metric
    reported = definition.settings.report or metric
    chosen = [_value(each, metric) if _is_feasible(each, goal) else math.nan for each in counted]
    return Run(seed, chosen, [_value(each, reported) for each in counted], per_ask)


def _curves(comparison: Comparison) -> dict[str, Curves]:
    definition, store = comparison.definition, comparison.store
    records = {record.name: record for record in store.comparisons.studies(comparison.record.id)}
    direction = direction_of(definition)
    members = comparison.members
    unfinished = {member.seed for member in members if records[member.study].state not in ENDED}
    runs: dict[str, list[Run]] = {label: [] for label in definition.labels}
    for member in members:
        if member.seed not in unfinished:
            runs[member.strategy.label].append(_run(comparison, member, records[member.study]))
    if not any(runs.values()):
        raise UsageError(
            f"comparison {comparison.name!r} has nothing to report yet: with no seed have all "
            f"{len(runs)} strategies ended; continue it with `automl resume {comparison.name}`"
        )
    return {label: curves_of(label, found, direction) for label, found in runs.items()}


def _run(comparison: Comparison, member: Member, record: StudyRecord) -> Run:
    outcomes = comparison.store.comparisons.outcomes(record.id)
    definition = comparison.definition
    own = replace(definition, base=definition.study(member.strategy, member.seed))
    return run_of(own, member.seed, outcomes, record.ask_seconds)


def _continued(curves: Curves, evaluations: int) -> Curves:
    """Return the curves with the last column repeated up to ``evaluations``."""
    missing = evaluations - curves.evaluations
    if not missing:
        return curves

    def longer(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.pad(values, ((0, 0), (0, missing)), mode="edge")

    return replace(curves, chosen=longer(curves.chosen), reported=longer(curves.reported))


def _reached(curves: Mapping[str, Curves], target: float | None) -> dict[str, Reached]:
    if target is None:
        return {}
    return {label: evaluations_to(each, target) for label, each in curves.items()}


def _value(outcome: TrialOutcome, metric: str) -> float:
    return float(outcome.metrics.get(metric, math.nan))


def _is_feasible(outcome: TrialOutcome, goal: Goal) -> bool:
    return outcome.state == TrialState.COMPLETED and goal.violation(outcome.metrics) == 0


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan
