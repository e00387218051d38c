"""Canonical keys: one short string per isomorphism class of labelled directed graphs.

Two graphs get the same certificate exactly when some bijection of their nodes preserves node labels, terminal
flags, edge labels and edge directions. The method is individualisation and refinement [1]: refine a colouring
by the multisets of neighbouring colours until it is stable; if some colour is shared, give one of its nodes a
colour of its own and go on; take the least certificate over the leaves of that search tree. Two kinds of
symmetry are pruned. Twins (nodes with the same label and the same neighbours) are told apart at once, in any
order, since every order is an image of every other under an automorphism. And a branch that holds a leaf
equal to one of an explored sibling is an image of that sibling, so it cannot hold a smaller one.

Colours and neighbourhoods are Python integers: at the size of a cell they beat arrays by far. Only label
strings enter, ordered by code point, so a key does not depend on node identifiers, on the order of insertion,
on the process or on any library's version.

[1] McKay and Piperno. Practical graph isomorphism, II. 2014.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from automl.graphs.plain import Graph, read_graph

_KEY_BYTES = 16


class _Problem(NamedTuple):
    """Edges ``(source, target, edge colour)`` of a graph with ``size`` nodes and ``kinds`` edge colours."""

    size: int
    kinds: int
    edges: Sequence[tuple[int, int, int]]


def canonical_key(graph: Graph) -> str:
    """Return 32 hexadecimal digits (128 bits) that are equal for isomorphic graphs, and differ otherwise.

    They are a hash of ``certificate``; different graphs collide with the probability of a 128-bit hash.
    """
    plain = read_graph(graph)
    return plain_canonical_key(plain.labels, plain.edges, plain.terminals)


def certificate(graph: Graph) -> bytes:
    """Return bytes that are equal exactly when two graphs are isomorphic."""
    plain = read_graph(graph)
    return plain_certificate(plain.labels, plain.edges, plain.terminals)


def plain_canonical_key(
    labels: Sequence[str],
    edges: Sequence[tuple[int, int, str]],
    terminals: Sequence[bool] | None = None,
) -> str:
    """Return the key of ``canonical_key`` for a graph given as lists, without building a NetworkX graph.

    Args:
        labels: the label of each node.
        edges: source position, target position and edge label; no pair of positions twice.
        terminals: the terminal flag of each node; none is set by default.
    """
    return blake2b(plain_certificate(labels, edges, terminals), digest_size=_KEY_BYTES).hexdigest()


def plain_certificate(
    labels: Sequence[str],
    edges: Sequence[tuple[int, int, str]],
    terminals: Sequence[bool] | None = None,
) -> bytes:
    """Return the certificate of ``certificate`` for a graph that is given as lists."""
    if terminals is None:
        named = ["-" + label for label in labels]
    else:
        named = [("+" if terminal else "-") + label for label, terminal in zip(labels, terminals, strict=True)]
    ordered = sorted(named)
    colours = [ordered.index(name) for name in named]
    edge_names = sorted({label for _, _, label in edges})
    if len(edge_names) < 2:
        coloured = [(source, target, 0) for source, target, _ in edges]
    else:
        rank = {name: index for index, name in enumerate(edge_names)}
        coloured = [(source, target, rank[label]) for source, target, label in edges]
    code = _least_code(_Problem(len(named), max(len(edge_names), 1), coloured), colours)
    texts = [text.encode("utf-8", "surrogatepass") for text in (*ordered, *edge_names)]
    header = f"{len(ordered)} {len(edge_names)} {' '.join([str(len(text)) for text in texts])} {code:x} "
    return header.encode() + b"".join(texts)


def _least_code(problem: _Problem, colours: list[int]) -> int:
    colours = _refine(problem, colours)
    if _is_discrete(colours):
        return _code(problem, colours)
    colours = _refine(problem, _split_twins(problem, colours))
    if _is_discrete(colours):
        return _code(problem, colours)
    return min(_search(problem, colours))


def _is_discrete(colours: list[int]) -> bool:
    return len(set(colours)) == len(colours)


def _refine(problem: _Problem, colours: list[int]) -> list[int]:
    """Return the coarsest stable colouring that is finer than ``colours``.

    A colour is the number of nodes with smaller colours, so it never changes when its class does not split. A
    node's signature counts its neighbours by direction, edge colour and colour in bit fields of one integer.
    """
    size, kinds, edges = problem
    width = size.bit_length()
    stride = width * size
    backward = stride * kinds
    own = backward * 2
    found = len(set(colours))
    while found < size:
        shifts = [width * colour for colour in colours]
        signatures = [colour << own for colour in colours]
        for source, target, kind in edges:
            lead = stride * kind
            signatures[source] += 1 << (shifts[target] + lead)
            signatures[target] += 1 << (shifts[source] + lead + backward)
        ordered = sorted(signatures)
        first = dict(zip(reversed(ordered), range(size - 1, -1, -1), strict=True))
        if len(first) == found:
            break
        found = len(first)
        colours = [first[signature] for signature in signatures]
    return colours


def _split_twins(problem: _Problem, colours: list[int]) -> list[int]:
    """Return ``colours`` with twins told apart: the k-th node of a class of twins gets the k-th subclass."""
    size, kinds, edges = problem
    width = kinds.bit_length()
    outgoing = [0] * size
    incoming = [0] * size
    for source, target, kind in edges:
        outgoing[source] |= (kind + 1) << (width * target)
        incoming[target] |= (kind + 1) << (width * source)
    counts: dict[tuple[int, int, int], int] = {}
    places = []
    for name in zip(colours, outgoing, incoming, strict=True):
        place = counts.get(name, 0)
        counts[name] = place + 1
        places.append(place)
    paired = list(zip(colours, places, strict=True))
    first = {pair: index for index, pair in reversed(list(enumerate(sorted(paired))))}
    return [first[pair] for pair in paired]


def _search(problem: _Problem, colours: list[int]) -> set[int]:
    """Return codes of leaves below ``colours``, the least of all leaves among them."""
    if _is_discrete(colours):
        return {_code(problem, colours)}
    leaves: set[int] = set()
    for node in _target_class(colours):
        child = _refine(problem, _individualise(colours, node))
        if leaves and _first_leaf(problem, child) in leaves:
            continue
        leaves |= _search(problem, child)
    return leaves


def _first_leaf(problem: _Problem, colours: list[int]) -> int:
    while not _is_discrete(colours):
        colours = _refine(problem, _individualise(colours, _target_class(colours)[0]))
    return _code(problem, colours)


def _target_class(colours: list[int]) -> list[int]:
    """Return the nodes of the smallest shared colour class, the first one if several are as small."""
    classes: dict[int, list[int]] = {}
    for node, colour in enumerate(colours):
        classes.setdefault(colour, []).append(node)
    _, colour = min((len(members), colour) for colour, members in classes.items() if len(members) > 1)
    return classes[colour]


def _individualise(colours: list[int], node: int) -> list[int]:
    """Return ``colours`` with ``node`` put before the rest of its class."""
    old = colours[node]
    return [colour + 1 if colour == old and other != node else colour for other, colour in enumerate(colours)]


def _code(problem: _Problem, order: list[int]) -> int:
    """Return the labelled adjacency matrix as one integer, with node v in row and column ``order[v]``."""
    size, kinds, edges = problem
    width = kinds.bit_length()
    code = 0
    if kinds == 1:
        for source, target, _ in edges:
            code |= 1 << (order[source] * size + order[target])
        return code
    for source, target, kind in edges:
        code |= (kind + 1) << (width * (order[source] * size + order[target]))
    return code
