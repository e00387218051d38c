"""Exact, anytime edit distance by depth-first branch and bound over matchings.

Both graphs are padded with absent nodes to one size n, so that a matching is a permutation. The bound of a
partial matching is its cost plus half an assignment problem over the open nodes, whose entry (u, v) is twice
the exact cost of matching u with v (labels, edges to matched nodes) plus the least cost of the difference of
their open degrees, in and out; edges between open nodes are seen from both ends, hence the half. This is the
anchor-aware branch-matching bound of [1]. All-pairs shortest paths in the residual graph of the assignment
then give the bound of every possible next pair at once, and the node with the fewest surviving partners is
matched next.

[1] Chang et al. Accelerating graph similarity search via efficient GED computation. 2022.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from automl.graphs.alignment import Alignment, Solution
from automl.graphs.arrays import Integers, pair_arrays
from automl.graphs.edit_costs import EditCosts

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]
Marks = NDArray[np.int8]
_TOLERANCE = 1e-6
_POLISH_WORK = 50_000_000
_MIN_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop: after ``nodes`` search nodes, or when ``clock`` reaches ``deadline``; None is never.

    >>> Budget(nodes=10).is_spent(9)
    False
    """

    nodes: int | None = None
    deadline: float | None = None
    clock: Callable[[], float] = time.monotonic

    def is_spent(self, visited: int) -> bool:
        """Whether no search node may follow after ``visited`` of them; the first one is always searched."""
        if visited == 0:
            return False
        if self.nodes is not None and visited >= self.nodes:
            return True
        return self.deadline is not None and self.clock() >= self.deadline


@dataclass(frozen=True, slots=True)
class _Problem:
    """The padded pair: first nodes that are matched with themselves, then free ones, then absent ones.

    Attributes:
        node_costs: `(n, n)`, small by large.
        small: `(n, n)` adjacency, its numbers multiplied by the count of edge numbers.
        large: `(n, n)` adjacency.
        edge_costs: cost of a small edge number plus a large one.
        small_marks, large_marks: `(2, labels, n, n)`, whether there is an edge of that label, out and in.
        small_free, large_free: ends of the free nodes.
    """

    costs: EditCosts
    node_costs: Floats
    small: Integers
    large: Integers
    edge_costs: Floats
    small_marks: Marks
    large_marks: Marks
    pins: int
    small_free: int
    large_free: int

    def round_up(self, bound: Floats) -> Floats:
        """Return bounds raised to the next value that a matching can cost."""
        return np.ceil(bound - _TOLERANCE) if self.costs.is_integral else bound

    def cost(self, images: Positions) -> Floats:
        """Return the costs of the complete matchings ``images`` of shape `(..., n)`."""
        size = len(self.node_costs)
        edges = self.large.ravel().take(images[..., :, None] * size + images[..., None, :])
        nodes = self.node_costs[np.arange(size), images].sum(axis=-1)
        total: Floats = nodes + self.edge_costs.take(edges + self.small).sum(axis=(-1, -2))
        return total


class _Child(NamedTuple):
    """A search node yet to be opened: its parent and one more pair, as indices into the parent's lists."""

    bound: float
    parent: _Open
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class _Open:
    """A partial matching: cost, open nodes, exact pair costs `(r, r)`, open degrees `(2, labels, r)`."""

    cost: float
    images: Positions
    rows: Positions
    columns: Positions
    exact: Floats
    small_degrees: Integers
    large_degrees: Integers


def branch_and_bound(alignment: Alignment, budget: Budget, rng: Generator | None) -> Solution:
    """Return the best matching found within ``budget``; bounds meet when the search was completed.

    ``rng`` shuffles the free nodes first, so that the choice among optimal matchings does not follow their
    order.
    """
    small_order, large_order = _orders(alignment, rng)
    problem = _pad(alignment, small_order, large_order)
    lower, upper, images = _Search(problem, budget).run()
    pins = problem.pins
    place = {position: index for index, position in enumerate(alignment.large_free)}
    targets: list[int | None] = [None] * len(small_order)
    source_place = {position: index for index, position in enumerate(alignment.small_free)}
    for index, position in enumerate(small_order):
        image = int(images[pins + index]) - pins
        targets[source_place[position]] = place[large_order[image]] if image < len(large_order) else None
    return Solution(lower, upper, targets)


class _Search:
    """One run of the depth-first search; ``upper`` and ``images`` are the best matching so far."""

    def __init__(self, problem: _Problem, budget: Budget) -> None:
        self.problem = problem
        self.budget = budget
        self.upper = math.inf
        self.images: Positions = np.arange(len(problem.node_costs))

    def run(self) -> tuple[float, float, Positions]:
        """Return lower bound, upper bound and the matching that costs the upper bound."""
        stack = self._expand(_root(self.problem), is_root=True)
        visited = 1
        while stack:
            if self.budget.is_spent(visited):
                return min(self.upper, min(child.bound for child in stack)), self.upper, self.images
            child = stack.pop()
            if child.bound < self.upper - _TOLERANCE:
                stack.extend(self._expand(_open(self.problem, child)))
                visited += 1
        return self.upper, self.upper, self.images

    def _expand(self, node: _Open, is_root: bool = False) -> list[_Child]:
        """Bound a search node and return its children that may hold a better matching, the best one last."""
        problem = self.problem
        guess = _bound_matrix(problem, node)
        _, chosen = linear_sum_assignment(guess)
        matched = guess[:, chosen]
        bound = node.cost + float(matched.trace())
        images = node.images.copy()
        images[node.rows] = node.columns[chosen]
        self._try(images)
        if float(problem.round_up(np.array(bound))) >= self.upper - _TOLERANCE:
            return []
        if is_root:
            self._try(_polished(problem, images))
        free = int(np.count_nonzero(node.rows < problem.small_free))
        bounds = problem.round_up(bound + _detours(matched)[:free])
        survives = bounds < self.upper - _TOLERANCE
        absent = node.columns[chosen] >= problem.large_free
        survives[:, absent.nonzero()[0][1:]] = False
        counts = survives.sum(axis=1)
        if free == 0 or not counts.all():
            return []
        row = int(counts.argmin())
        columns = survives[row].nonzero()[0]
        columns = columns[np.argsort(-bounds[row, columns], kind="stable")]
        return [_Child(float(bounds[row, i]), node, row, int(chosen[i])) for i in columns]

    def _try(self, images: Positions) -> None:
        cost = float(self.problem.cost(images))
        if cost < self.upper - _TOLERANCE:
            self.upper, self.images = cost, images


def _orders(alignment: Alignment, rng: Generator | None) -> tuple[list[int], list[int]]:
    """Return the free nodes of both graphs in the order of the search."""
    if rng is None:
        return alignment.small_free, alignment.large_free
    small = rng.permutation(len(alignment.small_free)).tolist()
    large = rng.permutation(len(alignment.large_free)).tolist()
    return [alignment.small_free[i] for i in small], [alignment.large_free[i] for i in large]


def _pad(alignment: Alignment, small_order: list[int], large_order: list[int]) -> _Problem:
    costs = alignment.costs
    pairs = [
        *alignment.pinned,
        *((position, -1) for position in alignment.small_alone),
        *((-1, position) for position in alignment.large_alone),
    ]
    slots = len(large_order) + (0 if costs.favours_substitution else len(small_order))
    small_arrays, large_arrays = pair_arrays(alignment.small, alignment.large)
    small_labels, small = small_arrays.arranged(
        [*(pair[0] for pair in pairs), *small_order, *([-1] * (slots - len(small_order)))]
    )
    large_labels, large = large_arrays.arranged(
        [*(pair[1] for pair in pairs), *large_order, *([-1] * (slots - len(large_order)))]
    )
    kinds = len(small_arrays.tables.edges) + 1
    free = slice(len(pairs), None)
    names = _labels_between(small[free, free], large[free, free], kinds)
    numbers = np.arange(kinds)
    edge_costs = _pair_costs(numbers, numbers, costs.edge_insert, costs.edge_delete, costs.edge_substitute)
    return _Problem(
        costs,
        _pair_costs(small_labels, large_labels, costs.node_insert, costs.node_delete, costs.node_relabel),
        small * kinds,
        large,
        edge_costs.ravel(),
        _marks(small, names),
        _marks(large, names),
        len(pairs),
        len(pairs) + len(small_order),
        len(pairs) + len(large_order),
    )


def _labels_between(small: Integers, large: Integers, kinds: int) -> Integers:
    """Return the edge numbers that occur between free nodes, at least one."""
    if kinds == 2:
        return np.array([1])
    found: Integers = np.union1d(small, large)
    return found[found > 0] if found.any() else np.array([1])


def _marks(adjacency: Integers, names: Integers) -> Marks:
    labels = names[:, None, None]
    return np.stack([np.equal(adjacency, labels), np.equal(adjacency.T, labels)]).astype(np.int8)


def _pair_costs(small: Integers, large: Integers, insert: float, delete: float, substitute: float) -> Floats:
    """Return the costs of turning each of ``small`` into each of ``large``, where 0 is nothing at all."""
    costs = np.where(small[:, None] == large, 0.0, substitute)
    costs = np.where((small[:, None] == 0) & (large != 0), insert, costs)
    return np.where((small[:, None] != 0) & (large == 0), delete, costs)


def _root(problem: _Problem) -> _Open:
    pins, size = problem.pins, len(problem.node_costs)
    pinned, free = slice(None, pins), slice(pins, None)
    edges, small, large = problem.edge_costs, problem.small, problem.large
    cost = problem.node_costs[pinned, pinned].trace()
    cost += edges.take(small[pinned, pinned] + large[pinned, pinned]).sum()
    exact = problem.node_costs[free, free] + (
        edges.take(small[free, None, pinned] + large[None, free, pinned]).sum(axis=2)
        + edges.take(small.T[free, None, pinned] + large.T[None, free, pinned]).sum(axis=2)
    )
    return _Open(
        float(cost),
        np.arange(size),
        np.arange(pins, size),
        np.arange(pins, size),
        exact,
        problem.small_marks[:, :, free, free].sum(axis=-1, dtype=np.int64),
        problem.large_marks[:, :, free, free].sum(axis=-1, dtype=np.int64),
    )


def _open(problem: _Problem, child: _Child) -> _Open:
    """Return the partial matching of the parent with one more pair."""
    parent = child.parent
    keep_rows, keep_columns = np.arange(len(parent.rows) - 1), np.arange(len(parent.rows) - 1)
    keep_rows[child.row :] += 1
    keep_columns[child.column :] += 1
    row, column = parent.rows[child.row], parent.columns[child.column]
    rows, columns = parent.rows[keep_rows], parent.columns[keep_columns]
    edges, small, large = problem.edge_costs, problem.small, problem.large
    exact = parent.exact[keep_rows[:, None], keep_columns]
    exact += edges.take(small[rows, row][:, None] + large[columns, column])
    exact += edges.take(small[row, rows][:, None] + large[column, columns])
    images = parent.images.copy()
    images[row] = column
    return _Open(
        parent.cost + float(parent.exact[child.row, child.column]),
        images,
        rows,
        columns,
        exact,
        parent.small_degrees[:, :, keep_rows] - problem.small_marks[:, :, rows, row],
        parent.large_degrees[:, :, keep_columns] - problem.large_marks[:, :, columns, column],
    )


def _bound_matrix(problem: _Problem, node: _Open) -> Floats:
    """Return what each open pair costs at least, with half of every edge between open nodes."""
    costs = problem.costs
    small, large = node.small_degrees, node.large_degrees
    if small.shape[1] == 1:
        excess = small[:, 0, :, None] - large[:, 0, None, :]
        degree = np.maximum(excess * costs.edge_delete, excess * -costs.edge_insert)
    else:
        small_all, large_all = small.sum(axis=1)[:, :, None], large.sum(axis=1)[:, None, :]
        excess = small_all - large_all
        common = np.zeros_like(excess)
        for label in range(small.shape[1]):
            common += np.minimum(small[:, label, :, None], large[:, label, None, :])
        degree = np.maximum(excess * costs.edge_delete, excess * -costs.edge_insert)
        degree += (np.minimum(small_all, large_all) - common) * costs.edge_substitute
    matrix: Floats = node.exact + 0.5 * (degree[0] + degree[1])
    return matrix


def _detours(matched: Floats) -> Floats:
    """Return how much dearer the best assignment becomes when row i must take column j.

    ``matched`` has an optimal assignment on its diagonal. Row i takes column j, whose owner moves to another
    column, and so on until the column that i left is taken: a shortest path from j back to i.
    """
    moves = matched - matched.diagonal()[:, None]
    paths = moves.copy()
    for middle in range(len(moves)):
        np.minimum(paths, paths[:, middle, None] + paths[middle], out=paths)
    detours: Floats = np.maximum(moves + paths.T, 0.0)
    return detours


def _polished(problem: _Problem, images: Positions) -> Positions:
    """Return the matching after the best exchange of two images, again and again while one helps."""
    free = slice(problem.pins, problem.small_free), slice(problem.pins, None)
    rounds = max(_MIN_ROUNDS, _POLISH_WORK // max(len(images), 1) ** 3)
    for _ in range(rounds if problem.small_free > problem.pins else 0):
        gains = _exchange_costs(problem, images)[free]
        row, column = divmod(int(gains.argmin()), gains.shape[1])
        if gains[row, column] >= -_TOLERANCE:
            break
        exchanged = images.copy()
        exchanged[problem.pins + row] = images[problem.pins + column]
        exchanged[problem.pins + column] = images[problem.pins + row]
        images = exchanged
    return images


def _exchange_costs(problem: _Problem, images: Positions) -> Floats:
    """Return `(n, n)`, how much dearer the matching becomes when nodes i and j exchange their images.

    That is the cost of each at the other's place while all else stays, corrected for the edges between the two.
    """
    costs, small = problem.edge_costs, problem.small
    large = problem.large[images[:, None], images]
    moved = (
        problem.node_costs[:, images]
        + costs.take(small[:, None, :] + large[None, :, :]).sum(axis=2)
        + costs.take(small.T[:, None, :] + large.T[None, :, :]).sum(axis=2)
    )
    alone = costs.take(small) + costs.take(large)
    half = moved + costs.take(small + large) + costs.take(small + large.T) - 2 * alone
    own = moved.diagonal()
    difference: Floats = half + half.T - own[:, None] - own
    return difference
