"""Write a strategy and compare it with random search on equal budgets: `python examples/new_strategy.py`.

A few trials of one epoch show how it is done, and prove nothing about the strategy: that takes more trials, more epochs
and more seeds.
"""

from collections.abc import Sequence
from statistics import fmean

from numpy.random import Generator

import automl
from automl import Architecture, Problem, Proposal, Strategy, Trial


class LocalSearch(Strategy):
    """Try the neighbours of the best architecture in random order; start anew when all of them are known."""

    def __init__(self, problem: Problem, options: object = None) -> None:
        super().__init__(problem, options)
        self.known: set[str] = set()
        self.best: Trial | None = None

    def ask(self, rng: Generator, pending: Sequence[Trial]) -> Proposal:
        """Return a neighbour that is neither told nor pending, or a random architecture."""
        if self.best is not None:
            taken = self.known | {trial.key for trial in pending}
            if fresh := self._fresh_neighbours(self.best.architecture, taken):
                chosen = fresh[int(rng.integers(len(fresh)))]
                return Proposal(chosen, note={"operator": "neighbour", "parents": [self.best.number]})
        return Proposal(self.problem.space.sample(rng), note={"operator": "random"})

    def tell(self, trial: Trial) -> None:
        """Keep the best, and remember every key."""
        self.known.add(trial.key)
        if self.best is None or trial.rank < self.best.rank:
            self.best = trial

    def _fresh_neighbours(self, architecture: Architecture, taken: set[str]) -> list[Architecture]:
        space = self.problem.space
        return [one for one in space.neighbours(architecture) if space.key(one) not in taken]


def main() -> None:
    for strategy in ("random_search", "new_strategy:LocalSearch"):
        found = []
        for seed in range(2):
            study = automl.search(
                space="nas_bench_201",
                strategy=strategy,
                trials=6,
                seed=seed,
                options={"train": {"epochs": 1}},
                storage="new_strategy.db",
            )
            found.append(study.best[0].metrics["val_accuracy"])
        print(f"{strategy}: best validation accuracy {fmean(found):.3f}, mean of {len(found)} seeds")


if __name__ == "__main__":
    main()
