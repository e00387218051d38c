"""A strategy driven without an engine, and losses that are functions of the trial."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from automl import Strategy, Trial, TrialState, derive_rng


def search(strategy: Strategy, asks: int, loss: Callable[[Trial], float]) -> list[Trial]:
    """Ask and tell ``asks`` times, one at a time, every trial completed, and return the told trials."""
    space, seed, trials = strategy.problem.space, strategy.problem.seed, []
    for number in range(asks):
        proposal = strategy.ask(derive_rng(seed, "ask", number), ())
        assert proposal is not None
        trial = Trial(number, proposal.architecture, space.key(proposal.architecture), TrialState.COMPLETED)
        trials.append(replace(trial, note=proposal.note, losses=(loss(trial),)))
        strategy.tell(trials[-1])
    return trials


def rugged(trial: Trial) -> float:
    """Return a loss without structure."""
    return int(trial.key[:6], 16) / 2**24


def count_of_a(trial: Trial) -> float:
    """Return a loss to which every answer `a` adds alike."""
    return -float(sum(value == "a" for value in trial.architecture.values()))
