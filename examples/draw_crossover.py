"""Draw a crossover of two cells: both parents, the edits between them, and a child that takes half of them.

Run it as ``python examples/draw_crossover.py [FILE]``; the picture is ``sep_crossover.png`` unless another is named.
"""

import sys
from pathlib import Path

import networkx as nx
import numpy as np

from automl import EditPath, draw_crossover


def cell(operations: list[str], edges: list[tuple[int, int]]) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_node("in", label="input", terminal=True)
    for node, operation in enumerate(operations, 1):
        graph.add_node(node, label=operation)
    graph.add_node("out", label="output", terminal=True)
    names = ["in", *range(1, len(operations) + 1), "out"]
    graph.add_edges_from((names[source], names[target]) for source, target in edges)
    return graph


def main() -> None:
    file = Path(sys.argv[1] if len(sys.argv) > 1 else "sep_crossover.png")
    # The same branch, pool after 3x3, has different numbers in the two cells: aligning them first is the point.
    first = cell(
        ["conv 3x3", "pool", "conv 1x1", "conv 3x3", "conv 1x1"],
        [(0, 1), (1, 2), (2, 6), (0, 3), (3, 4), (4, 6), (0, 5), (5, 6)],
    )
    second = cell(
        ["conv 1x1", "conv 1x1", "conv 3x3", "pool"],
        [(0, 3), (3, 4), (4, 5), (0, 1), (1, 2), (2, 5), (3, 2)],
    )
    rng = np.random.default_rng(1)
    path = EditPath.between(first, second, rng=rng)
    taken = path.choose(rng)
    file.write_bytes(draw_crossover(path, taken, "Shortest-edit-path crossover"))
    print(f"{path.distance} edits, {len(taken)} taken: {file}")


if __name__ == "__main__":
    main()
