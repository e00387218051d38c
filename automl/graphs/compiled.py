"""The loops of `branch_and_bound` and `enumeration` for Numba; without it they are plain, and slow, Python.

They do what the NumPy code does, in the same order and with the same ties, so that both give the same answer to the
last bit. That includes the assignment: shortest augmenting paths as in SciPy's ``linear_sum_assignment`` [1], with
the same choice among equally near columns.

[1] Crouse. On implementing 2D rectangular assignment algorithms. 2016.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl.graphs.compiled_polish import polish
from automl.graphs.compiled_state import DEPTH, IS_COMPILED, LOWER, UPPER, VISITED, Search, compile_loop, start_search
from automl.graphs.edit_costs import EditCosts
from automl.graphs.encoding import (
    EDGE_DELETE,
    EDGE_INSERT,
    EDGE_SUBSTITUTE,
    IS_INTEGRAL,
    LARGE_FREE,
    PINS,
    SIZE,
    SMALL_FREE,
    Floats,
    Integers,
    encode_costs,
)
from automl.graphs.few_matchings import MAX_BITS, MAX_MATCHINGS, MAX_STEPS

__all__ = ["IS_COMPILED", "best_matchings", "search"]

_TOLERANCE = 1e-6
_TIE = 1e-9
_FEWER = 2.0**20


def search(numbers: Integers, costs: EditCosts, budget: Any) -> tuple[float, float, Integers]:
    """Return lower bound, upper bound and matching of a pair in the form of `encoding`; see `branch_and_bound`.

    ``budget`` is a `Budget`. Its clock is read before every search node, as by the NumPy code.
    """
    if budget.deadline is None:
        lower, upper, images = search_numbers(
            numbers, encode_costs(costs), -1 if budget.nodes is None else budget.nodes
        )
        return lower, upper, images
    state = start_search(numbers, encode_costs(costs))
    visited = 1
    while _advance(state, visited) and not budget.is_spent(visited):
        visited += 1
    return float(state.values[LOWER]), float(state.values[UPPER]), state.best


def best_matchings(
    pairs: NDArray[np.intp], rows: NDArray[np.intp], offsets: Sequence[int], gains: Floats
) -> tuple[float, Integers]:
    """Return the greatest gain of a matching, and the indices of all matchings that attain it; see `enumeration`."""
    best, ties = _best_matchings(pairs, rows, np.array(offsets, dtype=np.int64), gains)
    return best, ties


@compile_loop
def search_numbers(numbers: Integers, costs: Floats, limit: int) -> tuple[float, float, Integers]:
    state = start_search(numbers, costs)
    _advance(state, limit)
    return state.values[LOWER], state.values[UPPER], state.best


@compile_loop
def _advance(state: Search, limit: int) -> bool:
    """Search until ``limit`` nodes were visited, if that is not negative; return whether any is left to visit."""
    counters, values = state.counters, state.values
    if counters[VISITED] == 0:
        _expand(state, 0)
        counters[VISITED] = 1
    depth = counters[DEPTH]
    while depth >= 0:
        last = state.counts[depth] - 1
        if last < 0:
            depth -= 1
            continue
        if state.child_bounds[depth, last] >= values[UPPER] - _TOLERANCE:
            state.counts[depth] = last
            continue
        if 0 <= limit <= counters[VISITED]:
            break
        state.counts[depth] = last
        _open(state, depth, state.child_rows[depth, last], state.child_columns[depth, last])
        depth += 1
        _expand(state, depth)
        counters[VISITED] += 1
    counters[DEPTH] = depth
    lower = values[UPPER]
    for level in range(depth + 1):
        for child in range(state.counts[level]):
            lower = min(lower, state.child_bounds[level, child])
    values[LOWER] = lower
    return bool(depth >= 0)


@compile_loop
def _open(state: Search, depth: int, row: int, column: int) -> None:
    """Fill frame ``depth + 1``: the matching of frame ``depth`` with one more pair, as indices of open nodes."""
    size = state.sizes[SIZE]
    count = size - state.sizes[PINS] - depth
    small, large, edge_costs = state.small, state.large, state.edge_costs
    node, image = state.rows[depth, row], state.columns[depth, column]
    after = depth + 1
    for i in range(size):
        state.images[after, i] = state.images[depth, i]
    state.images[after, node] = image
    state.cost[after] = state.cost[depth] + state.exact[depth, row, column]
    for i in range(count - 1):
        state.rows[after, i] = state.rows[depth, i + (i >= row)]
        state.columns[after, i] = state.columns[depth, i + (i >= column)]
    outs, backs = state.queue[0], state.queue[1]
    for j in range(count - 1):
        outs[j] = large[state.columns[after, j], image]
        backs[j] = large[image, state.columns[after, j]]
    for i in range(count - 1):
        other = state.rows[after, i]
        out, back = edge_costs[small[other, node]], edge_costs[small[node, other]]
        exact, before = state.exact[after, i], state.exact[depth, i + (i >= row)]
        for j in range(column):
            exact[j] = before[j] + out[outs[j]] + back[backs[j]]
        for j in range(column, count - 1):
            exact[j] = before[j + 1] + out[outs[j]] + back[backs[j]]
    _open_degrees(state.small_degrees, state.slots, small, state.rows, depth, count, row, node)
    _open_degrees(state.large_degrees, state.slots, large, state.columns, depth, count, column, image)


@compile_loop
def _open_degrees(
    degrees: Integers,
    slots: Integers,
    adjacency: Integers,
    nodes: Integers,
    depth: int,
    count: int,
    index: int,
    node: int,
) -> None:
    after = depth + 1
    for way in range(2):
        for label in range(degrees.shape[2]):
            for i in range(count - 1):
                degrees[after, way, label, i] = degrees[depth, way, label, i + (i >= index)]
    for i in range(count - 1):
        other = nodes[after, i]
        if adjacency[other, node] > 0:
            degrees[after, 0, slots[adjacency[other, node]], i] -= 1
        if adjacency[node, other] > 0:
            degrees[after, 1, slots[adjacency[node, other]], i] -= 1


@compile_loop
def _expand(state: Search, depth: int) -> None:
    """Bound frame ``depth``, try the matching of its bound, and list the children that may hold a better one."""
    size = state.sizes[SIZE]
    count = size - state.sizes[PINS] - depth
    state.counts[depth] = 0
    _fill_guess(state, depth, count)
    bound = state.cost[depth] + _reduce(state, count)
    if _round_up(bound, state.costs[IS_INTEGRAL]) >= state.values[UPPER] - _TOLERANCE:
        return
    _assign(state, count)
    chosen = state.assigned[0]
    for i in range(count):
        bound += state.guess[i, chosen[i]]
    rounded = _round_up(bound, state.costs[IS_INTEGRAL])
    if rounded >= state.values[UPPER] - _TOLERANCE:
        return
    images = state.images[depth].copy()
    for i in range(count):
        images[state.rows[depth, i]] = state.columns[depth, chosen[i]]
    _try(state, depth, count, images)
    if rounded >= state.values[UPPER] - _TOLERANCE:
        return
    if depth == 0:
        polish(state, images)
        _try(state, depth, count, images)
        if rounded >= state.values[UPPER] - _TOLERANCE:
            return
    _fill_bounds(state, bound, count)
    _branch(state, depth, count)


@compile_loop
def _round_up(bound: float, is_integral: float) -> float:
    return math.ceil(bound - _TOLERANCE) * 1.0 if is_integral else bound


@compile_loop
def _try(state: Search, depth: int, count: int, images: Integers) -> None:
    """Keep ``images``, which complete the matching of frame ``depth``, if they cost less than the best matching."""
    small, large, edge_costs, rows = state.small, state.large, state.edge_costs, state.rows[depth]
    exact, place, limit = state.exact[depth], state.place, state.values[UPPER] - _TOLERANCE
    for j in range(count):
        place[state.columns[depth, j]] = j
    cost = state.cost[depth]
    for i in range(count):
        cost += exact[i, place[images[rows[i]]]]
    for i in range(count):
        if cost >= limit:
            return
        node, image = rows[i], images[rows[i]]
        for j in range(count):
            cost += edge_costs[small[node, rows[j]], large[image, images[rows[j]]]]
    if cost < limit:
        state.values[UPPER] = cost
        state.best[:] = images


@compile_loop
def _fill_guess(state: Search, depth: int, count: int) -> None:
    """Write what each open pair costs at least, with half of every edge between open nodes, into ``guess``."""
    insert, delete, substitute = state.costs[EDGE_INSERT], state.costs[EDGE_DELETE], state.costs[EDGE_SUBSTITUTE]
    small, large = state.small_degrees[depth], state.large_degrees[depth]
    exact, guess = state.exact[depth], state.guess
    labels = small.shape[1]
    for i in range(count):
        for j in range(count):
            guess[i, j] = exact[i, j]
    for way in range(2):
        for i in range(count):
            for j in range(count):
                if labels == 1:
                    excess = small[way, 0, i] - large[way, 0, j]
                    guess[i, j] += 0.5 * max(excess * delete, -excess * insert)
                    continue
                small_all, large_all, common = 0, 0, 0
                for label in range(labels):
                    one, two = small[way, label, i], large[way, label, j]
                    small_all += one
                    large_all += two
                    common += min(one, two)
                excess = small_all - large_all
                degree = max(excess * delete, -excess * insert)
                guess[i, j] += 0.5 * (degree + (min(small_all, large_all) - common) * substitute)


@compile_loop
def _reduce(state: Search, count: int) -> float:
    """Subtract the least entry of each row of ``guess``, then of each column; return what was subtracted in all."""
    guess, least = state.guess, state.nearest
    total = 0.0
    for j in range(count):
        least[j] = math.inf
    for i in range(count):
        smallest = guess[i, 0]
        for j in range(1, count):
            smallest = guess[i, j] if guess[i, j] < smallest else smallest
        total += smallest
        for j in range(count):
            entry = guess[i, j] - smallest
            guess[i, j] = entry
            least[j] = entry if entry < least[j] else least[j]
    for j in range(count):
        total += least[j]
    for i in range(count):
        for j in range(count):
            guess[i, j] -= least[j]
    return total


@compile_loop
def _assign(state: Search, count: int) -> None:
    """Assign the ``count`` first rows of ``guess``, which is not negative, to columns as cheaply as possible.

    SciPy scans from the first open column to the last. Among equally near columns it takes the last free one or, if
    none is free, the first. Scanned from behind, that lets a path end at a free column as near as can be.
    """
    costs, nearest = state.guess, state.nearest
    row_prices, column_prices = state.prices[0], state.prices[1]
    column_of, row_of = state.assigned[0], state.assigned[1]
    before, remaining, reached = state.queue[0], state.queue[1], state.queue[2]
    for k in range(count):
        row_prices[k] = column_prices[k] = 0.0
        row_of[k] = -1
    for start in range(count):
        for k in range(count):
            remaining[k] = count - k - 1
            nearest[k] = math.inf
        left, row, sink, distance, seen = count, start, -1, 0.0, 0
        while sink < 0:
            best, shortest, is_free, offset = -1, math.inf, False, distance - row_prices[row]
            for k in range(left - 1, -1, -1):
                column = remaining[k]
                length = costs[row, column] - column_prices[column] + offset
                if length < nearest[column]:
                    before[column] = row
                    nearest[column] = length
                else:
                    length = nearest[column]
                if length < shortest or (length == shortest and not is_free):
                    shortest, best, is_free = length, k, row_of[column] < 0
                    if is_free and length == distance:
                        break
            distance = shortest
            column = remaining[best]
            reached[seen] = column
            seen += 1
            if is_free:
                sink = column
            else:
                row = row_of[column]
            left -= 1
            remaining[best] = remaining[left]
        row_prices[start] += distance
        for k in range(seen):
            column = reached[k]
            if row_of[column] >= 0:
                row_prices[row_of[column]] += distance - nearest[column]
            column_prices[column] -= distance - nearest[column]
        row = -1
        while row != start:
            row = before[sink]
            row_of[sink] = row
            following = column_of[row] if row != start else -1
            column_of[row] = sink
            sink = following


@compile_loop
def _fill_bounds(state: Search, bound: float, count: int) -> None:
    """Write the bound of each next pair, columns in the order of the assignment, into ``bounds``.

    Row i takes column j, whose owner moves to another column, and so on until the column that i left is taken: a
    shortest path from j back to i. By the prices of the assignment no step is negative, so that a path that alone is
    too dear leads nowhere.
    """
    costs, paths, bounds, chosen = state.guess, state.paths, state.bounds, state.assigned[0]
    slack = state.values[UPPER] - bound
    for i in range(count):
        for j in range(count):
            column = chosen[j]
            paths[i, j] = bounds[i, j] = costs[i, column] - state.prices[0, i] - state.prices[1, column]
    for middle in range(count):
        for i in range(count):
            first = paths[i, middle]
            if first >= slack or i == middle:
                continue
            for j in range(count):
                length = first + paths[middle, j]
                paths[i, j] = length if length < paths[i, j] else paths[i, j]
    is_integral = state.costs[IS_INTEGRAL]
    for i in range(count):
        for j in range(count):
            bounds[i, j] = _round_up(bound + bounds[i, j] + paths[j, i], is_integral)


@compile_loop
def _try_few(state: Search, depth: int, count: int, masks: Integers) -> bool:
    """Try all complete matchings of surviving pairs if they are few, and return whether they were."""
    options, taken = np.zeros(count + 1, dtype=np.int64), np.zeros(count + 1, dtype=np.int64)
    columns = np.empty((MAX_MATCHINGS + 1, count), dtype=np.int64)
    found, row, used, steps = 0, 0, 0, 0
    options[0] = masks[0]
    while row >= 0:
        left = options[row]
        if left == 0:
            row -= 1
            used ^= taken[row]
            continue
        steps += 1
        bit = left & -left
        options[row] = left ^ bit
        taken[row] = bit
        if row < count - 1:
            used |= bit
            row += 1
            options[row] = masks[row] & ~used
        else:
            for i in range(count):
                column = 0
                while taken[i] >> column > 1:
                    column += 1
                columns[found, i] = column
            found += 1
        if steps > MAX_STEPS or found > MAX_MATCHINGS:
            return False
    images = state.images[depth].copy()
    for k in range(found):
        for i in range(count):
            images[state.rows[depth, i]] = state.columns[depth, state.assigned[0, columns[k, i]]]
        _try(state, depth, count, images)
    return True


@compile_loop
def _branch(state: Search, depth: int, count: int) -> None:
    """List the surviving pairs of the node with the fewest of them as children; none if there is no way on."""
    rows, columns, bounds, chosen = state.rows[depth], state.columns[depth], state.bounds, state.assigned[0]
    small_free, large_free = state.sizes[SMALL_FREE], state.sizes[LARGE_FREE]
    limit = state.values[UPPER] - _TOLERANCE
    free, absent, survivors = 0, -1, 0
    is_real = np.empty(count, dtype=np.bool_)
    for i in range(count):
        free += rows[i] < small_free
        is_real[i] = columns[chosen[i]] < large_free
        if absent < 0 and not is_real[i]:
            absent = i
    if free == 0:
        return
    scores, masks = np.zeros(count), np.zeros(count, dtype=np.int64)
    best_row, best_column, best_score = -1, -1, math.inf
    for i in range(count):
        score, mask = 0.0, 0
        for j in range(count):
            if bounds[i, j] < limit:
                weight = _FEWER - bounds[i, j]
                mask |= 1 << (j & 63)
                survivors += 1
                score += weight if is_real[j] or j == absent else 0.0
                scores[j] += weight if i <= free else 0.0
        masks[i] = mask
        if i < free:
            if score == 0.0:
                return
            if score < best_score:
                best_row, best_score = i, score
    for j in range(count):
        if is_real[j]:
            if scores[j] == 0.0:
                return
            if scores[j] < best_score:
                best_column, best_score = j, scores[j]
    if count <= MAX_BITS and survivors <= 2 * count and _try_few(state, depth, count, masks):
        return
    if best_column >= 0:
        for i in range(min(free + 1, count)):
            if bounds[i, best_column] < limit:
                _add_child(state, depth, i, chosen[best_column], bounds[i, best_column])
        return
    for j in range(count):
        if bounds[best_row, j] < limit and (is_real[j] or j == absent):
            _add_child(state, depth, best_row, chosen[j], bounds[best_row, j])


@compile_loop
def _add_child(state: Search, depth: int, row: int, column: int, bound: float) -> None:
    """Insert a child behind those that are as dear or dearer."""
    place = state.counts[depth]
    state.counts[depth] += 1
    while place > 0 and state.child_bounds[depth, place - 1] < bound:
        state.child_rows[depth, place] = state.child_rows[depth, place - 1]
        state.child_columns[depth, place] = state.child_columns[depth, place - 1]
        state.child_bounds[depth, place] = state.child_bounds[depth, place - 1]
        place -= 1
    state.child_rows[depth, place] = row
    state.child_columns[depth, place] = column
    state.child_bounds[depth, place] = bound


@compile_loop
def _best_matchings(
    pairs: NDArray[np.intp], rows: NDArray[np.intp], offsets: Integers, gains: Floats
) -> tuple[float, Integers]:
    totals = np.zeros(pairs.shape[1])
    for term in range(len(rows)):
        row, offset = pairs[rows[term]], offsets[term]
        for i in range(len(totals)):
            totals[i] += gains[row[i] + offset]
    best = totals.max()
    return best, (totals >= best - _TIE).nonzero()[0]
