"""Strategy ``random_search``: uniform sampling, the control that every comparison needs."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.random import Generator

from automl import Proposal, Strategy, Trial


class RandomSearch(Strategy):
    """Sample architectures uniformly over encodings (`SearchSpace.sample`), independently of all results."""

    is_multi_objective = True
    paper = "Li and Talwalkar. Random search and reproducibility for neural architecture search. UAI 2019."

    def ask(self, rng: Generator, pending: Sequence[Trial]) -> Proposal:
        """Return a sample."""
        return Proposal(self.problem.space.sample(rng), note={"operator": "random"})

    def tell(self, trial: Trial) -> None:
        """Learn nothing."""
