import itertools

import networkx as nx
import numpy as np
import pytest

from automl import Architecture, InvalidArchitecture
from automl_plugins.strategies._crossover import sep_child
from automl_spaces.darts.genotype import EVERY_OPERATION, NAMED, OPERATIONS, Cell, Cells
from automl_spaces.darts.space import Darts, DartsOptions

SKIP, MAX = "skip_connect", "max_pool_3x3"
SMALL = DartsOptions(nodes=2, operations=(SKIP, MAX))


def samples(space, count, seed=0):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


def every_cell(nodes, operations):
    """Return all cells as sets of edges per node: distinct inputs, in no order; written without the walk."""
    choices = [
        [
            frozenset(zip(pair, kinds, strict=True))
            for pair in itertools.combinations(range(node), 2)
            for kinds in itertools.product(operations, repeat=2)
        ]
        for node in range(2, 2 + nodes)
    ]
    return list(itertools.product(*choices))


def renumbered(cell):
    """Return the cell's edges under every numbering of its inner nodes that is in topological order."""
    inner = range(2, 2 + len(cell))
    found = set()
    for order in itertools.permutations(inner):
        place = {0: 0, 1: 1, **dict(zip(inner, order, strict=True))}
        edges = {
            (place[source], place[node], kind) for node, read in zip(inner, cell, strict=True) for source, kind in read
        }
        if all(source < target for source, target, _ in edges):
            found.add(frozenset(edges))
    return frozenset(found)


def test_there_are_as_many_walks_as_the_paper_says():
    assert Darts().size() == float((180 * 7**8) ** 2) == pytest.approx(1.0768e18, rel=1e-4)
    assert Darts(DartsOptions(operations=EVERY_OPERATION, repeated_inputs=True)).size() == float((14400 * 8**8) ** 2)


@pytest.mark.parametrize("options", [SMALL, SMALL.model_copy(update={"repeated_inputs": True})])
def test_the_size_is_the_number_of_walks(options):
    space = Darts(options.model_copy(update={"nodes": 1}))
    assert len(set(space.enumerate())) == space.size()


def test_all_cells_of_two_nodes_are_there_and_their_keys_are_those_of_renumbering():
    space = Darts(SMALL)
    cells = every_cell(2, SMALL.operations)
    assert len(cells) ** 2 == space.size() == 48**2
    keys, classes = {}, {}
    fixed = Cell.parse(f"{SKIP}:0 {SKIP}:1 {SKIP}:0 {SKIP}:1")
    for cell in cells:
        edges = [(kind, source) for read in cell for source, kind in sorted(read, reverse=True)]
        architecture = Architecture.of(space.encode(Cells(Cell.of(edges), fixed)))
        assert space.validate(architecture) == architecture
        keys.setdefault(space.key(architecture), set()).add(cell)
        classes.setdefault(renumbered(cell), set()).add(cell)
    assert sorted(map(sorted, map(list, keys.values())), key=str) == sorted(
        map(sorted, map(list, classes.values())), key=str
    )
    assert len(keys) == 42


def test_samples_are_uniform_over_numbered_cells():
    """Chi-squared of 4,000 draws over the 48 normal cells, 47 degrees of freedom: below 83 in all but 0.1 %."""
    space, rng = Darts(SMALL), np.random.default_rng(0)
    counts = {}
    for _ in range(4_000):
        normal = space.blueprint(space.sample(rng)).normal
        counts[normal] = counts.get(normal, 0) + 1
    assert len(counts) == 48
    assert sum((count - 4_000 / 48) ** 2 / (4_000 / 48) for count in counts.values()) < 83


def test_the_order_of_a_nodes_inputs_and_of_its_neighbours_does_not_matter():
    space = Darts(DartsOptions(nodes=2))
    first = Cell.parse("sep_conv_3x3:0 skip_connect:1 max_pool_3x3:1 avg_pool_3x3:0")
    swapped = Cell.parse("skip_connect:1 sep_conv_3x3:0 avg_pool_3x3:0 max_pool_3x3:1")
    renumbered = Cell.parse("max_pool_3x3:1 avg_pool_3x3:0 sep_conv_3x3:0 skip_connect:1")
    other = Cell.parse("sep_conv_3x3:1 skip_connect:0 max_pool_3x3:1 avg_pool_3x3:0")

    def key(normal, reduce=first):
        return space.key(Architecture.of(space.encode(Cells(normal, reduce))))

    assert key(first) == key(swapped) == key(renumbered)
    assert key(first) != key(other)
    assert key(first, other) != key(other, first)


def test_an_edge_with_nothing_is_no_part_of_the_network():
    space = Darts(DartsOptions(nodes=2, operations=EVERY_OPERATION))
    rest = "none:0 skip_connect:1"
    keys = {
        space.key(Architecture.of(space.encode(Cells(Cell.parse(text), Cell.parse(text)))))
        for text in (f"{rest} none:0 max_pool_3x3:2", f"{rest} none:1 max_pool_3x3:2")
    }
    assert len(keys) == 1


@pytest.mark.parametrize("repeated", [False, True])
def test_graphs_give_back_their_cells(repeated):
    space = Darts(DartsOptions(operations=EVERY_OPERATION, repeated_inputs=repeated))
    rng = np.random.default_rng(1)
    for one in samples(space, 30):
        assert space.key(space.reorder(one, rng)) == space.key(one)
        assert space.key(space.architecture_of(space.graph_of(one), rng)) == space.key(one)
        both = nx.compose(*space.graphs_of(one))
        assert nx.utils.graphs_equal(both, space.graph_of(one))


@pytest.mark.parametrize(
    "change",
    [
        lambda graph: graph.remove_edge(("normal", 0), ("normal", 2)),
        lambda graph: graph.add_edge(("normal", 2), ("reduce", 3), label=SKIP),
        lambda graph: graph.add_edge(("normal", 0), ("normal", 6), label=""),
        lambda graph: graph.add_edge(("normal", 0), ("normal", 1), label=SKIP),
        lambda graph: graph.remove_edge(("normal", 3), ("normal", 6)),
        lambda graph: graph.add_edge(("normal", 0), ("normal", 2), label="conv_7x7"),
        lambda graph: graph.add_node("more", label="normal sum"),
        lambda graph: graph.add_node("more", label="other"),
        lambda graph: graph.remove_node(("reduce", 0)),
        lambda graph: graph.add_node(("normal", 3), label="normal product"),
    ],
)
def test_graphs_that_are_no_cells_are_refused(change):
    space = Darts()
    graph = space.graph(NAMED["darts_v2"])
    change(graph)
    with pytest.raises(InvalidArchitecture):
        space.from_graph(graph, np.random.default_rng(0))


def test_a_crossover_mixes_normal_with_normal():
    """Parents share the reduction cell, so every child has it; its normal cell lies between theirs."""
    space, rng = Darts(), np.random.default_rng(0)
    first = NAMED["darts_v1"]
    second = Cells(Cell.parse(" ".join(f"dil_conv_5x5:{i}" for i in (0, 1, 0, 1, 0, 1, 0, 2))), first.reduce)
    parents = [Architecture.of(space.encode(cells)) for cells in (first, second)]
    reduce = space.key(Architecture.of(space.encode(Cells(first.reduce, first.reduce))))
    found = [sep_child(space, *parents, rng) for _ in range(20)]
    assert all(found)
    for child, distance in found:
        cells = space.blueprint(child)
        assert distance == 8
        assert space.key(Architecture.of(space.encode(Cells(cells.reduce, cells.reduce)))) == reduce
        assert sum(operation == "dil_conv_5x5" for operation, _ in cells.normal.edges) == 4


def test_named_architectures_need_four_nodes_and_their_operations():
    assert Darts().names == ("darts_v1", "darts_v2")
    assert Darts(DartsOptions(nodes=3)).names == ()
    assert Darts(DartsOptions(operations=[kind for kind in OPERATIONS if "dil" not in kind])).names == ("darts_v1",)


def test_titles_are_short():
    title = Darts().title(NAMED["darts_v2"])
    assert title.startswith("normal sep3(0)+sep3(1), sep3(0)+sep3(1), sep3(1)+skip(0), skip(0)+dil3(2); reduce max(0)+")
