"""Time the whole SEP crossover against NetworkX's exact edit paths, on the same pairs in one run.

Run it as ``python benchmarks/sep.py``. The last line is one JSON object.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from sys import path as import_path
from typing import Any

import networkx as nx
import numpy as np
from numpy.random import Generator

import_path.insert(0, str(Path(__file__).resolve().parents[1]))

from automl.errors import InvalidArchitecture
from automl.graphs.canonical import canonical_key
from automl.graphs.edit_path import shortest_edit_path
from automl.graphs.topology import random_topological_order

Pair = tuple[Any, Any]
OPERATIONS = ("conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3")
LINE_OPERATIONS = ("none", "skip", "conv1x1", "conv3x3", "pool")
# One line per cell edge of NAS-Bench-201: input, six operations, output.
LINE_EDGES = ((0, 1), (0, 2), (0, 4), (1, 3), (1, 5), (2, 6), (3, 6), (4, 7), (5, 7), (6, 7))
REPEATS = 5


@dataclass(frozen=True)
class Case:
    """One kind of pairs: how many we time, and on how many and in how many seconds NetworkX is timed."""

    name: str
    draw: Callable[[Generator], Pair]
    pairs: int
    networkx_pairs: int
    networkx_seconds: float


@dataclass(frozen=True)
class Timing:
    """Medians in seconds; ``ratio`` is taken on the pairs that both were timed on."""

    ours: float
    ours_p95: float
    networkx: float
    networkx_pairs: int
    ratio: float


def labelled(labels: Sequence[str]) -> Any:
    graph: Any = nx.DiGraph()
    for node, label in enumerate(labels):
        if node in (0, len(labels) - 1):
            graph.add_node(node, label=label, terminal=True)
        else:
            graph.add_node(node, label=label)
    return graph


def random_labels(rng: Generator, size: int, operations: Sequence[str]) -> list[str]:
    drawn = [operations[int(i)] for i in rng.integers(len(operations), size=size - 2)]
    return ["input", *drawn, "output"]


def nas_bench_101_cell(rng: Generator) -> Any:
    """Return a cell of 7 nodes and 8 or 9 edges in which every node is on a path from input to output."""
    while True:
        upper = np.triu(rng.random((7, 7)) < 0.4, 1)
        used = upper[:-1].any(axis=1).all() and upper[:, 1:].any(axis=0).all()
        if used and upper.sum() in (8, 9):
            graph = labelled(random_labels(rng, 7, OPERATIONS))
            graph.add_edges_from([(int(u), int(v)) for u, v in np.argwhere(upper)])
            return graph


def nas_bench_201_line_graph(rng: Generator) -> Any:
    graph = labelled(random_labels(rng, 8, LINE_OPERATIONS))
    graph.add_edges_from(LINE_EDGES)
    return graph


def related_pair(rng: Generator, size: int = 10) -> Pair:
    """Return a random graph with about 1.4 parents per node, and a renumbered copy after six random edits."""
    operations = [f"op{i}" for i in range(7)]
    first = labelled(random_labels(rng, size, operations))
    for target in range(1, size):
        for source in range(target):
            if rng.random() < min(1.0, 1.4 / target):
                first.add_edge(source, target)
    second: Any = nx.DiGraph(first)
    for _ in range(6):
        source, target = sorted(rng.choice(size, 2, replace=False).tolist())
        if rng.random() < 0.3 and source > 0:
            second.add_node(source, label=operations[int(rng.integers(7))])
        elif second.has_edge(source, target):
            second.remove_edge(source, target)
        else:
            second.add_edge(source, target)
    names = [0, *(1 + rng.permutation(size - 2)).tolist(), size - 1]
    return first, nx.relabel_nodes(second, dict(enumerate(names)))


def crossover(pair: Pair, rng: Generator) -> list[Any] | None:
    """Run the whole operator once: encode, solve, sample, close, apply, order."""
    path = shortest_edit_path(*pair, rng=rng)
    if path.distance < 2:
        return None
    child = path.sample(rng)
    nodes = path.base.nodes
    ends = {path.base.labels[i]: nodes[i] for i, terminal in enumerate(path.base.terminals) if terminal}
    try:
        return random_topological_order(child, rng, first=[ends["input"]], last=[ends["output"]])
    except InvalidArchitecture:
        return None


def networkx_distance(pair: Pair) -> float:
    def substitute(first: dict[str, Any], second: dict[str, Any]) -> float:
        if first["label"] == second["label"]:
            return 0
        return 100 if first.get("terminal") or second.get("terminal") else 1

    _, cost = nx.optimal_edit_paths(*pair, node_subst_cost=substitute)
    return float(cost)


def median_time(function: Callable[[], object], repeats: int = REPEATS) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def networkx_times(case: Case, pairs: Sequence[Pair]) -> list[float]:
    """Return NetworkX's times on the first pairs, checking that it finds our distances."""
    times: list[float] = []
    for pair in pairs[: case.networkx_pairs]:
        start = time.perf_counter()
        distance = networkx_distance(pair)
        times.append(time.perf_counter() - start)
        if shortest_edit_path(*pair).distance != distance:
            raise SystemExit(f"{case.name}: NetworkX found another distance, {distance}")
        if sum(times) > case.networkx_seconds:
            break
    return times


def measure(case: Case) -> Timing:
    rng = np.random.default_rng(0)
    pairs = [case.draw(rng) for _ in range(case.pairs)]
    for pair in pairs[:20]:
        crossover(pair, rng)
    ours = [median_time(partial(crossover, pair, rng)) for pair in pairs]
    theirs = networkx_times(case, pairs)
    ratio = statistics.median(theirs) / statistics.median(ours[: len(theirs)])
    p95 = float(np.quantile(ours, 0.95))
    return Timing(statistics.median(ours), p95, statistics.median(theirs), len(theirs), ratio)


def proof_time(size: int, count: int = 40) -> float:
    """Return the median seconds to a proven distance of related graphs of ``size`` nodes."""
    rng = np.random.default_rng(1)
    pairs = [related_pair(rng, size) for _ in range(count)]
    times = [median_time(partial(shortest_edit_path, *pair, node_budget=20_000), 2) for pair in pairs]
    return statistics.median(times)


CASES = (
    Case("nb101", lambda rng: (nas_bench_101_cell(rng), nas_bench_101_cell(rng)), 400, 100, 25.0),
    Case("nb201", lambda rng: (nas_bench_201_line_graph(rng), nas_bench_201_line_graph(rng)), 400, 40, 10.0),
    Case("related10", related_pair, 200, 12, 20.0),
)


def main() -> None:
    figures: dict[str, float] = {}
    print(f"{'pairs':<12}{'ours ms':>10}{'p95 ms':>10}{'NetworkX ms':>14}{'n':>5}{'ratio':>9}")
    for case in CASES:
        timing = measure(case)
        print(
            f"{case.name:<12}{timing.ours * 1e3:>10.3f}{timing.ours_p95 * 1e3:>10.3f}"
            f"{timing.networkx * 1e3:>14.1f}{timing.networkx_pairs:>5}{timing.ratio:>9.0f}"
        )
        figures[f"{case.name}_ratio"] = round(timing.ratio, 1)
        figures[f"{case.name}_ms"] = round(timing.ours * 1e3, 4)
    rng = np.random.default_rng(2)
    cells = [nas_bench_101_cell(rng) for _ in range(400)]
    keys = [median_time(partial(canonical_key, cell)) for cell in cells]
    figures["canonical_key_us"] = round(statistics.median(keys) * 1e6, 1)
    figures["related20_ms"] = round(proof_time(20) * 1e3, 3)
    print(f"canonical key of a cell: {figures['canonical_key_us']} µs; related 20: {figures['related20_ms']} ms")
    targets: dict[str, tuple[str, float]] = {
        "nb101_ratio": (">=", 300.0),
        "canonical_key_us": ("<=", 60.0),
        "related20_ms": ("<=", 5.0),
    }
    held = {">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b}
    ok = all(held[sign](figures[name], bound) for name, (sign, bound) in targets.items())
    print(json.dumps({"benchmark": "sep", "figures": figures, "targets": targets, "ok": ok}))


if __name__ == "__main__":
    main()
