"""Samplers of Optuna as strategies: what they are told, how they answer a walk, and how repeats are masked.

Every sampler is made afresh for each ask, from a seed that the ask's generator draws, and reads a study that holds the
told trials and nothing else: so the strategy is a fold, as its contract says. Only the methods that Optuna documents
for samplers and storages are called.

What Optuna does not know, and is decided here:

* A failed trial counts as the worst loss told so far, of each objective; until a first trial has losses it waits. With
  constraints it is infeasible without limit, after every trial whose violation is known.
* Optuna repeats itself by design. A walk whose architecture is told or pending is asked again, up to ``max_tries``
  times; then a random neighbour of the last is taken, or one farther away where that is known, too.
* Samplers that need the same parameters in every trial get all decisions that random walks ask; those that an
  architecture does not have are filled in.
"""

from __future__ import annotations

import math
import warnings
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import optuna
from numpy.random import Generator, default_rng
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState
from pydantic import Field

from automl import (
    Architecture,
    BaseOptions,
    Chooser,
    Decision,
    InvalidArchitecture,
    Problem,
    Proposal,
    Strategy,
    Trial,
    TrialState,
    Value,
    derive_rng,
)
from automl_plugins.strategies._optuna.encoding import Encoding, PlainEncoding, Point, fits, universe
from automl_plugins.strategies._optuna.storage import Told

_STEPS = 20
"""Changes made to a known architecture before it is proposed as it is; they cost next to nothing."""


class OptunaOptions(BaseOptions):
    """What every sampler's strategy has."""

    max_tries: Annotated[int, Field(ge=1)] = 20
    """Walks asked for before a repeat is replaced by a random neighbour."""


class OptunaStrategy(Strategy):
    """A sampler of Optuna as a strategy. A subclass makes the sampler.

    ``has_fixed_parameters`` says that the sampler is given the same parameters in every trial, whatever the walk asks.
    """

    has_fixed_parameters: ClassVar[bool] = True
    Options: ClassVar[type[BaseOptions]] = OptunaOptions
    options: Any

    def __init__(self, problem: Problem, options: Any = None) -> None:
        super().__init__(problem, options)
        self.encoding = self.make_encoding()
        self.told = Told(len(problem.goal.objectives))
        self.decisions = universe(problem.space, default_rng(0)) if self.has_fixed_parameters else []
        self.parameters: dict[str, BaseDistribution] = {}
        for decision in self.decisions:
            self.parameters.update(self.encoding.parameters(decision))
        self._tells = 0
        self._keys: set[str] = set()
        self._worst: list[float] = []
        self._waiting: list[Trial] = []

    @abstractmethod
    def sampler(self, seed: int) -> optuna.samplers.BaseSampler:
        """Return a fresh sampler, every option given."""

    def fresh_sampler(self, seed: int) -> Any:
        """Return `sampler`, without what Optuna says of options that are new or leaving: they are given on purpose."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.simplefilter("ignore", FutureWarning)
            return self.sampler(seed)

    def make_encoding(self) -> Encoding:
        """Return the encoding of decisions; by default one parameter each."""
        return PlainEncoding()

    def point(self, relative: Mapping[str, Any]) -> Point:
        """Return the values that the sampler chose together, as the trial shall have them."""
        return dict(relative)

    def note(self, sampler: optuna.samplers.BaseSampler, point: Point) -> dict[str, Any]:
        """Return what a later `tell` must know of the answer and cannot read from the architecture."""
        return {}

    def filling(self, decision: Decision, trial: Trial) -> Value:
        """Return the answer to a decision that the trial's architecture does not have: any, drawn for the trial."""
        return decision.draw(derive_rng(self.problem.seed, "filling", trial.number, decision.name))

    def asked(self) -> FrozenTrial:
        """Return a trial for a sampler to answer for; it is never part of the study."""
        return self.told.asked()

    def enter(self, frozen: FrozenTrial) -> None:
        """Add a told trial to the study."""
        self.told.add(frozen)

    def is_starting(self, pending: Sequence[Trial], trials: int) -> bool:
        """Say whether fewer than ``trials`` have been asked, or none has been told."""
        return self._tells + len(pending) < trials or self._tells == 0

    def random(self, rng: Generator) -> Proposal:
        """Return a random architecture."""
        return Proposal(self.problem.space.sample(rng), note={"operator": "random"})

    def ask(self, rng: Generator, pending: Sequence[Trial]) -> Proposal:
        """Return a proposal that is valid and new; after ``max_tries`` walks, a random neighbour of the last."""
        space, last = self.problem.space, None
        known = self._keys | {self.problem.key_of(trial) for trial in pending}
        note: dict[str, Any] = {}
        with self.told.running([self._frozen(trial, OptunaState.RUNNING) for trial in pending]):
            sampler = self.fresh_sampler(int(rng.integers(2**32)))
            study = self.told.study(sampler)
            for _ in range(self.options.max_tries):
                asked = self.asked()
                point = self._relative(sampler, study, asked)
                note = self.note(sampler, point)
                try:
                    last = space.record(_PointChooser(self.encoding, point, sampler, study, asked))
                except InvalidArchitecture:
                    continue
                if self.problem.key(last) not in known:
                    return Proposal(last, note={"operator": "sampler", **note})
        if last is None:
            return Proposal(space.sample(rng), note={"operator": "random", "because": "no valid walk", **note})
        return Proposal(
            self._neighbour(last, known, rng), note={"operator": "neighbour", "because": "only repeats", **note}
        )

    def tell(self, trial: Trial) -> None:
        """Add a told trial to the study, with losses that stand for those it does not have."""
        self._tells += 1
        self._keys.add(self.problem.key_of(trial))
        if _has_losses(trial):
            seen = self._worst or trial.losses
            self._worst = [max(pair) for pair in zip(seen, trial.losses, strict=True)]
        self._waiting.append(trial)
        if not self._worst:
            return
        for waiting in self._waiting:
            self.enter(self._frozen(waiting, OptunaState.COMPLETE))
        self._waiting.clear()

    def _relative(
        self, sampler: optuna.samplers.BaseSampler, study: optuna.Study, asked: FrozenTrial
    ) -> dict[str, Any]:
        fixed = self.parameters if self.has_fixed_parameters else sampler.infer_relative_search_space(study, asked)
        return self.point(sampler.sample_relative(study, asked, fixed)) if fixed else {}

    def _neighbour(self, architecture: Architecture, known: set[str], rng: Generator) -> Architecture:
        space = self.problem.space
        neighbour = space.mutate(architecture, rng)
        for _ in range(_STEPS):
            if self.problem.key(neighbour) not in known:
                break
            neighbour = space.mutate(neighbour, rng)
        return neighbour

    def _frozen(self, trial: Trial, state: OptunaState) -> FrozenTrial:
        params, distributions = self._encoded(trial)
        is_told = state is OptunaState.COMPLETE
        losses = trial.losses if _has_losses(trial) else self._worst
        return optuna.create_trial(
            state=state,
            values=list(losses) if is_told else None,
            params=params,
            distributions=distributions,
            constraints={"violation": _violation(trial)} if is_told and self.problem.goal.constraints else None,
        )

    def _encoded(self, trial: Trial) -> tuple[Point, dict[str, BaseDistribution]]:
        architecture, params = trial.architecture, {}
        near = trial.note.get("point")
        near = near if isinstance(near, Mapping) else {}
        if not self.has_fixed_parameters:
            distributions: dict[str, BaseDistribution] = {}
            for decision in self.problem.space.decisions(architecture):
                params.update(self.encoding.encode(decision, architecture[decision.name], near))
                distributions.update(self.encoding.parameters(decision))
            return params, distributions
        for decision in self.decisions:
            if decision.name in architecture:
                params.update(self.encoding.encode(decision, architecture[decision.name], near))
                continue
            parameters = self.encoding.parameters(decision)
            kept = {name: near[name] for name, each in parameters.items() if fits(each, near.get(name))}
            is_whole = len(kept) == len(parameters)
            params.update(kept if is_whole else self.encoding.encode(decision, self.filling(decision, trial), {}))
        return params, self.parameters


class _PointChooser(Chooser):
    """Answers with the values that a sampler chose together, and asks it for one that it did not choose."""

    def __init__(
        self,
        encoding: Encoding,
        point: Point,
        sampler: optuna.samplers.BaseSampler,
        study: optuna.Study,
        asked: FrozenTrial,
    ) -> None:
        self._encoding = encoding
        self._point = point
        self._rest: Callable[[str, BaseDistribution], Any] = lambda name, distribution: sampler.sample_independent(
            study, asked, name, distribution
        )

    def answer(self, decision: Decision) -> Value:
        if decision.size == 1:
            return decision.low if decision.kind == "real" else next(decision.answers())
        parameters = self._encoding.parameters(decision)
        point = {
            name: self._point[name] if name in self._point else self._rest(name, distribution)
            for name, distribution in parameters.items()
        }
        return self._encoding.decode(decision, point)


def _has_losses(trial: Trial) -> bool:
    return trial.state is TrialState.COMPLETED and all(math.isfinite(loss) for loss in trial.losses)


def _violation(trial: Trial) -> float:
    return trial.violation if trial.state in (TrialState.COMPLETED, TrialState.REJECTED) else math.inf
