"""A study as a report sees it: read once, with what its search space says of its architectures.

The space is foreign code. Where it cannot be loaded here, or fails, architectures are their bare decisions and have no
drawing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from automl.architecture import Architecture
from automl.definition import StudyDefinition
from automl.models.trained import make_space
from automl.objectives import Goal
from automl.plugins import isolated
from automl.space import SearchSpace
from automl.storage.records import StudyRecord, TrialRecord
from automl.study import Study, best_of, top_of
from automl.trial import Trial

if TYPE_CHECKING:
    import networkx as nx

R = TypeVar("R")

_NUMBERS = re.compile(r"(_?\d+)+$")


@dataclass(frozen=True)
class Subject:
    """A study with its trials in memory."""

    study: Study

    @property
    def name(self) -> str:
        """The name of the study."""
        return self.study.name

    @property
    def goal(self) -> Goal:
        """Its objectives and constraints."""
        return self.study.goal

    @property
    def definition(self) -> StudyDefinition:
        """Its definition."""
        return self.study.definition

    @cached_property
    def record(self) -> StudyRecord:
        """Its row."""
        return self.study.record

    @cached_property
    def records(self) -> list[TrialRecord]:
        """All trials as stored, in order of number."""
        return self.study.records

    @cached_property
    def trials(self) -> list[Trial]:
        """All trials, in order of number."""
        return [record.trial(self.goal) for record in self.records]

    @cached_property
    def evaluations(self) -> list[Trial]:
        """The trials that count as evaluations, in the order of proposals: told, in full, and no repeats.

        Repeats count where the study counts them.
        """
        told = {record.number for record in self.records if record.told_order is not None}
        has_repeats = self.definition.count_duplicates
        return [
            trial
            for trial in self.trials
            if trial.number in told and trial.fidelity is None and (has_repeats or trial.duplicate_of is None)
        ]

    @cached_property
    def best(self) -> list[Trial]:
        """The best trial, or the Pareto front."""
        return best_of(self.trials, self.goal)

    def top(self, count: int) -> list[Trial]:
        """Return the best distinct trials, the Pareto front first."""
        return top_of(self.trials, self.goal, count)

    @cached_property
    def space(self) -> SearchSpace[Any] | None:
        """The search space, where it is installed."""
        return _tried(lambda: make_space(self.definition.space))

    def title(self, architecture: Architecture) -> str:
        """Return what tells an architecture in one line."""
        space = self.space
        found = None if space is None else _tried(lambda: space.title(space.blueprint(architecture)))
        return found.partition("\n")[0] if found else str(architecture)

    def graph(self, architecture: Architecture) -> nx.DiGraph[Any] | None:
        """Return the network that ``architecture`` computes, as it is drawn; ``None`` where the space cannot say."""
        space = self.space
        return None if space is None else _tried(lambda: space.computed_graph_of(architecture))

    def roles(self, architecture: Architecture) -> dict[str, str]:
        """Return the role of each decision; without the space, decisions that differ in numbers alone share one."""
        space = self.space
        decisions = None if space is None else _tried(lambda: space.decisions(architecture))
        if decisions is None:
            return {name: _NUMBERS.sub("", name) or name for name in architecture}
        return {decision.name: decision.role for decision in decisions}


def objective_value(trial: Trial, metric: str) -> float:
    """Return a metric of a feasible trial, NaN of another."""
    return trial.metrics.get(metric, math.nan) if trial.is_feasible else math.nan


def _tried(call: Callable[[], R]) -> R | None:
    result = isolated(call)
    return None if isinstance(result, Exception) else result
