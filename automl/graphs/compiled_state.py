"""The state of a compiled search, and how loops are compiled; without Numba they are plain, and slow, Python.

Compiled code is cached beside these files, or in the user's cache folder, or not at all where neither can be written.
The first call of a new installation compiles for some tens of seconds; later processes load it in a second or two.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

from automl.graphs.encoding import (
    EDGE_DELETE,
    EDGE_INSERT,
    EDGE_SUBSTITUTE,
    HEADER,
    KINDS,
    LARGE_EDGES,
    NODE_DELETE,
    NODE_INSERT,
    NODE_RELABEL,
    PINS,
    SIZE,
    SMALL_EDGES,
    Floats,
    Integers,
)

try:
    numba: Any = importlib.import_module("numba")  # not a plain import, whose types depend on whether it is there
except ImportError:
    numba = None

Function = TypeVar("Function", bound=Callable[..., Any])

DEPTH, VISITED = range(2)
UPPER, LOWER = range(2)
IS_COMPILED = numba is not None


def compile_loop(function: Function) -> Function:
    """Return ``function`` compiled on its first call, or as it is where there is no Numba."""
    if numba is None:
        return function
    try:
        compiled = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no folder to cache in
        compiled = numba.njit(nogil=True)(function)
    return cast("Function", compiled)


class Search(NamedTuple):
    """The state of a search: the padded pair, one frame per matched pair of the current branch, and the best matching.

    Frame d has r = n - pins - d open nodes on each side; its arrays are used up to r.

    Attributes:
        sizes: the header of `encoding`.
        costs: the seven costs of `encoding`.
        node_costs: `(n, n)`, small by large.
        edge_costs: `(kinds, kinds)`, small by large.
        small, large: `(n, n)` adjacency, label numbers.
        slots: `(kinds,)`, the index of a label among those between free nodes, or -1.
        counters: depth of the branch (-1: the search is complete) and search nodes visited.
        values: upper bound, lower bound.
        best: `(n,)`, the matching that costs the upper bound.
        cost: `(depth,)`, of the pairs matched so far.
        images: `(depth, n)`, the matching so far.
        rows, columns: `(depth, r)`, open nodes.
        exact: `(depth, r, r)`, exact costs of open pairs.
        small_degrees, large_degrees: `(depth, 2, labels, r)`, open edges of each label, out and in.
        counts: `(depth,)`, children still to be searched; they lie in the three arrays that follow, the best one last.
        child_rows, child_columns, child_bounds: `(depth, r + 1)`.
        guess: `(r, r)`, what each open pair costs at least.
        bounds: `(r, r)`, the least cost of a matching that holds the pair, or more than the upper bound; columns are in
            the order of the assignment, here and in ``paths``.
        paths: `(r, r)`, room for work.
        prices, nearest: `(2, r)` prices of rows and columns in the assignment, `(r,)` room for work.
        assigned: `(2, r)`, the column of each row and the row of each column.
        queue: `(3, r)`, room for work.
        place: `(n,)`, room for work.
    """

    sizes: Integers
    costs: Floats
    node_costs: Floats
    edge_costs: Floats
    small: Integers
    large: Integers
    slots: Integers
    counters: Integers
    values: Floats
    best: Integers
    cost: Floats
    images: Integers
    rows: Integers
    columns: Integers
    exact: Floats
    small_degrees: Integers
    large_degrees: Integers
    counts: Integers
    child_rows: Integers
    child_columns: Integers
    child_bounds: Floats
    guess: Floats
    bounds: Floats
    paths: Floats
    prices: Floats
    nearest: Floats
    assigned: Integers
    queue: Integers
    place: Integers


@compile_loop
def _pair_cost(first: int, second: int, insert: float, delete: float, substitute: float) -> float:
    if first == second:
        return 0.0
    if first == 0:
        return insert
    return delete if second == 0 else substitute


@compile_loop
def _adjacency(numbers: Integers) -> tuple[Integers, Integers, Integers]:
    """Return both matrices, and the place of each label among those between free nodes (-1: it is not)."""
    size, pins, kinds = numbers[SIZE], numbers[PINS], numbers[KINDS]
    small = np.zeros((size, size), dtype=np.int64)
    large = np.zeros((size, size), dtype=np.int64)
    slots = np.full(kinds, -1, dtype=np.int64)
    place = HEADER + 2 * size
    for edge in range(numbers[SMALL_EDGES] + numbers[LARGE_EDGES]):
        source, target, label = numbers[place], numbers[place + 1], numbers[place + 2]
        place += 3
        if edge < numbers[SMALL_EDGES]:
            small[source, target] = label
        else:
            large[source, target] = label
        if source >= pins and target >= pins:
            slots[label] = 0
    labels = 0
    for kind in range(kinds):
        if slots[kind] == 0:
            slots[kind] = labels
            labels += 1
    return small, large, slots


@compile_loop
def start_search(numbers: Integers, costs: Floats) -> Search:
    """Return the state with the frame of the root, not yet searched."""
    size, kinds = numbers[SIZE], numbers[KINDS]
    width = size - numbers[PINS] + 1
    small, large, slots = _adjacency(numbers)
    labels = max(int(slots.max()) + 1, 1)
    node_costs = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            node_costs[i, j] = _pair_cost(
                numbers[HEADER + i],
                numbers[HEADER + size + j],
                costs[NODE_INSERT],
                costs[NODE_DELETE],
                costs[NODE_RELABEL],
            )
    edge_costs = np.empty((kinds, kinds))
    for i in range(kinds):
        for j in range(kinds):
            edge_costs[i, j] = _pair_cost(i, j, costs[EDGE_INSERT], costs[EDGE_DELETE], costs[EDGE_SUBSTITUTE])
    values = np.empty(2)
    values[UPPER] = math.inf
    state = Search(
        numbers[:HEADER],
        costs,
        node_costs,
        edge_costs,
        small,
        large,
        slots,
        np.zeros(2, dtype=np.int64),
        values,
        np.arange(size),
        np.zeros(width),
        np.empty((width, size), dtype=np.int64),
        np.empty((width, width), dtype=np.int64),
        np.empty((width, width), dtype=np.int64),
        np.empty((width, width, width)),
        np.zeros((width, 2, labels, width), dtype=np.int64),
        np.zeros((width, 2, labels, width), dtype=np.int64),
        np.zeros(width, dtype=np.int64),
        np.empty((width, width), dtype=np.int64),
        np.empty((width, width), dtype=np.int64),
        np.empty((width, width)),
        np.empty((width, width)),
        np.empty((width, width)),
        np.empty((width, width)),
        np.empty((2, width)),
        np.empty(width),
        np.empty((2, width), dtype=np.int64),
        np.empty((3, width), dtype=np.int64),
        np.empty(size, dtype=np.int64),
    )
    _fill_root(state)
    return state


@compile_loop
def _fill_root(state: Search) -> None:
    size, pins = state.sizes[SIZE], state.sizes[PINS]
    small, large, edge_costs, slots = state.small, state.large, state.edge_costs, state.slots
    cost = 0.0
    for i in range(pins):
        cost += state.node_costs[i, i]
        for j in range(pins):
            cost += edge_costs[small[i, j], large[i, j]]
    state.cost[0] = cost
    for i in range(size):
        state.images[0, i] = i
    for i in range(size - pins):
        state.rows[0, i] = state.columns[0, i] = pins + i
        for j in range(size - pins):
            exact = state.node_costs[pins + i, pins + j]
            for k in range(pins):
                exact += edge_costs[small[pins + i, k], large[pins + j, k]]
                exact += edge_costs[small[k, pins + i], large[k, pins + j]]
            state.exact[0, i, j] = exact
            if small[pins + i, pins + j] > 0:
                slot = slots[small[pins + i, pins + j]]
                state.small_degrees[0, 0, slot, i] += 1
                state.small_degrees[0, 1, slot, j] += 1
            if large[pins + i, pins + j] > 0:
                slot = slots[large[pins + i, pins + j]]
                state.large_degrees[0, 0, slot, i] += 1
                state.large_degrees[0, 1, slot, j] += 1
