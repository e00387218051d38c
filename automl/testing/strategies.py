"""Conformance of strategies: a strategy is a fold over the told trials."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from automl.conditions import Condition
from automl.objectives import Goal, Objective
from automl.seeds import derive_rng
from automl.space import SearchSpace
from automl.strategy import Problem, Proposal, Strategy
from automl.study import Study
from automl.testing import problems
from automl.testing.randomness import disturb, untouched_randomness
from automl.testing.studies import Laboratory
from automl.trial import Trial, TrialState
from automl.warm_start import WarmStarted

SPACES: Mapping[str, type[SearchSpace[Any]]] = {
    "flat": problems.FlatSpace,
    "graph": problems.CellSpace,
    "conditional": problems.ConditionalSpace,
}
_SCORE = Goal((Objective("score", "max"),))
_BOTH = Goal((Objective("score", "max"), Objective("size", "min")))


@dataclass
class Walk:
    """A strategy driven without an engine: proposals, what was pending at each ask, and what was told before it.

    Results are a function of the canonical key. Some trials fail, are rejected, pruned or repeat an earlier one, and
    every ninth proposal is replaced by a sample, as the engine does with a strategy that only repeats itself.
    """

    problem: Problem
    window: int = 1
    is_deceptive: bool = False
    proposals: list[Proposal] = field(default_factory=list)
    told: list[Trial] = field(default_factory=list)
    asks: list[tuple[int, tuple[Trial, ...]]] = field(default_factory=list)

    def go(self, strategy: Strategy, asks: int) -> Walk:
        """Ask ``asks`` times, telling the oldest trial when the window is full or the strategy wants it."""
        pending: deque[Trial] = deque()
        while len(self.proposals) < asks:
            proposal = None
            if len(pending) < self.window:
                waiting = tuple(pending)
                proposal = strategy.ask(self.rng(len(self.proposals)), waiting)
            if proposal is None:
                if not pending:
                    break
                self._tell(strategy, pending.popleft())
                continue
            self.asks.append((len(self.told), waiting))
            pending.append(self._trial(proposal))
            self.proposals.append(proposal)
        while pending:
            self._tell(strategy, pending.popleft())
        return self

    def rng(self, number: int) -> np.random.Generator:
        """Return the generator of one ask."""
        return derive_rng(self.problem.seed, "ask", number)

    def check_rebuilds(self, rebuilt: Strategy) -> None:
        """Tell a fresh strategy what was told so far, and compare what it proposes then, at every third ask."""
        told = 0
        for number in range(0, len(self.proposals), 3):
            until, pending = self.asks[number]
            for trial in self.told[told:until]:
                rebuilt.tell(trial)
            told = until
            assert rebuilt.ask(self.rng(number), pending) == self.proposals[number], f"ask {number} after {until} tells"

    def _trial(self, proposal: Proposal) -> Trial:
        number, space = len(self.proposals), self.problem.space
        architecture = proposal.architecture
        if number % 9 == 8:
            architecture = space.sample(derive_rng(self.problem.seed, "foreign", number))
        architecture = space.validate(architecture)
        losses = (float("inf"),) * len(self.problem.goal.objectives)
        return Trial(
            number, architecture, space.key(architecture), losses=losses, fidelity=proposal.fidelity, note=proposal.note
        )

    def _tell(self, strategy: Strategy, trial: Trial) -> None:
        finished = self._finished(trial)
        self.told.append(finished)
        strategy.tell(finished)

    def _finished(self, trial: Trial) -> Trial:
        seen = [old for old in self.told if old.key == trial.key and old.fidelity == trial.fidelity]
        if seen:
            old = seen[0]
            return replace(
                old, number=trial.number, architecture=trial.architecture, note=trial.note, duplicate_of=old.number
            )
        metrics = problems.score(trial.key, trial.architecture)
        if self.is_deceptive:
            return self._deceptive(trial, metrics)
        luck, goal = problems.luck(trial.key, "state"), self.problem.goal
        if luck > 0.2:
            return replace(trial, state=TrialState.COMPLETED, metrics=metrics, losses=goal.losses(metrics))
        if luck > 0.1:
            return replace(trial, state=TrialState.FAILED, error="ValueError: no good")
        if luck > 0.05:
            return replace(trial, state=TrialState.PRUNED, error="not promising", metrics={"size": metrics["size"]})
        return replace(trial, state=TrialState.REJECTED, error="too large", violation=luck + 0.5)

    def _deceptive(self, trial: Trial, metrics: dict[str, float]) -> Trial:
        """Half of the space is infeasible, and there alone is what looks best."""
        violation = max(0.0, metrics["score"] - 0.5)
        found = {**metrics, "score": metrics["score"] + (1.0 if violation else 0.0)}
        losses = self.problem.goal.losses(found)
        return replace(trial, state=TrialState.COMPLETED, metrics=found, losses=losses, violation=violation)


class StrategySuite:
    """What every strategy must do. A subclass says how to make one for a problem, and may narrow the spaces."""

    spaces: Sequence[str] = tuple(SPACES)
    """Small spaces on which the strategy works: ``flat``, ``graph``, ``conditional``."""
    asks = 30
    """Proposals of one walk; enough for the strategy to leave its random start."""
    differs_with_seed = True
    """Whether another seed gives other proposals; an exhaustive strategy says no."""

    def make(self, problem: Problem) -> Strategy:
        """Return a fresh strategy."""
        raise NotImplementedError(f"{type(self).__name__} must say what it certifies: see the docstring of this method")

    @pytest.fixture(params=tuple(SPACES))
    def space(self, request: pytest.FixtureRequest) -> str:
        """The name of one of the small spaces."""
        name: str = request.param
        if name not in self.spaces:
            pytest.skip(f"the strategy is not made for the {name} space")
        return name

    def problem(self, space: str, goal: Goal = _SCORE, seed: int = 0) -> Problem:
        """Return a problem on one of the small spaces."""
        return Problem(SPACES[space](), goal, self.asks, seed)

    def walk(self, problem: Problem, window: int = 1, *, is_deceptive: bool = False, asks: int | None = None) -> Walk:
        """Drive a fresh strategy."""
        return Walk(problem, window, is_deceptive).go(self.make(problem), asks or self.asks)

    @pytest.mark.parametrize("window", [1, 4])
    def test_retelling_rebuilds_it(self, space: str, window: int) -> None:
        """At every point, a strategy that is told what was told so far proposes the same, bit for bit."""
        problem = self.problem(space)
        walk = self.walk(problem, window)
        walk.check_rebuilds(self.make(problem))

    def test_asking_changes_nothing(self, space: str) -> None:
        """Asked twice alike it answers alike, and asks in between do not change later answers."""
        problem = self.problem(space)
        walk = self.walk(problem, 2)
        strategy, told = self.make(problem), 0
        for number, (until, pending) in enumerate(walk.asks):
            for trial in walk.told[told:until]:
                strategy.tell(trial)
            told = until
            strategy.ask(derive_rng(99, "stray", number), ())
            if number % 4 == 0:
                assert strategy.ask(walk.rng(number), pending) == walk.proposals[number]
                assert strategy.ask(walk.rng(number), pending) == walk.proposals[number]

    def test_only_the_seed_decides(self, space: str) -> None:
        """The same seed gives the same proposals whatever else draws random numbers; another seed gives others."""
        first = self.walk(self.problem(space), 2).proposals
        disturb()
        assert self.walk(self.problem(space), 2).proposals == first
        if self.differs_with_seed:
            assert self.walk(self.problem(space, seed=1), 2).proposals != first

    def test_global_randomness_is_left_alone(self, space: str) -> None:
        """All randomness comes from the generator of the ask."""
        self.walk(self.problem(space), asks=2)
        with untouched_randomness():
            self.walk(self.problem(space), 2)

    def test_proposals_are_members(self, space: str) -> None:
        """Every architecture is in the space, every note is JSON, whatever is pending."""
        problem = self.problem(space)
        for window in (1, 8):
            walk = self.walk(problem, window)
            assert walk.proposals
            for proposal in walk.proposals:
                assert problem.space.validate(proposal.architecture) == proposal.architecture
                assert _is_json(proposal.note), proposal.note

    def test_every_final_state_can_be_told(self, space: str) -> None:
        """Failures, rejections, pruned trials and repeats, as first trials and as the only ones."""
        problem = self.problem(space)
        for state in (TrialState.FAILED, TrialState.REJECTED, TrialState.PRUNED, TrialState.COMPLETED):
            strategy = self.make(problem)
            for number in range(self.asks):
                proposal = strategy.ask(derive_rng(0, "ask", number), ())
                if proposal is None:
                    break
                key = problem.space.key(proposal.architecture)
                repeat = number // 2 if number % 2 else None
                violation = 1.0 if state is TrialState.REJECTED else 0.0
                loss = 0.5 if state is TrialState.COMPLETED else float("inf")
                trial = Trial(number, proposal.architecture, key, state, {}, (loss,), violation, proposal.fidelity)
                strategy.tell(replace(trial, duplicate_of=repeat, note=proposal.note))

    def test_feasible_trials_come_first(self) -> None:
        """Where everything infeasible looks better, a strategy does not move there."""
        if "flat" not in self.spaces:
            pytest.skip("the strategy is not made for the flat space")
        goal = Goal(_SCORE.objectives, (Condition.parse("score <= 0.5"),))
        told = self.walk(self.problem("flat", goal), is_deceptive=True, asks=3 * self.asks).told
        late = told[len(told) // 2 :]
        share = sum(trial.is_feasible for trial in late) / len(late)
        assert share >= 0.3, f"{share:.0%} of the later proposals are feasible, and half of the space is"

    def test_several_objectives(self, space: str) -> None:
        """A strategy that says it can, does, and is still a fold; the others are refused by the engine."""
        problem = self.problem(space, _BOTH)
        if not type(self.make(self.problem(space))).is_multi_objective:
            pytest.skip("it optimises one objective")
        walk = self.walk(problem, 2)
        rebuilt = self.make(problem)
        for trial in walk.told[: walk.asks[-1][0]]:
            rebuilt.tell(trial)
        assert rebuilt.ask(walk.rng(len(walk.asks) - 1), walk.asks[-1][1]) == walk.proposals[-1]

    @pytest.mark.parametrize("window", [1, 4])
    def test_it_goes_on_from_a_warm_start(self, space: str, window: int) -> None:
        """Told of trials that it did not propose, and that have no note of its own, it is the same fold."""
        problem = self.problem(space)
        rng = derive_rng(5, "warm start")
        start = [problem.space.sample(rng) for _ in range(3)]
        walk = Walk(problem, window).go(WarmStarted(self.make(problem), start), self.asks)
        assert [proposal.architecture for proposal in walk.proposals[: len(start)]] == start
        assert len(walk.proposals) > len(start), "it proposes nothing of its own"
        walk.check_rebuilds(WarmStarted(self.make(problem), start))
        for proposal in walk.proposals:
            assert problem.space.validate(proposal.architecture) == proposal.architecture

    @pytest.mark.parametrize("workers", [1, 3])
    def test_a_killed_study_is_the_uninterrupted_one(self, space: str, workers: int) -> None:
        """Killed again and again on the way, in the real engine, it proposes and tells exactly the same."""
        laboratory = self._laboratory(space, workers)
        whole, broken = laboratory.begin("whole"), laboratory.begin("broken")
        laboratory.run(whole)
        for kill_after in (6, 0, 9, None):
            laboratory.run(broken, kill_after=kill_after)
        assert _history(broken) == _history(whole)
        laboratory.store.close()

    def test_an_extended_study_is_the_uninterrupted_one(self, space: str) -> None:
        """Twelve trials, then a larger budget: the same as thirty at once."""
        laboratory = self._laboratory(space, 1)
        whole, extended = laboratory.begin("whole"), laboratory.begin("extended", 12)
        laboratory.run(whole)
        laboratory.run(extended)
        assert _history(extended) == _history(whole)[: len(extended.records)]
        laboratory.extend(extended, 30)
        laboratory.run(extended)
        assert _history(extended) == _history(whole)
        laboratory.store.close()

    def _laboratory(self, space: str, workers: int) -> Laboratory:
        target = f"{problems.HOME}:{SPACES[space].__name__}"
        return Laboratory(self.make, target, budget=30, workers=workers)


def _history(study: Study) -> list[tuple[Any, ...]]:
    return [
        (record.number, record.architecture, record.fidelity, record.note, record.state, record.told_order)
        for record in study.records
    ]


def _is_json(note: Mapping[str, Any]) -> bool:
    return isinstance(json.dumps(dict(note)), str)
