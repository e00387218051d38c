"""Strategies that fit a surrogate once per batch and then work down a ranked list of candidates."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from numpy.random import Generator
from pydantic import Field

from automl import Architecture, BaseOptions, Problem, Proposal, Strategy, Trial
from automl_plugins.strategies._surrogates.history import History, Target, one_thread


class BatchOptions(BaseOptions):
    """Options of every strategy that proposes in batches."""

    initial: Annotated[int, Field(ge=1)] = 10
    """Random trials before the first model."""
    batch_size: Annotated[int, Field(ge=1)] = 10
    """Proposals from one model; then it is fitted again, to all that was told."""
    target: Target = "standardised"
    """What the model learns: the `standardised` loss, its `rank` (normal scores), `log_error` (the logarithm of the
    error of an accuracy), or `auto`: `log_error` for accuracies, `rank` for everything else."""


class BatchedSurrogate(Strategy):
    """Random at first; then batch after batch of the best candidates under a model.

    Model and ranking of batch b are a function of the first ``initial + b·batch_size`` told trials and the study's
    seed. A proposal is the first of the ranking that is neither told nor pending, so that parallel workers take
    different ones, and the next batch begins once enough has been told: workers never wait for each other.
    """

    options: BatchOptions

    def __init__(self, problem: Problem, options: Any = None) -> None:
        super().__init__(problem, options)
        self.history = History(problem)
        self._ranked: tuple[int, list[Architecture]] = (-1, [])

    @abstractmethod
    def rank(self, batch: int, told: int) -> Iterable[Architecture]:
        """Return candidates, best first, from a model of the first ``told`` trials."""

    def ask(self, rng: Generator, pending: Sequence[Trial]) -> Proposal:
        """Return a random architecture at first, then the best candidate that is new."""
        told = len(self.history.trials)
        if told < self.options.initial:
            return Proposal(self.history.sample(rng, pending), note={"operator": "random"})
        batch = (told - self.options.initial) // self.options.batch_size
        if self._ranked[0] != batch:
            with one_thread():
                ranked = list(self.rank(batch, self.options.initial + batch * self.options.batch_size))
            self._ranked = (batch, ranked)
        known = self.history.known(pending)
        for architecture in self._ranked[1]:
            if self.history.identity(architecture) not in known:
                return Proposal(architecture, note={"operator": "surrogate", "batch": batch})
        note = {"operator": "random", "because": "no new candidate"}
        return Proposal(self.history.sample(rng, pending), note=note)

    def tell(self, trial: Trial) -> None:
        """Add the trial to what the next model learns."""
        self.history.tell(trial)
