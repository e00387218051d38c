"""Strategy ``qmc``: a quasi-random sequence of low discrepancy [1, 2], the sampler of Optuna 5.

Random search that leaves smaller gaps: the points of a Sobol or Halton sequence, one dimension per parameter, a
categorical decision by the interval of [0, 1) in which its coordinate lies. The sequence is scrambled with the study's
seed, so that studies differ and the origin, which the plain sequences begin with, is nobody's first trial. It learns
nothing from results.

A proposal's note holds the position of its point, and the next ask goes on after the last position that is told or
pending. Points whose architecture is known already are passed over. Decisions that an architecture does not ask use up
their dimension and are ignored, which leaves the rest of a point as uniform as it was.

[1] Sobol. On the distribution of points in a cube and the approximate evaluation of integrals. 1967. (Scrambled as by
    Matousek, 1998.)
[2] Halton. On the efficiency of certain quasi-random sequences of points in evaluating multi-dimensional integrals.
    Numerische Mathematik 2, 1960. (Scrambled as by Owen, 2017.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import optuna
from numpy.random import Generator
from optuna.distributions import BaseDistribution

from automl import Problem, Proposal, Trial, derive_seed
from automl_plugins.strategies._optuna.adapter import OptunaOptions, OptunaStrategy
from automl_plugins.strategies._optuna.encoding import Point


class QuasiMonteCarloOptions(OptunaOptions):
    """Options of `QuasiMonteCarlo`."""

    sequence: Literal["sobol", "halton"] = "sobol"
    """Which sequence; Sobol's is the more even at powers of two."""
    scramble: bool = True
    """Randomise the sequence by the study's seed; otherwise every study begins with the same points."""


class QuasiMonteCarlo(OptunaStrategy):
    """Propose the points of a sequence that covers the space evenly."""

    is_multi_objective = True
    paper = "Sobol. On the distribution of points in a cube and the approximate evaluation of integrals. 1967."
    Options = QuasiMonteCarloOptions
    options: QuasiMonteCarloOptions

    def __init__(self, problem: Problem, options: Any = None) -> None:
        super().__init__(problem, options)
        self._seed = derive_seed(problem.seed, "sequence") % 2**32
        self._told_position = self._next_position = 0

    def sampler(self, seed: int) -> optuna.samplers.QMCSampler:
        """Return the sampler, at the position that this ask begins with; ``seed`` is for parameters outside of it."""
        return _Sequence(
            self._next_position,
            qmc_type=self.options.sequence,
            scramble=self.options.scramble,
            seed=self._seed,
            independent_sampler=optuna.samplers.RandomSampler(seed=seed),
            warn_asynchronous_seeding=False,
            warn_independent_sampling=False,
        )

    def ask(self, rng: Generator, pending: Sequence[Trial]) -> Proposal:
        """Return the next point whose architecture is new."""
        self._next_position = max([self._told_position, *(_position(trial) for trial in pending)])
        return super().ask(rng, pending)

    def note(self, sampler: optuna.samplers.BaseSampler, point: Point) -> dict[str, Any]:
        """Return the position of the point."""
        return {"position": sampler.position - 1} if isinstance(sampler, _Sequence) else {}

    def tell(self, trial: Trial) -> None:
        """Remember that the architecture is known, and how far the sequence has been used."""
        self._keys.add(self.problem.key_of(trial))
        self._told_position = max(self._told_position, _position(trial))


class _Sequence(optuna.samplers.QMCSampler):
    """The sampler with a position of its own instead of one that the study counts."""

    def __init__(self, position: int, **options: Any) -> None:
        super().__init__(**options)
        self.position = position

    def _find_sample_id(self, study: optuna.Study, search_space: dict[str, BaseDistribution]) -> int:
        self.position += 1
        return self.position - 1


def _position(trial: Trial) -> int:
    """Return the position after that of the trial's point; 0 for a trial that is none of the sequence."""
    position = trial.note.get("position")
    return position + 1 if type(position) is int and position >= 0 else 0
