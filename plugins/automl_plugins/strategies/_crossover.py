"""Shortest-edit-path crossover [1] of two architectures, for every strategy that recombines.

Each cell of one parent is aligned with its counterpart in the other by their exact edit distance; the child takes a
random share of all edits on the way. The distance of two architectures is the sum over their cells.

[1] Qiu and Miikkulainen. Shortest edit path crossover: a theory-driven solution to the permutation problem in
    evolutionary neural architecture search. ICML 2023. arXiv 2210.14016.
"""

from __future__ import annotations

from typing import Any

from numpy.random import Generator

from automl import Architecture, EditPath, InvalidArchitecture, SearchSpace, sample_jointly


def sep_child(
    space: SearchSpace[Any],
    first: Architecture,
    second: Architecture,
    rng: Generator,
    *,
    rate: float = 0.5,
    max_children: int = 50,
    node_budget: int | None = 20_000,
) -> tuple[Architecture, float] | None:
    """Return a child and the distance of its parents, or ``None`` when nothing (valid) lies between them.

    The edit paths are solved once; what is drawn again, while children are invalid, is only the subset of edits.

    Args:
        rate: share of the edits that the child takes, rounded up to a whole number.
        max_children: draws before it gives up.
        node_budget: search nodes for the distance of one pair of cells; beyond it the path may be longer than the
            shortest.
    """
    pairs = list(zip(space.graphs_of(first), space.graphs_of(second), strict=True))
    if sum(len(one) for one, _ in pairs) < sum(len(two) for _, two in pairs):
        pairs = [(two, one) for one, two in pairs]
    paths = [EditPath.between(one, two, rng=rng, node_budget=node_budget, base="first") for one, two in pairs]
    distance = sum(path.distance for path in paths)
    if distance < 2:
        return None
    for _ in range(max_children):
        try:
            return space.architecture_of_graphs(sample_jointly(paths, rng, rate), rng), float(distance)
        except InvalidArchitecture:
            continue
    return None
