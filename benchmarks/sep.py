"""Time the whole SEP crossover against NetworkX's exact edit paths, on the same pairs in one run.

Run it as ``python benchmarks/sep.py``; it takes one to three minutes, most of them NetworkX's, and the last line is
one JSON object. Where Numba is installed (the extra ``fast``) everything of ours is timed twice, with NumPy and with
the compiled loops; without it the targets of the compiled loops are left out.

What is timed. *Whole* is one crossover from two NetworkX graphs to an ordered child (`automl.graphs.crossover`): read,
solve the distance, list the edits, draw and close a subset, apply it, order the child. *Solve* is the distance alone,
from graphs already read, by the functions that give matchings and bounds. *Strategy* is the operator as the strategy
runs it, with the loops that are chosen by themselves: an edit path, from which it draws further children where one is
no member of its space. Times are the processor's, so that other programs do not count, and nothing is cached between
repeats. NetworkX only solves (``optimal_edit_paths``), as is done before a crossover, and only the head of each list,
or as many pairs as its seconds allow; the ratio is of medians over the pairs of both. NetworkX needs 14 s and more for
each pair of larger graphs, which are timed without it.

The pairs. ``nb101 full``: cells drawn as NAS-Bench-101 draws them (each entry of the upper triangle with probability
1/2, at most 9 edges), all 7 nodes in use. ``nb101 raw``: the same before pruning. ``nb201``: line graphs, whose two
terminals are pinned. ``related n``: a random DAG of n nodes with about 1.4 parents each and 7 operations, no terminals,
and a renumbered copy after six different random edits (a node's operation, or an edge), as in a converged population.
``unrelated n``: two such random DAGs.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import nan
from pathlib import Path
from sys import path as import_path
from typing import Any

import networkx as nx
import numpy as np
from numpy.random import Generator

import_path.insert(0, str(Path(__file__).resolve().parents[1]))

from automl.errors import ConfigurationError
from automl.graphs.branch_and_bound import Budget
from automl.graphs.canonical import canonical_key
from automl.graphs.crossover import Crossing, cross
from automl.graphs.edit_costs import EditCosts
from automl.graphs.edit_distance import plain_edit_distance
from automl.graphs.edit_path import shortest_edit_path
from automl.graphs.kernels import Kernel, compiled_kernel
from automl.graphs.plain import read_graph
from automl.graphs.topology import random_topological_order

Pair = tuple[Any, Any]
ENDS = ("input", "output")
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
    networkx_pairs: int = 0
    networkx_seconds: float = 0.0
    compiled_only: bool = False


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


def nas_bench_101_cell(rng: Generator, *, is_full: bool = True) -> Any:
    """Return a cell of NAS-Bench-101 before pruning, at will one that pruning leaves whole."""
    while True:
        upper = np.triu(rng.random((7, 7)) < 0.5, 1)
        graph = labelled(random_labels(rng, 7, OPERATIONS))
        graph.add_edges_from([(int(u), int(v)) for u, v in np.argwhere(upper)])
        used = (nx.descendants(graph, 0) | {0}) & (nx.ancestors(graph, 6) | {6})
        if {0, 6} <= used and graph.subgraph(used).number_of_edges() <= 9 and (len(used) == 7 or not is_full):
            return graph


def nas_bench_201_line_graph(rng: Generator) -> Any:
    graph = labelled(random_labels(rng, 8, LINE_OPERATIONS))
    graph.add_edges_from(LINE_EDGES)
    return graph


def random_dag(rng: Generator, size: int) -> Any:
    graph: Any = nx.DiGraph()
    for node in range(size):
        graph.add_node(node, label=f"op{int(rng.integers(7))}")
    graph.add_edges_from((u, v) for v in range(size) for u in range(v) if rng.random() < min(1.0, 1.4 / v))
    return graph


def related_pair(rng: Generator, size: int) -> Pair:
    first = random_dag(rng, size)
    second: Any = nx.DiGraph(first)
    edited: set[Any] = set()
    while len(edited) < 6:
        source, target = sorted(rng.choice(size, 2, replace=False).tolist())
        place = source if rng.random() < 1 / 3 else (source, target)
        if place in edited:
            continue
        edited.add(place)
        if place == source:
            others = [f"op{i}" for i in range(7) if f"op{i}" != first.nodes[source]["label"]]
            second.add_node(source, label=others[int(rng.integers(6))])
        elif second.has_edge(source, target):
            second.remove_edge(source, target)
        else:
            second.add_edge(source, target)
    return first, nx.relabel_nodes(second, dict(enumerate(rng.permutation(size).tolist())))


def crossover(pair: Pair, rng: Generator, kernel: Kernel = "auto") -> Crossing:
    """Run the whole operator once: read, solve, sample, close, apply, order."""
    return cross(*pair, rng, opening=ENDS[:1], closing=ENDS[1:], kernel=kernel)


def strategy_crossover(pair: Pair, rng: Generator) -> Any:
    """Run the operator as the strategy does: a path from which further children can be drawn without solving again."""
    path = shortest_edit_path(*pair, rng=rng)
    child = path.sample(rng, 0.5)
    return random_topological_order(child, rng, first=ENDS[:1], last=ENDS[1:]) if ENDS[0] in child else child


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
        start = time.thread_time()
        function()
        times.append(time.thread_time() - start)
    return statistics.median(times)


def networkx_times(case: Case, pairs: Sequence[Pair]) -> list[float]:
    """Return NetworkX's times on the first pairs, checking that it finds our distances."""
    times: list[float] = []
    for pair in pairs[: case.networkx_pairs]:
        start = time.thread_time()
        distance = networkx_distance(pair)
        times.append(time.thread_time() - start)
        if shortest_edit_path(*pair).distance != distance:
            raise SystemExit(f"{case.name}: NetworkX found another distance, {distance}")
        if sum(times) > case.networkx_seconds:
            break
    return times


def solve_time(pair: Pair, kernel: Kernel, rng: Generator) -> float:
    base, other = read_graph(pair[0]), read_graph(pair[1])
    return median_time(partial(plain_edit_distance, base, other, UNIT, BUDGET, rng, kernel))


def measure(case: Case, kernels: Sequence[Kernel]) -> dict[str, float]:
    """Print a line per kernel; return ratios of the whole operator, and median milliseconds."""
    rng = np.random.default_rng(0)
    pairs = [case.draw(rng) for _ in range(case.pairs)]
    theirs = networkx_times(case, pairs)
    figures: dict[str, float] = {}
    for kernel in kernels:
        if case.compiled_only and kernel != "compiled":
            continue
        for pair in pairs[:20]:
            crossover(pair, rng, kernel)
        whole = [median_time(partial(crossover, pair, rng, kernel)) * 1e3 for pair in pairs]
        solve = [solve_time(pair, kernel, rng) * 1e3 for pair in pairs]
        is_default = kernel == kernels[-1]
        path = [median_time(partial(strategy_crossover, pair, rng)) * 1e3 for pair in pairs] if is_default else [nan]
        name = f"{case.name}_{kernel}"
        figures[f"{name}_ms"] = statistics.median(whole)
        figures[f"{name}_solve_ms"] = statistics.median(solve)
        if is_default:
            figures[f"{name}_strategy_ms"] = statistics.median(path)
        line = f"{case.name:<13}{kernel:<10}{statistics.median(whole):>9.3f}{np.quantile(whole, 0.95):>9.3f}"
        line += f"{statistics.median(solve):>10.3f}{np.quantile(solve, 0.95):>9.3f}{statistics.median(path):>10.3f}"
        if theirs:
            reference = statistics.median(theirs) * 1e3
            figures[f"{name}_ratio"] = reference / statistics.median(whole[: len(theirs)])
            figures[f"{name}_solve_ratio"] = reference / statistics.median(solve[: len(theirs)])
            line += f"{reference:>11.1f}{len(theirs):>5}{figures[f'{name}_ratio']:>9.0f}"
            line += f"{figures[f'{name}_solve_ratio']:>9.0f}"
        print(line, flush=True)
    return figures


def certified_gap(kernel: Kernel, count: int = 10) -> dict[str, float]:
    """Return what 50 ms give for unrelated graphs of 25 nodes: worst seconds, and the median gap in edits."""
    rng = np.random.default_rng(3)
    pairs = [(random_dag(rng, 25), random_dag(rng, 25)) for _ in range(count)]
    gaps, times = [], []
    small = read_graph(random_dag(rng, 9))
    plain_edit_distance(
        small, small, UNIT, Budget(deadline=time.monotonic() + 1.0), rng, kernel
    )  # loads what is compiled
    for first, second in pairs:
        one, two = read_graph(first), read_graph(second)
        start = time.perf_counter()
        found = plain_edit_distance(one, two, UNIT, Budget(deadline=time.monotonic() + 0.05), rng, kernel)
        times.append(time.perf_counter() - start)
        gaps.append((found.upper - found.lower) / found.upper)
    print(f"unrelated 25, {kernel}, 50 ms: gap {statistics.median(gaps):.0%}, {max(times) * 1e3:.1f} ms at most")
    return {f"unrelated25_{kernel}_ms": statistics.median(times) * 1e3, f"gap25_{kernel}": statistics.median(gaps)}


UNIT, BUDGET = EditCosts(), Budget()
CASES = (
    Case("nb101_full", lambda rng: (nas_bench_101_cell(rng), nas_bench_101_cell(rng)), 300, 100, 8.0),
    Case(
        "nb101_raw",
        lambda rng: (nas_bench_101_cell(rng, is_full=False), nas_bench_101_cell(rng, is_full=False)),
        200,
        60,
        6.0,
    ),
    Case("nb201", lambda rng: (nas_bench_201_line_graph(rng), nas_bench_201_line_graph(rng)), 300, 60, 6.0),
    Case("related10", lambda rng: related_pair(rng, 10), 200, 30, 40.0),
    Case("unrelated10", lambda rng: (random_dag(rng, 10), random_dag(rng, 10)), 40),
    Case("related12", lambda rng: related_pair(rng, 12), 60),
    Case("unrelated12", lambda rng: (random_dag(rng, 12), random_dag(rng, 12)), 20),
    Case("related16", lambda rng: related_pair(rng, 16), 40),
    Case("unrelated16", lambda rng: (random_dag(rng, 16), random_dag(rng, 16)), 30, compiled_only=True),
    Case("related20", lambda rng: related_pair(rng, 20), 40),
    Case("related25", lambda rng: related_pair(rng, 25), 20, compiled_only=True),
)
TARGETS: dict[Kernel, dict[str, tuple[str, float]]] = {
    "numpy": {
        "nb101_full_numpy_ratio": (">=", 500.0),
        "nb201_numpy_ratio": (">=", 150.0),
        "related10_numpy_ratio": (">=", 1000.0),
        "related20_numpy_solve_ms": ("<=", 5.0),
        "canonical_key_us": ("<=", 60.0),
    },
    "compiled": {
        "nb101_full_compiled_ratio": (">=", 2000.0),
        "related10_compiled_ratio": (">=", 5000.0),
        "unrelated16_compiled_solve_ms": ("<=", 3.0),
        "unrelated25_compiled_ms": ("<=", 60.0),
    },
}


def available() -> tuple[Kernel, ...]:
    try:
        compiled_kernel("compiled")
    except ConfigurationError as missing:
        print(missing)
        return ("numpy",)
    return ("numpy", "compiled")


def main() -> None:
    kernels = available()
    figures: dict[str, float] = {}
    print("milliseconds (median, 95 %); NetworkX: median and pairs; ratios of the whole operator and of solving alone")
    heads = f"{'whole':>9}{'95 %':>9}{'solve':>10}{'95 %':>9}{'strategy':>10}{'NetworkX':>11}{'n':>5}"
    print(f"{'pairs':<13}{'kernel':<10}{heads}")
    for case in CASES:
        figures |= measure(case, kernels)
    for kernel in kernels:
        figures |= certified_gap(kernel)
    rng = np.random.default_rng(2)
    cells = [nas_bench_101_cell(rng) for _ in range(400)]
    figures["canonical_key_us"] = statistics.median(median_time(partial(canonical_key, cell)) for cell in cells) * 1e6
    print(f"canonical key of a cell: {figures['canonical_key_us']:.1f} µs")
    targets = {name: bound for kernel in kernels for name, bound in TARGETS[kernel].items()}
    held = {">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b}
    missed = [name for name, (sign, bound) in targets.items() if not held[sign](figures[name], bound)]
    for name in missed:
        print(f"missed: {name} is {figures[name]:.3f}, and the target is {' '.join(map(str, targets[name]))}")
    rounded = {name: round(value, 4) for name, value in figures.items()}
    print(json.dumps({"benchmark": "sep", "figures": rounded, "targets": targets, "ok": not missed}))


if __name__ == "__main__":
    main()
