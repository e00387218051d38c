"""Strategy ``regularized_evolution``: aging evolution by tournament and mutation [1], with a choice of crossovers.

A queue of ``population_size`` architectures starts at random. Each step draws ``tournament_size`` members, mutates the
best of them, and appends the child; the oldest leaves. With several objectives the winner is a random non-dominated one
of the drawn, or the one of the best average (``selection``), as in [3].

The search of [3] has ``founders = 5000``, ``population_size = 2500`` and ``tournament_share = 0.05``, and mutates as
the space `evonorm` says; these numbers are as remembered from the paper.

With a crossover, every other step (``crossover_share``) recombines the winners of two tournaments instead, so that
strategies can be compared that differ in this one thing:

* ``uniform`` takes each decision from either parent with chance ½, drawn again until the child is valid: the standard
  crossover of [2]. A decision that only one parent has is taken from it where the child's walk asks for it, and one
  that neither has is drawn.
* ``sep`` takes half of the edits on a shortest path between the parents' graphs [2].

Parents that differ in fewer than two decisions (``sep``: edits) leave nothing between them; then, and after 50 children
that are invalid or equal to a parent, the first winner is mutated.

[1] Real, Aggarwal, Huang and Le. Regularized evolution for image classifier architecture search. AAAI 2019.
[2] Qiu and Miikkulainen. Shortest edit path crossover. ICML 2023. arXiv 2210.14016.
[3] Liu, Brock, Simonyan and Le. Evolving normalization-activation layers. NeurIPS 2020. arXiv 2004.02967.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from numpy.random import Generator
from pydantic import Field

from automl import (
    Architecture,
    InvalidArchitecture,
    Problem,
    Proposal,
    RandomChooser,
    ReplayChooser,
    SearchSpace,
    Strategy,
    Trial,
)
from automl_plugins.strategies._crossover import sep_child
from automl_plugins.strategies._population import Population, PopulationOptions, check_selection

_REDRAWS = 50


class RegularizedEvolution(Strategy):
    """Mutate the best of a random few; the oldest member dies, not the worst."""

    is_multi_objective = True
    paper = "Real et al. Regularized evolution for image classifier architecture search. AAAI 2019."

    class Options(PopulationOptions):
        """Options of regularized evolution."""

        replace: bool = True
        """Draw the members of a tournament with replacement, as the published benchmark code does."""
        mutation: Literal["space", "one", "perturb"] = "space"
        """`one` changes one decision, as published; `perturb` changes each with the space's own rate, about one per
        role, or is the space's own mutation; `space` is the one that was published with the space, `one` as a rule."""
        must_change: Literal["architecture", "network"] = "network"
        """What a mutation must change: the `network`, so that changes of dead parts are drawn again, or only the
        `architecture`, as in the published code for tables, which list a value for each encoding."""
        reorder: bool = False
        """Re-order the nodes of the parent's graph at random before a mutation."""
        crossover: Literal["none", "uniform", "sep"] = "none"
        """How two parents are recombined."""
        crossover_share: Annotated[float, Field(gt=0, le=1)] = 0.5
        """Share of the steps that recombine, if there is a crossover; at a half, mutations and crossovers alternate."""

    options: Options

    def __init__(self, problem: Problem, options: Any = None) -> None:
        super().__init__(problem, options)
        check_selection("regularized_evolution", self.options, problem.goal)
        self.population = Population(self.options, problem.trials)

    def ask(self, rng: Generator, pending: Sequence[Trial]) -> Proposal:
        """Return a random architecture at first, then a mutated tournament winner or a child of two."""
        if self.population.is_founding(len(pending)):
            return Proposal(self.problem.space.sample(rng), note={"operator": "random"})
        if self._is_crossover(len(pending)) and (crossed := self._crossover(rng)) is not None:
            return crossed
        parent = self.population.tournament(rng, replace=self.options.replace)
        return Proposal(self._mutant(parent, rng), note={"operator": "mutation", "parents": [parent.number]})

    def tell(self, trial: Trial) -> None:
        """Append the trial; the oldest leaves."""
        self.population.add(trial)

    def _is_crossover(self, pending: int) -> bool:
        """Say whether the crossovers due by now, spread evenly over the steps, include this step."""
        share = self.options.crossover_share if self.options.crossover != "none" else 0.0
        step = self.population.steps(pending)
        return math.floor((step + 1) * share) > math.floor(step * share)

    def _crossover(self, rng: Generator) -> Proposal | None:
        """Return a child of two tournament winners, or ``None`` when nothing lies between them."""
        space = self.problem.space
        first, second = self.population.pair(rng, replace=self.options.replace)
        note = {"operator": f"{self.options.crossover}_crossover", "parents": [first.number, second.number]}
        if self.options.crossover == "uniform":
            child = uniform_child(space, first.architecture, second.architecture, rng)
            return None if child is None else Proposal(child, note=note)
        found = sep_child(space, first.architecture, second.architecture, rng)
        return None if found is None else Proposal(found[0], note={**note, "distance": found[1]})

    def _mutant(self, parent: Trial, rng: Generator) -> Architecture:
        """Mutate the parent, again until what must change has changed."""
        space, options = self.problem.space, self.options
        architecture = space.reorder(parent.architecture, rng) if options.reorder else parent.architecture
        way = space.published_mutation if options.mutation == "space" else options.mutation
        change = space.perturb if way == "perturb" else space.mutate
        child = change(architecture, rng)
        for _ in range(_REDRAWS if options.must_change == "network" else 0):
            if space.key(child) != parent.key:
                break
            child = change(architecture, rng)
        return child


def uniform_child(
    space: SearchSpace[Any], first: Architecture, second: Architecture, rng: Generator
) -> Architecture | None:
    """Return a child with each decision from either parent, or ``None`` when none was found between them."""
    shared = [name for name in first if name in second]
    apart = sum(first[name] != second[name] for name in shared) + len(first) + len(second) - 2 * len(shared)
    for _ in range(_REDRAWS if apart >= 2 else 0):
        values = {**first, **second}
        for name, is_first in zip(shared, rng.random(len(shared)) < 0.5, strict=True):
            values[name] = first[name] if is_first else second[name]
        try:
            child = space.record(ReplayChooser(values, RandomChooser(rng)))
        except InvalidArchitecture:
            continue
        if child not in (first, second):
            return child
    return None
