"""The matching of two graphs in `compiled_crossover`: what `align`, `enumeration` and `branch_and_bound` do together.

Numbers are laid out as `compiled_crossover` says, edges as source, target and label. Costs are 1 for every edit.
"""

from __future__ import annotations

import numpy as np

from automl.graphs.compiled import search_numbers
from automl.graphs.compiled_state import compile_loop
from automl.graphs.encoding import HEADER, Floats, Integers
from automl.graphs.enumeration import MAX_INJECTIONS, MAX_NODES

HEAD = 7


@compile_loop
def match_graphs(numbers: Integers, draws: Floats, limit: int, costs: Floats) -> Integers:
    """Return the position in the base of each node of the other graph, -1 if it has none."""
    ones, twos = numbers[0], numbers[1]
    flags = numbers[HEAD + ones + twos : HEAD + 2 * (ones + twos)]
    one_free, two_free = ones - flags[:ones].sum(), twos - flags[ones:].sum()
    is_swapped = one_free > two_free
    names, terminals = numbers[HEAD : HEAD + ones + twos], flags
    small_names, large_names = names[:ones], names[ones:]
    small_flags, large_flags = terminals[:ones], terminals[ones:]
    if is_swapped:
        small_names, large_names = large_names, small_names
        small_flags, large_flags = large_flags, small_flags
    small_place, large_place = np.full(len(small_names), -1), np.full(len(large_names), -1)
    pins = 0
    for i in range(len(small_names)):
        if small_flags[i] == 0:
            continue
        for j in range(len(large_names)):
            if large_flags[j] and large_names[j] == small_names[i]:
                small_place[i] = large_place[j] = pins
                pins += 1
    small_free, large_free = np.flatnonzero(small_flags == 0), np.flatnonzero(large_flags == 0)
    found = np.full(len(small_names), -1)
    if _is_enumerable(pins, len(small_free), len(large_free)):
        for k in range(len(small_free)):
            small_place[small_free[k]] = pins + k
        for k in range(len(large_free)):
            large_place[large_free[k]] = pins + k
        small = _adjacency(numbers, is_swapped, small_place, pins + len(small_free))
        large = _adjacency(numbers, not is_swapped, large_place, pins + len(large_free))
        chosen = _enumerate(small, large, small_names[small_free], large_names[large_free], pins, draws[0])
        for k in range(len(small_free)):
            found[small_free[k]] = large_free[chosen[k]]
    else:
        _branch(numbers, draws, limit, costs, is_swapped, pins, small_place, large_place, found)
    for i in range(len(small_names)):
        if small_flags[i] and small_place[i] >= 0:
            for j in range(len(large_names)):
                if large_flags[j] and large_names[j] == small_names[i]:
                    found[i] = j
    place = np.full(twos, -1)
    for i in range(len(found)):
        if found[i] >= 0:
            if is_swapped:
                place[i] = found[i]
            else:
                place[found[i]] = i
    return place


@compile_loop
def _is_enumerable(pins: int, small: int, large: int) -> bool:
    injections = 1
    for k in range(small):
        injections *= large - k
        if injections > MAX_INJECTIONS:
            return False
    return pins + large <= MAX_NODES


@compile_loop
def _adjacency(numbers: Integers, is_second: bool, place: Integers, size: int) -> Integers:
    """Return the edge labels between the positions that have a place, by place."""
    ones, twos, one_edges, two_edges = numbers[0], numbers[1], numbers[2], numbers[3]
    found = np.zeros((size, size), dtype=np.int64)
    at = HEAD + 2 * (ones + twos) + numbers[5] + numbers[6]
    count = one_edges
    if is_second:
        at += 3 * one_edges
        count = two_edges
    for _ in range(count):
        source, target = place[numbers[at]], place[numbers[at + 1]]
        if source >= 0 and target >= 0:
            found[source, target] = numbers[at + 2]
        at += 3
    return found


@compile_loop
def _earlier_edges(small: Integers, pins: int) -> tuple[Integers, Integers]:
    """Return the edges of each free node with earlier nodes: earlier node, whether it is the source, label.

    The second result holds where the edges of each free node begin, and the end.
    """
    size = len(small)
    edges, begins = np.empty((size * size, 3), dtype=np.int64), np.zeros(size - pins + 1, dtype=np.int64)
    count = 0
    for node in range(pins, size):
        for k in range(node):
            if small[node, k] > 0:
                edges[count, 0], edges[count, 1], edges[count, 2] = k, 0, small[node, k]
                count += 1
            if small[k, node] > 0:
                edges[count, 0], edges[count, 1], edges[count, 2] = k, 1, small[k, node]
                count += 1
        begins[node - pins + 1] = count
    return edges, begins


@compile_loop
def _enumerate(
    small: Integers, large: Integers, small_names: Integers, large_names: Integers, pins: int, draw: float
) -> Integers:
    """Return one of the injections of greatest gain, drawn from all in lexicographic order."""
    rows, columns = len(small_names), len(large_names)
    ties = np.empty((MAX_INJECTIONS, rows), dtype=np.int64)
    images = np.arange(pins + rows)
    edges, begins = _earlier_edges(small, pins)
    most = np.zeros(rows + 1, dtype=np.int64)
    for row in range(rows - 1, -1, -1):
        most[row] = most[row + 1] + 2 + 2 * (begins[row + 1] - begins[row])
    gains = np.zeros(rows + 1, dtype=np.int64)
    chosen = np.full(rows + 1, -1)
    used = np.zeros(columns, dtype=np.int64)
    best, count, row = -1, 0, 0
    while row >= 0:
        if row == rows:
            if gains[row] > best:
                best, count = gains[row], 0
            ties[count] = chosen[:rows]
            count += 1
            row -= 1
            continue
        if chosen[row] >= 0:
            used[chosen[row]] = 0
        column = chosen[row] + 1
        while column < columns and used[column]:
            column += 1
        if column == columns:
            chosen[row] = -1
            row -= 1
            continue
        chosen[row] = column
        used[column] = 1
        gain = gains[row] + (2 if small_names[row] == large_names[column] else 1)
        node, image = pins + row, pins + column
        for edge in range(begins[row], begins[row + 1]):
            end, label = images[edges[edge, 0]], edges[edge, 2]
            met = large[end, image] if edges[edge, 1] else large[image, end]
            gain += (met > 0) + (met == label)
        if gain + most[row + 1] >= best:
            images[node] = image
            gains[row + 1] = gain
            row += 1
            chosen[row] = -1
    drawn: Integers = ties[int(draw * count)]
    return drawn


@compile_loop
def _branch(
    numbers: Integers,
    draws: Floats,
    limit: int,
    costs: Floats,
    is_swapped: bool,
    pins: int,
    small_place: Integers,
    large_place: Integers,
    found: Integers,
) -> None:
    """Write the image of each free node of the small graph into ``found``: the search of `branch_and_bound`."""
    ones, twos = numbers[0], numbers[1]
    flags = numbers[HEAD + ones + twos : HEAD + 2 * (ones + twos)]
    small_from, large_from = (ones, 0) if is_swapped else (0, ones)
    small_count, large_count = len(small_place), len(large_place)
    pinned = pins
    for i in range(small_count):
        if flags[small_from + i] and small_place[i] < 0:
            small_place[i] = pins
            pins += 1
    for j in range(large_count):
        if flags[large_from + j] and large_place[j] < 0:
            large_place[j] = pins
            pins += 1
    small_order = _shuffled(flags[small_from : small_from + small_count], draws)
    large_order = _shuffled(flags[large_from : large_from + large_count], draws[len(small_order) :])
    for k in range(len(small_order)):
        small_place[small_order[k]] = pins + k
    for k in range(len(large_order)):
        large_place[large_order[k]] = pins + k
    padded = _pad(numbers, is_swapped, pins, len(small_order), len(large_order), small_place, large_place)
    _, _, images = search_numbers(padded, costs, limit)
    for k in range(len(small_order)):
        image = images[pins + k] - pins
        if image < len(large_order):
            found[small_order[k]] = large_order[image]
    for i in range(small_count):
        if flags[small_from + i] and small_place[i] >= pinned:
            small_place[i] = -1


@compile_loop
def _pad(
    numbers: Integers,
    is_swapped: bool,
    pins: int,
    small_free: int,
    large_free: int,
    small_place: Integers,
    large_place: Integers,
) -> Integers:
    """Return the padded pair in the form of `encoding`, every node at its place."""
    ones, twos, one_edges, two_edges = numbers[0], numbers[1], numbers[2], numbers[3]
    small_from, large_from = (ones, 0) if is_swapped else (0, ones)
    small_edges = two_edges if is_swapped else one_edges
    size = pins + large_free
    padded = np.zeros(HEADER + 2 * size + 3 * (one_edges + two_edges), dtype=np.int64)
    padded[0], padded[1], padded[2], padded[3] = size, pins, pins + small_free, size
    padded[4], padded[5], padded[6] = numbers[4], small_edges, one_edges + two_edges - small_edges
    for i in range(len(small_place)):
        padded[HEADER + small_place[i]] = numbers[HEAD + small_from + i]
    for j in range(len(large_place)):
        padded[HEADER + size + large_place[j]] = numbers[HEAD + large_from + j]
    at = HEAD + 2 * (ones + twos) + numbers[5] + numbers[6]
    to_small = HEADER + 2 * size
    to_large = to_small + 3 * small_edges
    for edge in range(one_edges + two_edges):
        is_small = (edge < one_edges) != is_swapped
        place = small_place if is_small else large_place
        to = to_small if is_small else to_large
        padded[to], padded[to + 1] = place[numbers[at]], place[numbers[at + 1]]
        padded[to + 2] = numbers[at + 2]
        at += 3
        if is_small:
            to_small += 3
        else:
            to_large += 3
    return padded


@compile_loop
def _shuffled(flags: Integers, draws: Floats) -> Integers:
    """Return the free positions in the order of their draws, the first position first among equals."""
    order = np.flatnonzero(flags == 0)
    keys = draws[: len(order)].copy()
    for k in range(1, len(order)):
        key, position, at = keys[k], order[k], k
        while at > 0 and keys[at - 1] > key:
            keys[at], order[at] = keys[at - 1], order[at - 1]
            at -= 1
        keys[at], order[at] = key, position
    return order
