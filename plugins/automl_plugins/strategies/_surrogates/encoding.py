"""How surrogates see an architecture: sparse features, by name, that become the columns of a matrix.

* ``path``: one bit per path of labels from an input to an output of the computed graph (White et al. 2021 [1]).
* ``one_hot``: one bit per answer of a categorical decision; numbers on their own scale from 0 to 1.
* ``adjacency``: one bit per edge between positions, and per label at a position, in the graph's own order.
* ``hamming``: features whose L1 distance is the number of decisions that differ.
* Weisfeiler-Lehman counts of labelled neighbourhoods [2].

Every function here is pure: equal architectures have equal features in every process.

[1] White, Neiswanger and Savani. BANANAS: Bayesian optimization with neural architectures for neural architecture
    search. AAAI 2021.
[2] Shervashidze et al. Weisfeiler-Lehman graph kernels. JMLR 2011.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from automl import Architecture, Decision, SearchSpace, Value

if TYPE_CHECKING:
    import networkx as nx

Features: TypeAlias = Mapping[str, float]
Columns: TypeAlias = Mapping[str, int]
Encoding: TypeAlias = Literal["path", "one_hot", "adjacency"]

_SEPARATOR = "\x1f"
_MAX_CACHED = 50_000


class Encoder:
    """Features of a space's architectures, remembered.

    Where the space has no graphs of its own, the encodings ``path`` and ``adjacency`` are ``one_hot``: the graph of the
    decisions, which stands in, has one path per answer, and a real number is no label.

    >>> from automl.testing.problems import FlatSpace
    >>> import numpy as np
    >>> len(Encoder(FlatSpace(), "path").features(FlatSpace().sample(np.random.default_rng(0)), 1))
    6
    """

    def __init__(self, space: SearchSpace[Any], encoding: Encoding) -> None:
        self._space = space
        self.encoding: Encoding = encoding if has_graphs(space) else "one_hot"
        self._known: dict[tuple[Architecture, int], Features] = {}
        self._labels: dict[Architecture, frozenset[str]] = {}

    def features(self, architecture: Architecture, longest: int) -> Features:
        """Return the features; ``longest`` bounds the inner nodes of a path and means nothing to other encodings."""
        place = (architecture, longest if self.encoding == "path" else 0)
        if place not in self._known:
            if len(self._known) >= _MAX_CACHED:
                self._known.clear()
            self._known[place] = self._encode(architecture, longest)
        return self._known[place]

    def longest_path(self, told: Sequence[Architecture]) -> int:
        """Return how many inner nodes an encoded path has at most: fewer than log_r(number told), and at least 1.

        r is the number of different labels of inner nodes among ``told``. The truncation rule of [1], by which the
        number of features follows the number of observations; the minimum is ours.
        """
        if self.encoding != "path":
            return 0
        labels = len(frozenset[str]().union(*[self._inner_labels(architecture) for architecture in told]))
        return longest_path(len(told), labels)

    def _inner_labels(self, architecture: Architecture) -> frozenset[str]:
        if architecture not in self._labels:
            nodes = self._space.computed_graph_of(architecture).nodes(data=True)
            self._labels[architecture] = frozenset(str(a.get("label")) for _, a in nodes if not a.get("terminal"))
        return self._labels[architecture]

    def _encode(self, architecture: Architecture, longest: int) -> Features:
        match self.encoding:
            case "path":
                return path_features(self._space.computed_graph_of(architecture), longest)
            case "adjacency":
                return adjacency_features(self._space.graph_of(architecture))
            case "one_hot":
                return one_hot_features(self._space.decisions(architecture), architecture)


def has_graphs(space: SearchSpace[Any]) -> bool:
    """Say whether the space's networks are graphs, rather than its decisions standing in for one."""
    own = type(space)
    return own.graph_of is not SearchSpace.graph_of or own.computed_graph_of is not SearchSpace.computed_graph_of


def longest_path(observations: int, labels: int) -> int:
    """Return the largest whole number below log_r(``observations``), at least 1; r is ``labels``, at least 2."""
    longest, reach = 0, max(2, labels)
    while reach < observations:
        longest, reach = longest + 1, reach * max(2, labels)
    return max(1, longest)


def path_features(graph: nx.DiGraph[Any], longest: int) -> dict[str, float]:
    """Return one feature per different sequence of labels from a node without predecessors to one without successors.

    Only paths with at most ``longest`` nodes between their ends count, so that there are at most about ``r**longest``
    sequences at a node however many paths the graph has. Labels of edges, where there are any, are part of a sequence.
    """
    import networkx as nx

    lengths: dict[Any, set[tuple[int, tuple[str, ...]]]] = {}
    found: set[tuple[str, ...]] = set()
    for node in nx.topological_sort(graph):
        label = str(graph.nodes[node].get("label"))
        reached: set[tuple[int, tuple[str, ...]]] = set()
        for before, edge in _into(graph, node):
            inner = 0 if graph.in_degree(before) == 0 else 1
            step = (edge, label) if edge else (label,)
            reached |= {(n + inner, path + step) for n, path in lengths[before] if n + inner <= longest}
        if graph.in_degree(node) == 0:
            reached = {(0, (label,))}
        elif graph.out_degree(node) == 0:
            found |= {path for _, path in reached}
        lengths[node] = reached
    return {_SEPARATOR.join(path): 1.0 for path in found}


def adjacency_features(graph: nx.DiGraph[Any]) -> dict[str, float]:
    """Return one feature per labelled edge between positions, and one per label at a position."""
    place = {node: position for position, node in enumerate(graph)}
    features = {f"{place[node]}:{a.get('label')}": 1.0 for node, a in graph.nodes(data=True) if not a.get("terminal")}
    for target in graph:
        features.update({f"{place[source]}-{place[target]}:{label}": 1.0 for source, label in _into(graph, target)})
    return features


def one_hot_features(decisions: Iterable[Decision], architecture: Mapping[str, Value]) -> dict[str, float]:
    """Return a bit per answer (per item of a subset), and for a number its place in its interval and a bit."""
    features: dict[str, float] = {}
    for decision in decisions:
        name, value = decision.name, architecture[decision.name]
        match decision.kind:
            case "categorical" | "index":
                features[f"{name}={value!r}"] = 1.0
            case "subset":
                features.update({f"{name}[{item}]": 1.0 for item in cast("tuple[int, ...]", value)})
            case "integer" | "real":
                features[name] = 1.0
                features[f"{name}~"] = _place(decision, cast(float, value))
    return features


def hamming_features(decisions: Iterable[Decision], architecture: Mapping[str, Value]) -> dict[str, float]:
    """Return features whose L1 distance counts the decisions that differ.

    A categorical or index adds 1 when it differs, a number the distance of its places in its interval, a subset the
    share of the items that one has and the other lacks, and a decision that only one of the two walks asks adds 1.
    """
    features: dict[str, float] = {}
    for decision in decisions:
        name, value = decision.name, architecture[decision.name]
        features[f"{name}?"] = 0.5
        match decision.kind:
            case "categorical" | "index":
                features[f"{name}={value!r}"] = 0.5
            case "subset":
                share = 0.5 / decision.count
                chosen = cast("tuple[int, ...]", value)
                features.update({f"{name}[{i}]{'' if i in chosen else '!'}": share for i in range(decision.count)})
            case "integer" | "real":
                place = _place(decision, cast(float, value))
                features[f"{name}~"], features[f"{name}~!"] = place / 2, (1 - place) / 2
    return features


def weisfeiler_lehman_features(graph: nx.DiGraph[Any], rounds: int) -> dict[str, float]:
    """Return how often each neighbourhood of up to ``rounds`` steps occurs; features of round h begin with ``h:``.

    A node's label in round h+1 is that of its label, and of its predecessors and successors with the edges' labels, in
    round h.
    """
    labels: dict[Any, str] = {node: str(attributes.get("label")) for node, attributes in graph.nodes(data=True)}
    backwards = graph.reverse(copy=False)
    counts: Counter[str] = Counter(f"0:{label}" for label in labels.values())
    for number in range(1, rounds + 1):
        before = labels
        labels = {}
        for node in graph:
            into = sorted(f"{edge}<{before[other]}" for other, edge in _into(graph, node))
            out = sorted(f"{edge}>{before[other]}" for other, edge in _into(backwards, node))
            text = _SEPARATOR.join((before[node], *into, *out))
            labels[node] = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        counts.update(f"{number}:{label}" for label in labels.values())
    return {name: float(count) for name, count in counts.items()}


def columns_of(rows: Iterable[Features]) -> Columns:
    """Return all features that occur, sorted by name: an order that no history can change."""
    return {name: position for position, name in enumerate(sorted(set[str]().union(*rows)))}


def matrix(rows: Sequence[Features], columns: Columns) -> NDArray[np.float64]:
    """Return the `(rows, columns)` matrix; features that are no column are left out, missing ones are 0."""
    table = np.zeros((len(rows), len(columns)))
    for row, features in zip(table, rows, strict=True):
        for name, value in features.items():
            position = columns.get(name)
            if position is not None:
                row[position] = value
    return table


def _into(graph: nx.DiGraph[Any], node: Any) -> Iterator[tuple[Any, str]]:
    """Yield the predecessors of a node, each with the label of its edge, empty if there is none."""
    for before, _, attributes in graph.in_edges(node, data=True):
        yield before, str(attributes.get("label") or "")


def _place(decision: Decision, value: float) -> float:
    """Return where a number lies in its interval, from 0 to 1, on the decision's scale."""
    if decision.kind not in ("integer", "real") or decision.low == decision.high:
        return 0.0
    scale: Callable[[float], float] = math.log if decision.log else float
    low, high = scale(decision.low), scale(decision.high)
    return (scale(value) - low) / (high - low)
