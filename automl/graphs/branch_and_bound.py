"""Exact, anytime edit distance by depth-first branch and bound over matchings.

Both graphs are padded with absent nodes to one size n, so that a matching is a permutation. The bound of a
partial matching is its cost plus half an assignment problem over the open nodes, whose entry (u, v) is twice
the exact cost of matching u with v (labels, edges to matched nodes) plus the least cost of the difference of
their open degrees, in and out; edges between open nodes are seen from both ends, hence the half. This is the
anchor-aware branch-matching bound of [1]. All-pairs shortest paths in the residual graph of the assignment
then give the bound of every possible next pair at once, and the node of either graph with the fewest surviving
partners is matched next.

The same search is compiled where Numba is installed (`compiled`): same bounds, same order of the search nodes, same
ties. Sums of costs are exact in both when the costs are multiples of 1/1024, so they agree to the last bit; other
costs are always searched here.

[1] Chang et al. Accelerating graph similarity search via efficient GED computation. 2022.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from automl.graphs.alignment import Alignment, Solution
from automl.graphs.edit_costs import EditCosts
from automl.graphs.encoding import HEADER, IS_INTEGRAL, PINS, Floats, Integers, encode, encode_costs
from automl.graphs.kernels import Kernel, compiled_kernel

Positions = NDArray[np.intp]
Marks = NDArray[np.int8]
_TOLERANCE = 1e-6
_POLISH_WORK = 50_000_000
_MIN_ROUNDS = 3
_FEWER = 2.0**20
"""Weight of one surviving partner less against the sum of their bounds, in the choice of the node to match next."""


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
    """The padded pair of `encoding`, as matrices.

    Attributes:
        node_costs: `(n, n)`, small by large.
        small: `(n, n)` adjacency, its numbers multiplied by the count of edge numbers.
        large: `(n, n)` adjacency.
        edge_costs: cost of a small edge number plus a large one.
        small_marks, large_marks: `(2, labels, n, n)`, whether there is an edge of that label, out and in.
        small_free, large_free: ends of the free nodes.
    """

    costs: EditCosts
    is_integral: bool
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
        return np.ceil(bound - _TOLERANCE) if self.is_integral else bound

    def cost(self, images: Positions) -> float:
        """Return the cost of the complete matching ``images`` of shape `(n,)`."""
        nodes = self.node_costs[np.arange(len(images)), images].sum()
        return float(nodes + self.edge_costs.take(self.large[images[:, None], images] + self.small).sum())


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


def branch_and_bound(alignment: Alignment, budget: Budget, rng: Generator | None, kernel: Kernel = "auto") -> Solution:
    """Return the best matching found within ``budget``; bounds meet when the search was completed.

    ``rng`` shuffles the free nodes first, so that the choice among optimal matchings does not follow their
    order. ``kernel`` says who searches; the answer is the same.
    """
    small_order, large_order = _orders(alignment, rng)
    numbers = encode(alignment, small_order, large_order)
    compiled = compiled_kernel(kernel, alignment.costs)
    if compiled is None:
        problem = _problem(numbers, alignment.costs)
        lower, upper, images = _Search(problem, budget).run()
    else:
        lower, upper, images = compiled.search(numbers, alignment.costs, budget)
    pins = int(numbers[PINS])
    place = {position: index for index, position in enumerate(alignment.large_free)}
    chosen = dict(zip(small_order, images.tolist()[pins:], strict=False))
    targets = [
        place[large_order[chosen[position] - pins]] if chosen[position] - pins < len(large_order) else None
        for position in alignment.small_free
    ]
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
            child = stack.pop()
            if child.bound >= self.upper - _TOLERANCE:
                continue
            if self.budget.is_spent(visited):
                return min(child.bound, *(other.bound for other in stack), self.upper), self.upper, self.images
            stack.extend(self._expand(_open(self.problem, child)))
            visited += 1
        return self.upper, self.upper, self.images

    def _expand(self, node: _Open, is_root: bool = False) -> list[_Child]:
        """Bound a search node and return its children that may hold a better matching, the best one last."""
        problem = self.problem
        guess, least = _reduced(_bound_matrix(problem, node))
        _, chosen = linear_sum_assignment(guess)
        matched = guess[:, chosen]
        bound = node.cost + least + float(matched.trace())
        if self._is_beaten(bound):
            return []
        images = node.images.copy()
        images[node.rows] = node.columns[chosen]
        self._try(images)
        if self._is_beaten(bound):
            return []
        if is_root:
            self._try(_polished(problem, images))
            if self._is_beaten(bound):
                return []
        bounds = problem.round_up(bound + _detours(matched))
        branch = _branch(problem, node.rows, node.columns[chosen], bounds, bounds < self.upper - _TOLERANCE)
        return [_Child(float(bounds[i, j]), node, i, int(chosen[j])) for i, j in branch]

    def _is_beaten(self, bound: float) -> bool:
        rounded = math.ceil(bound - _TOLERANCE) if self.problem.is_integral else bound
        return rounded >= self.upper - _TOLERANCE

    def _try(self, images: Positions) -> None:
        cost = self.problem.cost(images)
        if cost < self.upper - _TOLERANCE:
            self.upper, self.images = cost, images


def _branch(
    problem: _Problem, rows: Positions, columns: Positions, bounds: Floats, survives: NDArray[np.bool_]
) -> list[tuple[int, int]]:
    """Return the surviving pairs of the node with the fewest of them, the dearest first; none if there is no way on.

    Of absent nodes, which are all alike, only the first is a partner. Ties go to the node whose pairs have the greater
    bounds, then to the small graph, then to the first.
    """
    free = int(np.count_nonzero(rows < problem.small_free))
    if free == 0:
        return []
    real = columns < problem.large_free
    absent = (~real).nonzero()[0]
    by_row = survives[:free].copy()
    by_row[:, absent[1:]] = False
    by_column = survives[: free + 1, real]
    row_counts, column_counts = by_row.sum(axis=1), by_column.sum(axis=0)
    if not (row_counts.all() and column_counts.all()):
        return []
    row_scores = row_counts * _FEWER - np.where(by_row, bounds[:free], 0.0).sum(axis=1)
    column_scores = column_counts * _FEWER - np.where(by_column, bounds[: free + 1, real], 0.0).sum(axis=0)
    row = int(row_scores.argmin())
    if len(column_scores) and column_scores.min() < row_scores[row]:
        column = int(real.nonzero()[0][column_scores.argmin()])
        partners = survives[: free + 1, column].nonzero()[0]
        order = np.argsort(-bounds[partners, column], kind="stable")
        return [(int(partner), column) for partner in partners[order]]
    partners = by_row[row].nonzero()[0]
    order = np.argsort(-bounds[row, partners], kind="stable")
    return [(row, int(partner)) for partner in partners[order]]


def _orders(alignment: Alignment, rng: Generator | None) -> tuple[list[int], list[int]]:
    """Return the free nodes of both graphs in the order of the search."""
    small, large = alignment.small_free, alignment.large_free
    if rng is None:
        return small, large
    draws = rng.random(len(small) + len(large)).tolist()
    keys = dict(zip(small, draws, strict=False)), dict(zip(large, draws[len(small) :], strict=True))
    return sorted(small, key=keys[0].__getitem__), sorted(large, key=keys[1].__getitem__)


def _problem(numbers: Integers, costs: EditCosts) -> _Problem:
    size, pins, small_free, large_free, kinds, small_edges, _ = numbers[:HEADER].tolist()
    edges = numbers[HEADER + 2 * size :].reshape(-1, 3).T
    small = np.zeros((size, size), dtype=np.int64)
    large = np.zeros((size, size), dtype=np.int64)
    small[edges[0, :small_edges], edges[1, :small_edges]] = edges[2, :small_edges]
    large[edges[0, small_edges:], edges[1, small_edges:]] = edges[2, small_edges:]
    small_labels, large_labels = numbers[HEADER : HEADER + size], numbers[HEADER + size : HEADER + 2 * size]
    free = slice(pins, None)
    names = _labels_between(small[free, free], large[free, free], kinds)
    return _Problem(
        costs,
        bool(encode_costs(costs)[IS_INTEGRAL]),
        _pair_costs(small_labels, large_labels, costs.node_insert, costs.node_delete, costs.node_relabel),
        small * kinds,
        large,
        _edge_costs(kinds, costs),
        _marks(small, names),
        _marks(large, names),
        pins,
        small_free,
        large_free,
    )


@lru_cache(maxsize=16)
def _edge_costs(kinds: int, costs: EditCosts) -> Floats:
    kind = np.arange(kinds)
    return _pair_costs(kind, kind, costs.edge_insert, costs.edge_delete, costs.edge_substitute).ravel()


def _labels_between(small: Integers, large: Integers, kinds: int) -> Integers:
    """Return the edge numbers that occur between free nodes, at least one."""
    if kinds == 2:
        return np.array([1])
    found: Integers = np.union1d(small, large)
    return found[found > 0] if found.any() else np.array([1])


def _marks(adjacency: Integers, names: Integers) -> Marks:
    marks = np.empty((2, len(names), *adjacency.shape), dtype=np.int8)
    np.equal(adjacency, names[:, None, None], out=marks[0], casting="unsafe")
    np.equal(adjacency.T, names[:, None, None], out=marks[1], casting="unsafe")
    return marks


def _pair_costs(small: Integers, large: Integers, insert: float, delete: float, substitute: float) -> Floats:
    """Return the costs of turning each of ``small`` into each of ``large``, where 0 is nothing at all."""
    costs = np.where(small[:, None] == large, 0.0, substitute)
    if not (small.all() and large.all()):
        costs[small == 0] = insert
        costs[:, large == 0] = delete
        costs[(small == 0)[:, None] & (large == 0)] = 0.0
    return costs


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


def _reduced(matrix: Floats) -> tuple[Floats, float]:
    """Return the matrix less the least entry of each row, then of each column, and what was subtracted in all."""
    if not matrix.size:
        return matrix, 0.0
    rows = matrix.min(axis=1)
    matrix -= rows[:, None]
    columns = matrix.min(axis=0)
    matrix -= columns
    return matrix, float(rows.sum() + columns.sum())


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
