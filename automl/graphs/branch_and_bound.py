"""Exact, anytime edit distance by depth-first branch and bound over matchings.

Both graphs are padded with absent nodes to one size n, so that a matching is a permutation. The bound of a
partial matching is its cost plus half an assignment problem over the open nodes, whose entry (u, v) is twice
the exact cost of matching u with v (labels, edges to matched nodes) plus the least cost of the difference of
their open degrees, in and out; edges between open nodes are seen from both ends, hence the half. This is the
anchor-aware branch-matching bound of [1]. All-pairs shortest paths in the residual graph of the assignment
then give the bound of every possible next pair at once. Where the surviving pairs allow only a few matchings, all are
tried (`few_matchings`); else the node of either graph with the fewest surviving partners is matched next.

The same search is compiled where Numba is installed (`compiled`): same bounds, same order of the search nodes, same
ties. Sums of costs are exact in both when the costs are multiples of 1/1024, so they agree to the last bit; other
costs are always searched here.

[1] Chang et al. Accelerating graph similarity search via efficient GED computation. 2022.
"""

from __future__ import annotations

import math
import threading
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
from automl.graphs.few_matchings import few_matchings
from automl.graphs.kernels import Kernel, compiled_kernel
from automl.graphs.prepared import Prepared

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


class _Problem(NamedTuple):
    """The padded pair of `encoding`, as matrices.

    A pair of edges that meets *gains* what it saves against deleting one and inserting the other. Gains are sums of
    products of features (whether there is an edge; whether it has this label), so that one product of matrices counts
    those of all exchanges of two images at once.

    Attributes:
        node_costs: `(n, n)`, small by large.
        small_edges, large_edges: `(2, n, n)`, numbers of the edges to each node (the first axis: from others to it,
            and from it to others).
        edge_costs: `(kinds * kinds,)`, cost of a small edge number times ``kinds`` plus a large one.
        labels: `(labels, 1)`, edge numbers.
        weighted: `(features, n, n)`, of the small graph, times the weight of each feature.
        features: `(features, n, n)`, of the large graph.
        apart: cost of deleting all edges of one graph and inserting those of the other.
        small_free, large_free: ends of the free nodes.
    """

    costs: EditCosts
    is_integral: bool
    node_costs: Floats
    small_edges: Integers
    large_edges: Integers
    edge_costs: Floats
    labels: Integers
    weighted: Floats
    features: Floats
    apart: float
    pins: int
    small_free: int
    large_free: int

    def round_up(self, bound: Floats) -> Floats:
        """Return bounds raised to the next value that a matching can cost."""
        return np.ceil(bound - _TOLERANCE) if self.is_integral else bound

    def cost(self, images: Positions) -> float:
        """Return the cost of the complete matching ``images`` of shape `(n,)`."""
        met = np.vdot(self.weighted, self.features.take(images, 1).take(images, 2))
        return self.apart + float(self.node_costs.take(images, 1).trace() - met)


class _Child(NamedTuple):
    """A search node yet to be opened: its parent and one more pair, as indices into the parent's lists."""

    bound: float
    parent: _Open
    row: int
    column: int


class _Open(NamedTuple):
    """A partial matching: cost, open nodes, exact pair costs `(r, r)`, open degrees `(2, labels, r)`."""

    cost: float
    images: Positions
    rows: Positions
    columns: Positions
    exact: Floats
    small_degrees: Integers
    large_degrees: Integers


def branch_and_bound(
    alignment: Alignment, budget: Budget, rng: Generator | Prepared | None, kernel: Kernel = "auto"
) -> Solution:
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
    index = dict(zip(alignment.large_free, range(len(large_order)), strict=True))
    choices: list[int | None] = [index[position] for position in large_order]
    choices += [None] * (len(images) - pins - len(choices))
    chosen = dict(zip(small_order, [choices[image - pins] for image in images.tolist()[pins:]], strict=False))
    targets = [chosen[position] for position in alignment.small_free]
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
        matched = guess.take(chosen, 1)
        bound = node.cost + least + float(matched.trace())
        rounded = math.ceil(bound - _TOLERANCE) if problem.is_integral else bound
        if rounded >= self.upper - _TOLERANCE:
            return []
        images = node.images.copy()
        images[node.rows] = node.columns[chosen]
        self._try(images)
        if is_root and rounded < self.upper - _TOLERANCE:
            self._take(*_polished(problem, images, self.upper))
        if rounded >= self.upper - _TOLERANCE:
            return []
        bounds = problem.round_up(_detours(matched) + bound)
        columns, limit = node.columns[chosen], self.upper - _TOLERANCE
        survives = bounds < limit
        few = few_matchings(survives)
        if few is not None:
            for matching in few:
                images = node.images.copy()
                images[node.rows] = columns[matching]
                self._try(images)
            return []
        branch = _branch(problem, node.rows, columns, bounds, limit)
        return [_Child(bound, node, i, int(chosen[j])) for i, j, bound in branch]

    def _try(self, images: Positions) -> None:
        self._take(images, self.problem.cost(images))

    def _take(self, images: Positions, cost: float) -> None:
        if cost < self.upper - _TOLERANCE:
            self.upper, self.images = cost, images


def _branch(
    problem: _Problem, rows: Positions, columns: Positions, bounds: Floats, limit: float
) -> list[tuple[int, int, float]]:
    """Return the pairs bounded below ``limit`` of the node with the fewest of them, the dearest first, with bounds.

    None if there is no way on. Of absent nodes, which are all alike, only the first is a partner. Ties go to the node
    whose pairs have the greater bounds, then to the small graph, then to the first.
    """
    free = int(np.count_nonzero(rows < problem.small_free))
    if free == 0:
        return []
    weights = np.where(bounds < limit, _FEWER - bounds, 0.0)
    real = (columns < problem.large_free).nonzero()[0]
    if len(real) < len(rows):
        absent = (columns >= problem.large_free).nonzero()[0]
        column_scores = np.add.reduce(weights[: free + 1, real], axis=0)
        weights[:, absent[1:]] = 0.0
    else:
        column_scores = np.add.reduce(weights[: free + 1], axis=0)
    row_scores = np.add.reduce(weights[:free], axis=1)
    row = int(row_scores.argmin())
    if not row_scores[row]:
        return []
    if len(column_scores):
        place = int(column_scores.argmin())
        if not column_scores[place]:
            return []
        if column_scores[place] < row_scores[row]:
            column = int(real[place])
            found = bounds[: free + 1, column].tolist()
            partners = [(i, column, bound) for i, bound in enumerate(found) if bound < limit]
            return sorted(partners, key=_dearness)
    open_pairs = weights[row].tolist()
    partners = [(row, j, bound) for j, bound in enumerate(bounds[row].tolist()) if open_pairs[j]]
    return sorted(partners, key=_dearness)


def _dearness(child: tuple[int, int, float]) -> float:
    return -child[2]


def _orders(alignment: Alignment, rng: Generator | Prepared | None) -> tuple[list[int], list[int]]:
    """Return the free nodes of both graphs in the order of the search."""
    small, large = alignment.small_free, alignment.large_free
    if rng is None:
        return small, large
    draws = rng.random(len(small) + len(large)).tolist()
    keys = dict(zip(small, draws, strict=False)), dict(zip(large, draws[len(small) :], strict=True))
    return sorted(small, key=keys[0].__getitem__), sorted(large, key=keys[1].__getitem__)


def _problem(numbers: Integers, costs: EditCosts) -> _Problem:
    size, pins, small_free, large_free, kinds, small_count, large_count = numbers[:HEADER].tolist()
    edges = numbers[HEADER + 2 * size :].reshape(-1, 3)
    small = _adjacency(edges[:small_count], size)
    large = _adjacency(edges[small_count:], size)
    weights, labels = _features(kinds, costs)
    if kinds == 2:
        weighted, features = small[1:] * weights, large[1:].astype(np.float64)
    else:
        weighted = weights[:, None, None] * np.concatenate([small[1:] > 0, small[1:] == labels[:, :, None]])
        features = np.concatenate([large[1:] > 0, large[1:] == labels[:, :, None]]).astype(np.float64)
    nodes = numbers[HEADER : HEADER + size], numbers[HEADER + size : HEADER + 2 * size]
    return _Problem(
        costs,
        encode_costs(costs)[IS_INTEGRAL] > 0,
        _pair_costs(*nodes, costs.node_insert, costs.node_delete, costs.node_relabel),
        small,
        large,
        _edge_costs(kinds, costs),
        labels,
        weighted,
        features,
        small_count * costs.edge_delete + large_count * costs.edge_insert,
        pins,
        small_free,
        large_free,
    )


def _adjacency(edges: Integers, size: int) -> Integers:
    """Return the edge numbers of each node, `(2, n, n)`: those that come to it, and those that go from it."""
    both = np.zeros((2, size, size), dtype=np.int64)
    sources, targets, numbers = edges.T
    both[1, sources, targets] = numbers
    both[0, targets, sources] = numbers
    return both


@lru_cache(maxsize=16)
def _edge_costs(kinds: int, costs: EditCosts) -> Floats:
    kind = np.arange(kinds)
    return _pair_costs(kind, kind, costs.edge_insert, costs.edge_delete, costs.edge_substitute).ravel()


@lru_cache(maxsize=16)
def _features(kinds: int, costs: EditCosts) -> tuple[Floats, Integers]:
    """Return what two edges gain that meet, and what more if they have each label; and the numbers of the labels."""
    whole = costs.edge_delete + costs.edge_insert
    labels = np.arange(1, max(kinds, 2))[:, None]
    if kinds == 2:
        return np.array([whole]), labels
    return np.array([whole - costs.edge_substitute, *[costs.edge_substitute] * len(labels)]), labels


def _pair_costs(small: Integers, large: Integers, insert: float, delete: float, substitute: float) -> Floats:
    """Return the costs of turning each of ``small`` into each of ``large``, where 0 is nothing at all."""
    costs: Floats = (small[:, None] != large) * substitute
    if np.count_nonzero(small) < len(small) or np.count_nonzero(large) < len(large):
        costs[small == 0] = insert
        costs[:, large == 0] = delete
        costs[(small == 0)[:, None] & (large == 0)] = 0.0
    return costs


def _root(problem: _Problem) -> _Open:
    pins, size = problem.pins, len(problem.node_costs)
    pinned, free = slice(None, pins), slice(pins, None)
    small, large = problem.small_edges[:, free, free], problem.large_edges[:, free, free]
    cost, exact = 0.0, problem.node_costs[free, free]
    if pins:
        kinds = len(problem.labels) + 1
        first, second = problem.small_edges * kinds, problem.large_edges
        cost = float(problem.node_costs[pinned, pinned].trace())
        cost += float(problem.edge_costs.take(first[1, pinned, pinned] + second[1, pinned, pinned]).sum())
        meeting = first[:, free, None, pinned] + second[:, None, free, pinned]
        exact = exact + problem.edge_costs.take(meeting).sum(axis=(0, 3))
    free_nodes = np.arange(pins, size)
    return _Open(
        cost,
        np.arange(size),
        free_nodes,
        free_nodes,
        exact,
        _degrees(small[::-1], problem.labels),
        _degrees(large[::-1], problem.labels),
    )


def _degrees(edges: Integers, labels: Integers) -> Integers:
    """Return how many edges of each label leave and reach each node, `(2, labels, r)`."""
    if len(labels) == 1:
        found: Integers = np.add.reduce(edges, axis=2)[:, None]
    else:
        found = (edges[:, None] == labels[:, :, None]).sum(axis=3)
    return found


def _open(problem: _Problem, child: _Child) -> _Open:
    """Return the partial matching of the parent with one more pair."""
    parent = child.parent
    others = np.arange(len(parent.rows) - 1)
    keep_rows, keep_columns = others + (others >= child.row), others + (others >= child.column)
    row, column = parent.rows[child.row], parent.columns[child.column]
    rows, columns = parent.rows[keep_rows], parent.columns[keep_columns]
    small, large = problem.small_edges[:, row].take(rows, 1), problem.large_edges[:, column].take(columns, 1)
    added = problem.edge_costs.take((small * (len(problem.labels) + 1))[:, :, None] + large[:, None])
    exact = parent.exact.take(keep_rows, 0).take(keep_columns, 1)
    exact += added[0]
    exact += added[1]
    images = parent.images.copy()
    images[row] = column
    return _Open(
        parent.cost + float(parent.exact[child.row, child.column]),
        images,
        rows,
        columns,
        exact,
        parent.small_degrees.take(keep_rows, 2) - (small[:, None] == problem.labels),
        parent.large_degrees.take(keep_columns, 2) - (large[:, None] == problem.labels),
    )


def _bound_matrix(problem: _Problem, node: _Open) -> Floats:
    """Return what each open pair costs at least, with half of every edge between open nodes."""
    costs = problem.costs
    small, large = node.small_degrees, node.large_degrees
    if small.shape[1] == 1:
        excess = small[:, 0, :, None] - large[:, 0, None, :]
        if costs.edge_delete == costs.edge_insert:
            both = np.abs(excess, out=excess)
            halves: Floats = node.exact + (both[0] + both[1]) * (0.5 * costs.edge_delete)
            return halves
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
    rows = np.minimum.reduce(matrix, axis=1)
    matrix -= rows[:, None]
    columns = np.minimum.reduce(matrix, axis=0)
    matrix -= columns
    return matrix, float(np.add.reduce(rows) + np.add.reduce(columns))


def _detours(matched: Floats) -> Floats:
    """Return how much dearer the best assignment becomes when row i must take column j.

    ``matched`` has an optimal assignment on its diagonal. Row i takes column j, whose owner moves to another
    column, and so on until the column that i left is taken: a shortest path from j back to i.
    """
    moves = matched - matched.diagonal()[:, None]
    paths, through, middles = _room(len(moves), threading.get_ident())
    paths[:] = moves
    for to_middle, from_middle in middles:
        np.add(to_middle, from_middle, out=through)
        np.minimum(paths, through, out=paths)
    moves += paths.T
    detours: Floats = np.maximum(moves, 0.0, out=moves)
    return detours


@lru_cache(maxsize=128)
def _room(size: int, thread: int) -> tuple[Floats, Floats, list[tuple[Floats, Floats]]]:
    """Return two matrices to work in, and each column of the first with its row; ``thread`` keeps threads apart.

    Views cost as much to make as small matrices cost to add.
    """
    paths = np.empty((size, size))
    return paths, np.empty((size, size)), [(paths[:, k, None], paths[k]) for k in range(size)]


def _polished(problem: _Problem, images: Positions, cost: float) -> tuple[Positions, float]:
    """Return the matching, which costs ``cost``, and its cost after the best exchanges of two images."""
    size, pins, small_free = len(images), problem.pins, problem.small_free
    if small_free == pins:
        return images, cost
    weighted = problem.weighted
    sides = np.concatenate((weighted, weighted.transpose(0, 2, 1)), axis=2)
    between = weighted + weighted.transpose(0, 2, 1)
    for _ in range(max(_MIN_ROUNDS, _POLISH_WORK // size**3)):
        gains = _exchange_gains(problem, images, sides, between)[pins:small_free, pins:]
        row, column = divmod(int(gains.argmax()), size - pins)
        gain = float(gains[row, column])
        if gain <= _TOLERANCE:
            break
        cost -= gain
        row, column = row + pins, column + pins
        exchanged = images.copy()
        exchanged[row], exchanged[column] = images[column], images[row]
        images = exchanged
    return images, cost


def _exchange_gains(problem: _Problem, images: Positions, sides: Floats, between: Floats) -> Floats:
    """Return `(n, n)`, how much cheaper the matching becomes when nodes i and j exchange their images.

    That is the gain of each at the other's place while all else stays, corrected for the edges between the two.
    """
    met = problem.features.take(images, 1).take(images, 2)
    turned = met.transpose(0, 2, 1)
    moved = np.add.reduce(sides @ np.concatenate((turned, met), axis=1)) - problem.node_costs.take(images, 1)
    half = moved - moved.diagonal()[:, None]
    gains: Floats = half + half.T + np.add.reduce(between * (met + turned))
    return gains
