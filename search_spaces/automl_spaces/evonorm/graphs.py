"""Expressions as labelled graphs and back: what crossover recombines, keys compare and pictures show.

A node is labelled with its operation and index set; terminals are the initial nodes and ``output``, which the last
node feeds. An edge is labelled where it needs to be: ``dividend``, ``divisor``, or ``both`` for a node divided by
itself; and ``twice`` for both operands of another operation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import networkx as nx

from automl import InvalidArchitecture, random_topological_order
from automl_spaces.evonorm.expression import (
    AGGREGATIONS,
    ARITY,
    INITIAL,
    OPERATIONS,
    Expression,
    Node,
    Series,
    index_sets,
    random_node,
)

if TYPE_CHECKING:
    from numpy.random import Generator

OUTPUT = "output"

Operand: TypeAlias = tuple[int, str]
"""The number of an earlier node, and the label of the edge from it."""


def graph_of(expression: Expression) -> nx.DiGraph[Any]:
    """Return all nodes of ``expression``, dead ones too, by number."""
    graph: nx.DiGraph[Any] = nx.DiGraph()
    for number, name in enumerate(INITIAL):
        graph.add_node(number, label=name, terminal=True)
    for number, node in expression.numbered():
        graph.add_node(number, label=node.label)
        for source, label in _edges(node):
            graph.add_edge(source, number, label=label)
    graph.add_node(OUTPUT, label=OUTPUT, terminal=True)
    graph.add_edge(expression.output, OUTPUT, label="")
    return graph


def computed_graph_of(expression: Expression) -> nx.DiGraph[Any]:
    """Return the nodes that the output depends on, equal sub-expressions merged, without initial nodes nobody reads."""
    canonical = expression.canonical()
    graph = graph_of(canonical)
    graph.remove_nodes_from(set(range(len(INITIAL))) - canonical.live())
    return graph


def expression_of(graph: nx.DiGraph[Any], size: int, series: Series, rng: Generator) -> Expression:
    """Return an expression of ``size`` nodes that computes ``graph``, in a topological order drawn by ``rng``.

    A graph of `graph_of` gives the same function. Between two such graphs, where crossover looks, operations rarely
    have as many inputs as they need. So, as everywhere in a walk, what a child leaves open is drawn: an operand that is
    missing among the earlier nodes, and which inputs stay where there are too many. Nodes that read the output node, or
    are more than fit, are dropped, dead ones only; ``rng`` draws nodes to fill a gap, which are dead too.

    Raises:
        InvalidArchitecture: a cycle, an unknown label, terminals other than those of `graph_of`, an output that is not
            fed by exactly one inner node, or more live nodes than ``size``.
    """
    labels: dict[Any, str] = {node: str(label) for node, label in graph.nodes(data="label")}
    terminals = {labels[node]: node for node, fixed in graph.nodes(data="terminal") if fixed}
    if set(terminals) != {*INITIAL, OUTPUT}:
        raise InvalidArchitecture(f"terminals must be {', '.join(INITIAL)} and {OUTPUT}, but are {sorted(terminals)}")
    initial, output = [terminals[name] for name in INITIAL], terminals[OUTPUT]
    kinds = {node: _kind(label, series) for node, label in labels.items() if node not in terminals.values()}
    feeding = list(graph.predecessors(output))
    if len(feeding) != 1 or feeding[0] not in kinds:
        raise InvalidArchitecture(f"one inner node must feed the output, but {len(feeding)} nodes do: {feeding}")
    order = random_topological_order(graph, rng, first=initial, last=(output,))[len(INITIAL) : -1]
    kept = _kept(graph, order, feeding[0], size)
    nodes = [random_node(number, series, rng) for number in range(len(INITIAL), len(INITIAL) + size - len(kept))]
    places: dict[Any, int] = {node: number for number, node in enumerate(initial)}
    for node in kept:
        number = len(INITIAL) + len(nodes)
        arriving = [(places[source], str(graph.edges[source, node].get("label", ""))) for source in graph.pred[node]]
        operation, over = kinds[node]
        nodes.append(Node(operation, _operands(operation, sorted(arriving), number, rng), over))
        places[node] = number
    return Expression(tuple(nodes))


def _edges(node: Node) -> Sequence[Operand]:
    if len(node.operands) == 1:
        return [(node.operands[0], "")]
    one, other = node.operands
    if node.operation == "DIV":
        return [(one, "both")] if one == other else [(one, "dividend"), (other, "divisor")]
    return [(one, "twice")] if one == other else [(one, ""), (other, "")]


def _kind(label: str, series: Series) -> tuple[str, str]:
    """Return the operation and the index set of a label."""
    operation, bracket, over = label.partition("{")
    over = over[:-1] if bracket else ""
    allowed = index_sets(series) if operation in AGGREGATIONS else ("",)
    if operation not in OPERATIONS or over not in allowed:
        raise InvalidArchitecture(f"{label!r} is no operation of series {series}; choose among {', '.join(OPERATIONS)}")
    return operation, over


def _kept(graph: nx.DiGraph[Any], order: list[Any], feeding: Any, size: int) -> list[Any]:
    """Return the nodes of the expression in order, the one that feeds the output last."""
    live = nx.ancestors(graph, feeding)
    beyond = nx.descendants(graph, feeding)
    room = size - 1 - sum(node in live for node in order)
    if room < 0:
        raise InvalidArchitecture(f"the output may depend on {size} nodes, but it depends on {size - room}")
    kept = []
    for node in order:
        is_dead = node not in live
        if node == feeding or node in beyond or (is_dead and not room):
            continue
        # A dead node that reads one dropped before it would read nothing.
        if is_dead and any(source not in kept and source in order for source in graph.pred[node]):
            continue
        room -= is_dead
        kept.append(node)
    return [*kept, feeding]


def _operands(operation: str, arriving: list[Operand], number: int, rng: Generator) -> tuple[int, ...]:
    """Return the operands of a node, drawing what the edges leave open."""
    if operation == "DIV":
        dividend = _drawn([one for one, label in arriving if label in ("dividend", "both")], rng)
        divisor = _drawn([one for one, label in arriving if label in ("divisor", "both")], rng)
        free = [one for one, _ in arriving if one not in (dividend, divisor)]
        if dividend is None:
            dividend = _taken(free, number, rng)
        return dividend, _taken(free, number, rng) if divisor is None else divisor
    free = [one for one, label in arriving for _ in range(2 if label == "twice" else 1)]
    return tuple(sorted([_taken(free, number, rng) for _ in range(ARITY[operation])], reverse=True))


def _drawn(choices: list[int], rng: Generator) -> int | None:
    return choices[int(rng.integers(len(choices)))] if choices else None


def _taken(free: list[int], number: int, rng: Generator) -> int:
    """Take one of the ``free`` operands out, or draw any earlier node."""
    if not free:
        return int(rng.integers(number))
    return free.pop(int(rng.integers(len(free))) if len(free) > 1 else 0)
