"""Contract 2: the strategy, a fold over finished trials."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from automl.architecture import Architecture
from automl.given import GivenArchitectures
from automl.objectives import Goal
from automl.options import BaseOptions, Component
from automl.space import SearchSpace
from automl.trial import Trial

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass(frozen=True, slots=True)
class Problem:
    """What a strategy is told about the study, once.

    Attributes:
        space: where to search.
        goal: objectives and constraints.
        trials: the budget in trials when the study began, if it has one; extending a study does not change it, so that
            defaults that follow the budget stay what they were.
        seed: the study's seed, for components that want a seed rather than a generator.
        identity: whose results are measured: the ``network``'s, so that an architecture of a known canonical key is no
            news, or the ``architecture``'s own (see `Evaluator.identity`).
    """

    space: SearchSpace[Any]
    goal: Goal
    trials: int | None = None
    seed: int = 0
    identity: Literal["network", "architecture"] = "network"

    def key(self, architecture: Architecture) -> str:
        """Return what tells results apart: equal for two architectures when the result of one is that of the other."""
        return self.space.key(architecture) if self.identity == "network" else str(architecture)

    def key_of(self, trial: Trial) -> str:
        """Return `key` of a trial's architecture."""
        return trial.key if self.identity == "network" else str(trial.architecture)


@dataclass(frozen=True, slots=True)
class Proposal:
    """An architecture to evaluate.

    Attributes:
        architecture: a member of the space.
        fidelity: how thoroughly, in the unit of the last evaluator (epochs); ``None`` is the full evaluation.
        note: anything JSON-able worth keeping with the trial: operator, parents, acquisition value.
    """

    architecture: Architecture
    fidelity: float | None = None
    note: Mapping[str, Any] = field(default_factory=dict)


class StrategyOptions(BaseOptions):
    """Options that every strategy has beside its own; the core acts on them (see `automl.warm_start`)."""

    start: GivenArchitectures = ()
    """Architectures to propose first, in this order: names that `automl describe space NAME` lists, or tables of
    decisions as `automl show --json` prints them."""


class Strategy(Component, ABC):
    """Proposes architectures and learns from finished trials.

    Contract:

    * The state is a function of the told trials, in order, and of nothing else. Re-telling them rebuilds it exactly;
      that is how a study resumes. Nothing is pickled.
    * `ask` changes nothing: all randomness comes from ``rng``, which the engine derives from the study's seed and the
      number of the ask, and what is on its way is in ``pending``. Asked twice alike, it answers twice alike.
    * `tell` is called once per trial, in the told order, duplicates and failures included, and from one thread. Some
      trials were proposed by others: those of a warm start (``strategy.start``), and the engine's after many repeats.
      They have notes that this strategy never wrote.
    * ``None`` from `ask` means "nothing to propose before something pending is told"; with nothing pending it ends the
      study.
    """

    kind: ClassVar[str] = "strategy"
    SharedOptions: ClassVar[type[BaseOptions]] = StrategyOptions
    is_multi_objective: ClassVar[bool] = False
    means_repeats: ClassVar[bool] = False
    """Whether repeats are meant, as of a given list. The engine then never tries something else after many of them, and
    the strategy has to come to an end by itself."""

    def __init__(self, problem: Problem, options: Any = None) -> None:
        super().__init__(options)
        self.problem = problem

    @abstractmethod
    def ask(self, rng: Generator, pending: Sequence[Trial]) -> Proposal | None:
        """Return the next proposal; ``pending`` are the asked and not yet told trials, in the order of asking."""

    @abstractmethod
    def tell(self, trial: Trial) -> None:
        """Learn from a trial in a final state."""
