"""The loops of `crossover` for Numba: all between reading two graphs and writing their child, in one call.

They do what the Python code does, number for number, so that both give the same child.
"""

from __future__ import annotations

import math

import numpy as np

from automl.graphs.compiled_matching import HEAD, match_graphs
from automl.graphs.compiled_state import compile_loop
from automl.graphs.edit_costs import EditCosts
from automl.graphs.encoding import Floats, Integers, encode_costs

__all__ = ["crossover"]

_TOLERANCE = 1e-9
_INSERT_NODE, _DELETE_EDGE, _RELABEL_EDGE, _INSERT_EDGE, _RELABEL_NODE, _DELETE_NODE = range(6)
_UNIT = encode_costs(EditCosts())


def crossover(numbers: bytes, draws: Floats, rate: float, limit: int) -> Integers:
    """Return distance, counts of nodes and edges (0: no child), order, labels, edges, and positions of inserted nodes.

    ``numbers`` are the counts of nodes (base, other), of edges (base, other), of edge labels and 1, of opening and of
    closing terminals; node labels of base and of other, counted from 1; terminal flags; labels of opening and of
    closing terminals; the count of edges that leave each node of base, then of other; the positions they go to; if
    there is more than one edge label, the label of each edge in that order. ``draws`` are uniform numbers, for the
    order of the search, the choice of edits and the order of the child.

    The positions of the other graph's nodes come last, only if the path inserts nodes; a distance of -1 says that a
    graph is not as it should be.
    """
    found: Integers = _crossover(numbers, draws, rate, limit, _UNIT)
    return found


@compile_loop
def _crossover(data: bytes, draws: Floats, rate: float, limit: int, costs: Floats) -> Integers:
    numbers = _expand(data)
    ones, twos, one_edges, two_edges = numbers[0], numbers[1], numbers[2], numbers[3]
    if _is_malformed(numbers):
        return np.full(1, -1)
    place = match_graphs(numbers, draws, limit, costs)
    count = ones
    for j in range(twos):
        if place[j] < 0:
            place[j] = count
            count += 1
    steps = _list_steps(numbers, place, count)
    closed = _close(steps, draws[ones + twos :], rate, count)
    out = np.zeros(3 + 2 * count + 3 * (one_edges + two_edges) + twos, dtype=np.int64)
    out[0] = len(steps)
    if len(steps) < 2 or closed.all():
        return out[:3]
    labels, edges = _apply(numbers, steps, closed, count)
    order = _order(numbers, place, labels, edges, draws[2 * (ones + twos) + one_edges + two_edges :])
    alive = len(order)
    if alive == 0:
        return out[:3]
    at = 3 + 2 * alive
    for i in range(alive):
        out[3 + i] = order[i]
        out[3 + alive + i] = labels[order[i]]
        for j in range(i + 1, alive):
            if edges[order[i], order[j]] > 0:
                out[at], out[at + 1], out[at + 2] = i, j, edges[order[i], order[j]]
                at += 3
    out[1] = alive
    out[2] = (at - 3 - 2 * alive) // 3
    if count > ones:
        for j in range(twos):
            out[at + j] = place[j] if place[j] < ones else -1
        at += twos
    return out[:at]


@compile_loop
def _expand(data: bytes) -> Integers:
    """Return the numbers with edges written out, each as source, target and label."""
    ones, twos, edges = int(data[0]), int(data[1]), int(data[2]) + int(data[3])
    head = HEAD + 2 * (ones + twos) + int(data[5]) + int(data[6])
    numbers = np.empty(head + 3 * edges, dtype=np.int64)
    for i in range(head):
        numbers[i] = data[i]
    at = head + ones + twos
    to = head
    for node in range(ones + twos):
        for _ in range(data[head + node]):
            numbers[to] = node if node < ones else node - ones
            numbers[to + 1] = data[at]
            numbers[to + 2] = data[at + edges] if data[4] > 2 else 1
            at += 1
            to += 3
    return numbers


@compile_loop
def _is_malformed(numbers: Integers) -> bool:
    """Whether an edge goes from a node to itself, or two terminals of a graph share a label."""
    ones, twos = numbers[0], numbers[1]
    flags = HEAD + ones + twos
    for i in range(ones + twos):
        for j in range(i):
            is_same = numbers[HEAD + i] == numbers[HEAD + j] and (i < ones) == (j < ones)
            if is_same and numbers[flags + i] and numbers[flags + j]:
                return True
    at = HEAD + 2 * (ones + twos) + numbers[5] + numbers[6]
    for edge in range(numbers[2] + numbers[3]):  # noqa: SIM110 - Numba has no generators
        if numbers[at + 3 * edge] == numbers[at + 3 * edge + 1]:
            return True
    return False


@compile_loop
def _list_steps(numbers: Integers, place: Integers, count: int) -> Integers:
    """Return the edits, `(d, 4)`: what is done, position or source, target, label; in the order of `edit_path`."""
    ones, twos, one_edges, two_edges = numbers[0], numbers[1], numbers[2], numbers[3]
    names = numbers[HEAD : HEAD + ones + twos]
    steps = np.empty((ones + twos + one_edges + two_edges, 4), dtype=np.int64)
    wanted = np.zeros((count, count), dtype=np.int64)
    first = HEAD + 2 * (ones + twos) + numbers[5] + numbers[6]
    second = first + 3 * one_edges
    for edge in range(two_edges):
        at = second + 3 * edge
        wanted[place[numbers[at]], place[numbers[at + 1]]] = numbers[at + 2]
    image = np.full(ones, -1)
    d = 0
    for j in range(twos):
        if place[j] < ones:
            image[place[j]] = j
        else:
            d = _add_step(steps, d, _INSERT_NODE, place[j], 0, names[ones + j])
    for edge in range(one_edges):
        at = first + 3 * edge
        source, target, label = numbers[at], numbers[at + 1], numbers[at + 2]
        now = wanted[source, target]
        wanted[source, target] = 0
        if now == 0:
            d = _add_step(steps, d, _DELETE_EDGE, source, target, 0)
        elif now != label:
            d = _add_step(steps, d, _RELABEL_EDGE, source, target, now)
    for edge in range(two_edges):
        at = second + 3 * edge
        source, target = place[numbers[at]], place[numbers[at + 1]]
        if wanted[source, target] > 0:
            d = _add_step(steps, d, _INSERT_EDGE, source, target, numbers[at + 2])
    for i in range(ones):
        if image[i] >= 0 and names[ones + image[i]] != names[i]:
            d = _add_step(steps, d, _RELABEL_NODE, i, 0, names[ones + image[i]])
    for i in range(ones):
        if image[i] < 0:
            d = _add_step(steps, d, _DELETE_NODE, i, 0, 0)
    return steps[:d]


@compile_loop
def _add_step(steps: Integers, at: int, kind: int, one: int, two: int, label: int) -> int:
    steps[at, 0], steps[at, 1], steps[at, 2], steps[at, 3] = kind, one, two, label
    return at + 1


@compile_loop
def _close(steps: Integers, draws: Floats, rate: float, size: int) -> Integers:
    """Return whether each edit is drawn, or needed by one that is."""
    count = len(steps)
    closed = np.zeros(count, dtype=np.int64)
    if count < 2:
        return closed
    taken = min(max(math.ceil(rate * count - _TOLERANCE), 1), count - 1)
    indices = np.arange(count)
    inserted = np.full(size, -1)
    for i in range(count):
        if steps[i, 0] == _INSERT_NODE:
            inserted[steps[i, 1]] = i
    for k in range(taken):
        other = k + int(draws[k] * (count - k))
        indices[k], indices[other] = indices[other], indices[k]
        step = indices[k]
        closed[step] = 1
        if steps[step, 0] == _INSERT_EDGE:
            for end in (steps[step, 1], steps[step, 2]):
                if inserted[end] >= 0:
                    closed[inserted[end]] = 1
        elif steps[step, 0] == _DELETE_NODE:
            for i in range(count):
                if steps[i, 0] == _DELETE_EDGE and (steps[i, 1] == steps[step, 1] or steps[i, 2] == steps[step, 1]):
                    closed[i] = 1
    return closed


@compile_loop
def _apply(numbers: Integers, steps: Integers, closed: Integers, count: int) -> tuple[Integers, Integers]:
    """Return the labels of all positions (0: no node) and the edge labels between them after the closed edits."""
    ones, one_edges = numbers[0], numbers[2]
    labels = np.zeros(count, dtype=np.int64)
    labels[:ones] = numbers[HEAD : HEAD + ones]
    edges = np.zeros((count, count), dtype=np.int64)
    at = HEAD + 2 * (ones + numbers[1]) + numbers[5] + numbers[6]
    for _ in range(one_edges):
        edges[numbers[at], numbers[at + 1]] = numbers[at + 2]
        at += 3
    for i in range(len(steps)):
        if closed[i]:
            kind = steps[i, 0]
            if kind in (_DELETE_EDGE, _INSERT_EDGE, _RELABEL_EDGE):
                edges[steps[i, 1], steps[i, 2]] = steps[i, 3]
            else:
                labels[steps[i, 1]] = steps[i, 3]
    return labels, edges


@compile_loop
def _order(numbers: Integers, place: Integers, labels: Integers, edges: Integers, draws: Floats) -> Integers:
    """Return the nodes in random topological order; none if there is no such order."""
    size = len(labels)
    nothing = np.empty(0, dtype=np.int64)
    order, ready = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    waiting = np.zeros(size, dtype=np.int64)
    opening, closing, ends, fixed = _find_ends(numbers, place, labels)
    alive = 0
    for i in range(size):
        alive += labels[i] > 0
        for j in range(size):
            waiting[j] += edges[i, j] > 0
    done, left = 0, 0
    for k in range(opening):
        if waiting[ends[k]] > 0:
            return nothing
        order[done] = ends[k]
        done += 1
        for j in range(size):
            waiting[j] -= edges[ends[k], j] > 0
    for i in range(size):
        if labels[i] > 0 and not fixed[i] and waiting[i] == 0:
            ready[left] = i
            left += 1
    for k in range(alive - opening - closing):
        if left == 0:
            return nothing
        at = int(draws[k] * left)
        node = ready[at]
        left -= 1
        for i in range(at, left):
            ready[i] = ready[i + 1]
        order[done] = node
        done += 1
        for j in range(size):
            if edges[node, j] > 0:
                waiting[j] -= 1
                if waiting[j] == 0 and not fixed[j]:
                    ready[left] = j
                    left += 1
    for k in range(opening, opening + closing):
        if waiting[ends[k]] > 0:
            return nothing
        order[done] = ends[k]
        done += 1
        for j in range(size):
            waiting[j] -= edges[ends[k], j] > 0
    return order[:done]


@compile_loop
def _find_ends(numbers: Integers, place: Integers, labels: Integers) -> tuple[int, int, Integers, Integers]:
    """Return the counts of opening and closing terminals, their positions in turn, and whether each position is one."""
    ones, twos, size = numbers[0], numbers[1], len(labels)
    flags = HEAD + ones + twos
    is_terminal, fixed, ends = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64), np.full(size, -1)
    is_terminal[:ones] = numbers[flags : flags + ones]
    for j in range(twos):
        if place[j] >= ones:
            is_terminal[place[j]] = numbers[flags + ones + j]
    opening, closing = 0, 0
    for k in range(numbers[5] + numbers[6]):
        for i in range(size):
            if is_terminal[i] and labels[i] == numbers[flags + ones + twos + k]:
                ends[opening + closing] = i
                fixed[i] = 1
                if k < numbers[5]:
                    opening += 1
                else:
                    closing += 1
                break
    return opening, closing, ends, fixed
