"""Numbers that describe a labelled DAG and do not depend on the order of its nodes.

They are counts: of nodes by label, of edges by the labels at their ends, of nodes by label and degrees, of nodes beside
the inputs and the outputs, and of paths from inputs to outputs, by length, and by labels for paths of at most two inner
nodes. Isomorphic graphs have equal features. Inputs are nodes that read nothing, outputs those that nothing reads.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import networkx as nx
import numpy as np
from numpy.typing import NDArray

Features: TypeAlias = Mapping[Hashable, float]
Floats: TypeAlias = NDArray[np.float32]

_INNER = 2
_LEAST_SHARE = 0.001


class Vocabulary:
    """Which features become columns, in which order."""

    def __init__(self, names: Iterable[Hashable]) -> None:
        self._columns = {name: place for place, name in enumerate(names)}

    @classmethod
    def of(cls, rows: Sequence[Features]) -> Vocabulary:
        """Return the features that at least a thousandth of the rows have."""
        counts = Counter(name for row in rows for name in row)
        least = _LEAST_SHARE * len(rows)
        return cls(sorted((name for name, count in counts.items() if count >= least), key=repr))

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self._columns)

    def vector(self, features: Features) -> Floats:
        """Return the columns of one graph, `(columns,)`."""
        vector = np.zeros(len(self._columns), dtype=np.float32)
        for name, value in features.items():
            place = self._columns.get(name)
            if place is not None:
                vector[place] = value
        return vector

    def matrix(self, rows: Sequence[Features]) -> Floats:
        """Return the columns of many graphs, `(rows, columns)`."""
        matrix = np.zeros((len(rows), len(self._columns)), dtype=np.float32)
        for place, features in enumerate(rows):
            matrix[place] = self.vector(features)
        return matrix


def graph_features(graph: nx.DiGraph[Any]) -> Features:
    """Return the features of a DAG; those that it does not have are left out."""
    labels: dict[Any, str] = {node: str(data.get("label", "")) for node, data in graph.nodes.items()}
    readers = {node: list(edges) for node, edges in graph.adj.items()}
    read = {node: list(edges) for node, edges in graph.pred.items()}
    found: dict[Hashable, float] = defaultdict(float)
    edges = 0
    for node, label in labels.items():
        before, after = read[node], readers[node]
        edges += len(after)
        found["node", label] += 1
        found["degrees", label, len(before), len(after)] += 1
        found["degrees", len(before), len(after)] += 1
        for reader in after:
            found["edge", label, labels[reader]] += 1
            if not readers[reader]:
                found["last", label] += 1
            if not before:
                found["first", labels[reader]] += 1
    for source, target, data in graph.edges(data=True):
        if text := data.get("label"):
            found["edge label", labels[source], str(text), labels[target]] += 1
    found["nodes"], found["edges"] = len(labels), edges
    _count_paths(found, labels, read, readers)
    return found


def _count_paths(
    found: dict[Hashable, float],
    labels: Mapping[Any, str],
    read: Mapping[Any, list[Any]],
    readers: Mapping[Any, list[Any]],
) -> None:
    """Add the numbers of paths, by length, and by labels where there are few inner nodes."""
    lengths: dict[Any, dict[int, int]] = {}
    short: dict[Any, dict[tuple[str, ...], int]] = {}
    for node in _ordered(read, readers):
        own_lengths: dict[int, int] = {}
        own_short: dict[tuple[str, ...], int] = {}
        if not read[node]:
            own_lengths[0], own_short[()] = 1, 1
        is_inner = bool(read[node]) and bool(readers[node])
        added = (labels[node],) if is_inner else ()
        for other in read[node]:
            for length, count in lengths[other].items():
                own_lengths[length + is_inner] = own_lengths.get(length + is_inner, 0) + count
            for path, count in short[other].items():
                if len(path) + len(added) <= _INNER:
                    own_short[path + added] = own_short.get(path + added, 0) + count
        lengths[node], short[node] = own_lengths, own_short
        if read[node] and not readers[node]:
            for length, count in own_lengths.items():
                found["paths of length", length] += count
                found["paths"] += count
            for path, count in own_short.items():
                found["path", *path] += count
            found["depth"] = max(found["depth"], *own_lengths)
            found["least depth"] = min(found.get("least depth", np.inf), *own_lengths)


def _ordered(read: Mapping[Any, list[Any]], readers: Mapping[Any, list[Any]]) -> list[Any]:
    """Return the nodes in a topological order."""
    missing = {node: len(others) for node, others in read.items()}
    order = [node for node, count in missing.items() if not count]
    for node in order:
        for reader in readers[node]:
            missing[reader] -= 1
            if not missing[reader]:
                order.append(reader)
    return order
