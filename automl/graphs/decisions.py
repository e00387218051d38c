"""The graph of an architecture whose space defines none: its decisions, one labelled node each.

A node's label is ``name=value`` in JSON, and names are slots: a node stands for one decision, so edit distance counts
the decisions that differ and the shortest edit path exchanges answers, never positions. That is enforced by the labels
of edges from one root terminal, which carry the name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import networkx as nx

from automl.decisions import Decision, Value
from automl.errors import InvalidArchitecture

_ROOT = "architecture"


def decisions_graph(decisions: Sequence[Decision], values: Mapping[str, Value]) -> nx.DiGraph[Any]:
    """Return a star: a root terminal, and an edge labelled by name to one node, labelled by answer, per decision."""
    graph: nx.DiGraph[Any] = nx.DiGraph()
    graph.add_node(_ROOT, label=_ROOT, terminal=True)
    for decision in decisions:
        value = values[decision.name]
        graph.add_node(decision.name, label=json.dumps([decision.name, value]))
        graph.add_edge(_ROOT, decision.name, label=decision.name)
    return graph


def decisions_of(graph: nx.DiGraph[Any]) -> dict[str, Value]:
    """Return the answers that a graph of `decisions_graph`'s form holds; raises `InvalidArchitecture` otherwise."""
    values: dict[str, Value] = {}
    for node, attributes in graph.nodes(data=True):
        if attributes.get("terminal"):
            continue
        name, value = _read(attributes["label"])
        if name in values:
            raise InvalidArchitecture(f"decision {name!r} appears twice in graph node {node!r}")
        values[name] = tuple(value) if isinstance(value, list) else value
    return values


def _read(label: str) -> tuple[str, Any]:
    try:
        found = json.loads(label)
    except json.JSONDecodeError:
        found = None
    if isinstance(found, list) and len(found) == 2 and isinstance(found[0], str):
        return found[0], found[1]
    raise InvalidArchitecture(f"node label {label!r} does not write a decision as [name, answer]")
