"""Strategy ``sep_crossover``: aging evolution with shortest-edit-path crossover [1].

Position-wise crossover breaks substructures that parents share under another node order. This one aligns the parents
first: it solves their graph edit distance exactly, and the child takes a random half of the edits on a shortest path
from one parent to the other. Mutation and crossover alternate strictly.

Where we deviate from [1]: an edit drawn without the ones it needs brings them along (the authors' code drops it), so
that the child's distances to its parents always add up; the population follows the budget instead of being 100; when no
child is found (parents at distance 0 or 1, or 50 invalid children) the parent is mutated instead of skipping the step.
Children are decoded with random order among unordered nodes, and parents are re-ordered likewise before a mutation:
with a frozen order, upper-triangular mutation could never add an edge against it. Where a space has several cells, each
is aligned with its counterpart, the distance is the sum, and the edits are drawn over all cells together.

[1] Qiu and Miikkulainen. Shortest edit path crossover: a theory-driven solution to the permutation problem in
    evolutionary neural architecture search. ICML 2023. arXiv 2210.14016. A US patent application on the operator was
    published (20250131285). Written from the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from numpy.random import Generator
from pydantic import Field

from automl import Problem, Proposal, Strategy, Trial
from automl_plugins.strategies._crossover import sep_child
from automl_plugins.strategies._population import Population, PopulationOptions, check_selection

_REDRAWS = 10


class SepCrossover(Strategy):
    """Recombine two architectures half-way along a shortest edit path of their graphs; every other step mutates."""

    is_multi_objective = True
    paper = "Qiu and Miikkulainen. Shortest edit path crossover. ICML 2023. arXiv 2210.14016."

    class Options(PopulationOptions):
        """Options of shortest-edit-path crossover."""

        rate: Annotated[float, Field(gt=0, lt=1)] = 0.5
        """Share of the edits between the parents that the child takes."""
        mutation: Literal["perturb", "one"] = "perturb"
        """`perturb` changes each decision with the space's own rate, about one per role, as published; `one` changes
        one."""
        max_children: Annotated[int, Field(ge=1)] = 50
        """Children drawn from one path before the crossover is given up for a mutation."""
        node_budget: Annotated[int, Field(ge=1)] | None = 20_000
        """Search nodes for one edit distance. Graphs of up to about 20 nodes are solved exactly within it; beyond, the
        path may be longer than the shortest."""

    options: Options

    def __init__(self, problem: Problem, options: Any = None) -> None:
        super().__init__(problem, options)
        check_selection("sep_crossover", self.options, problem.goal)
        self.population = Population(self.options, problem.trials)

    def ask(self, rng: Generator, pending: Sequence[Trial]) -> Proposal:
        """Return a random architecture at first, then in turn a mutation and a crossover."""
        if self.population.is_founding(len(pending)):
            return Proposal(self.problem.space.sample(rng), note={"operator": "random"})
        is_crossover = self.population.steps(len(pending)) % 2 == 1
        if is_crossover and (crossed := self._crossover(rng)) is not None:
            return crossed
        return self._mutation(rng)

    def tell(self, trial: Trial) -> None:
        """Append the trial; the oldest leaves."""
        self.population.add(trial)

    def _mutation(self, rng: Generator) -> Proposal:
        space = self.problem.space
        parent = self.population.tournament(rng)
        ordered = space.reorder(parent.architecture, rng)
        change = space.perturb if self.options.mutation == "perturb" else space.mutate
        return Proposal(change(ordered, rng), note={"operator": "mutation", "parents": [parent.number]})

    def _crossover(self, rng: Generator) -> Proposal | None:
        """Return a child of two tournament winners, or ``None`` when nothing lies between them."""
        first, second = self._parents(rng)
        found = sep_child(
            self.problem.space,
            first.architecture,
            second.architecture,
            rng,
            rate=self.options.rate,
            max_children=self.options.max_children,
            node_budget=self.options.node_budget,
        )
        if found is None:
            return None
        child, distance = found
        note = {"operator": "sep_crossover", "parents": [first.number, second.number], "distance": distance}
        return Proposal(child, note=note)

    def _parents(self, rng: Generator) -> tuple[Trial, Trial]:
        for _ in range(_REDRAWS):
            first = self.population.tournament(rng)
            second = self.population.tournament(rng)
            if first.key != second.key:
                break
        return first, second
