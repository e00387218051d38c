import itertools

import networkx as nx
import numpy as np
import pytest
import torch
from single import Inputs

from automl import Architecture, ConfigurationError, InvalidArchitecture
from automl_spaces.nas_cell import Cell, NasCell, NasCellOptions

SHAPES = ((1, 8, 8), (1, 28, 28), (3, 32, 32), (2, 33, 47))
PUBLISHED = NasCellOptions(stem_channels=128, stacks=3, cells_per_stack=3)


def samples(space, count, seed=0):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


def parameters(space, cell, task):
    with torch.device("meta"):
        return sum(weight.numel() for weight in space.build(cell, task).parameters())


@pytest.mark.parametrize(("nodes", "cells"), [(2, 1), (3, 7), (4, 91), (5, 2532)])
def test_small_spaces_have_as_many_cells_as_published(nodes, cells):
    space = NasCell(NasCellOptions(max_nodes=nodes))
    assert len({space.key(architecture) for architecture in space.enumerate()}) == cells


@pytest.mark.slow
def test_six_nodes_give_64_542_cells():
    space = NasCell(NasCellOptions(max_nodes=6))
    assert len({space.key(architecture) for architecture in space.enumerate()}) == 64_542


def test_enumeration_covers_every_walk_of_four_nodes():
    space = NasCell(NasCellOptions(max_nodes=4))
    enumerated = list(space.enumerate())
    assert len(set(enumerated)) == len(enumerated)
    assert all(space.validate(architecture) == architecture for architecture in enumerated)
    walks = list(super(NasCell, space).enumerate())
    assert {space.key(walk) for walk in walks} == {space.key(one) for one in enumerated}


def test_enumeration_respects_fewer_edges_and_operations():
    space = NasCell(NasCellOptions(max_nodes=5, max_edges=4, operations=("maxpool3x3",)))
    walks = {space.key(walk) for walk in super(NasCell, space).enumerate()}
    assert {space.key(one) for one in space.enumerate()} == walks


def test_encoding_is_the_inverse_of_the_walk():
    space = NasCell()
    for architecture in samples(space, 200):
        assert Architecture.of(space.encode(space.blueprint(architecture))) == architecture
        assert list(architecture) == list(space.encode(space.blueprint(architecture)))


@pytest.mark.parametrize("nodes", [2, 3, 7])
def test_a_graph_gives_back_a_cell_of_the_same_key(nodes):
    space, rng = NasCell(NasCellOptions(max_nodes=nodes)), np.random.default_rng(1)
    for architecture in samples(space, 200):
        again = space.reorder(architecture, rng)
        assert space.key(again) == space.key(architecture)
        pruned = space.architecture_of(space.computed_graph_of(architecture), rng)
        assert space.key(pruned) == space.key(architecture)


def test_reordering_finds_every_topological_order():
    space, rng = NasCell(NasCellOptions(max_nodes=5)), np.random.default_rng(2)
    cell = Cell(("maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu"), ((0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)))
    orders = {space.from_graph(space.graph(cell), rng).operations for _ in range(200)}
    assert orders == set(itertools.permutations(cell.operations))


def test_neighbours_differ_in_one_decision_and_are_valid():
    space = NasCell()
    for architecture in samples(space, 20):
        neighbours = list(space.neighbours(architecture))
        assert neighbours
        for neighbour in neighbours:
            assert sum(neighbour[name] != architecture[name] for name in architecture) == 1
            assert space.validate(neighbour) == neighbour


def test_perturbation_uses_the_published_rates():
    space = NasCell()
    decisions = space.decisions(samples(space, 1)[0])
    rates = dict(zip([decision.role for decision in decisions], space.mutation_rates(decisions), strict=True))
    assert rates == {"edge": 1 / 7, "operation": 1 / 5}
    assert len(decisions) == 21 + 5


def test_two_nodes_leave_one_cell_with_no_operation():
    space = NasCell(NasCellOptions(max_nodes=2))
    (architecture,) = space.enumerate()
    assert dict(architecture) == {"edge_0_1": True}
    assert space.title(space.blueprint(architecture)) == "2 nodes, 1 edge: no operation"
    with pytest.raises(InvalidArchitecture, match="no decision"):
        space.perturb(architecture, np.random.default_rng(0))


def test_pruning_keeps_exactly_the_nodes_between_input_and_output():
    for architecture in samples(NasCell(), 300, seed=3):
        cell = NasCell().blueprint(architecture)
        graph = nx.DiGraph(cell.edges)
        last = len(cell.operations) + 1
        between = (nx.descendants(graph, 0) | {0}) & (nx.ancestors(graph, last) | {last})
        assert cell.live() == sum(1 << node for node in between)
        assert len(cell.pruned().operations) == len(between) - 2
        assert len(cell.pruned().edges) == graph.subgraph(between).number_of_edges() <= 9
        assert cell.pruned().pruned() == cell.pruned()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"edge_0_1": True}, "no path"),
        ({f"edge_{i}_{j}": True for i, j in itertools.combinations(range(7), 2)}, "9 edges"),
    ],
)
def test_cells_without_a_path_or_with_too_many_edges_are_invalid(values, message):
    space = NasCell()
    blank = {name: "maxpool3x3" if name.startswith("op") else False for name in samples(space, 1)[0]}
    with pytest.raises(InvalidArchitecture, match=message):
        space.blueprint({**blank, **values})


def chain(length):
    graph = nx.DiGraph()
    graph.add_node("in", label="input", terminal=True)
    graph.add_node("out", label="output", terminal=True)
    inner = [f"n{i}" for i in range(length)]
    graph.add_nodes_from(inner, label="maxpool3x3")
    nx.add_path(graph, ["in", *inner, "out"])
    return graph


def test_a_graph_with_too_many_nodes_is_pruned_or_refused():
    space, rng = NasCell(NasCellOptions(max_nodes=5)), np.random.default_rng(0)
    graph = chain(3)
    graph.add_nodes_from(["loose", "looser"], label="conv1x1-bn-relu")
    graph.add_edge("in", "loose")
    assert space.from_graph(graph, rng).operations == ("maxpool3x3",) * 3
    with pytest.raises(InvalidArchitecture, match="5 nodes"):
        space.from_graph(chain(4), rng)


def test_a_small_graph_is_filled_with_unconnected_nodes():
    space = NasCell(NasCellOptions(max_nodes=5))
    cell = space.from_graph(chain(1), np.random.default_rng(0))
    assert cell == Cell(("maxpool3x3", "conv3x3-bn-relu", "conv3x3-bn-relu"), ((0, 1), (1, 4)))


def broken(change):
    graph = chain(2)
    change(graph)
    return graph


@pytest.mark.parametrize(
    "change",
    [
        lambda graph: graph.add_edge("n1", "n0"),
        lambda graph: graph.add_edge("n0", "in"),
        lambda graph: graph.add_edge("out", "n0"),
        lambda graph: graph.remove_edge("n0", "n1"),
        lambda graph: graph.remove_node("out"),
        lambda graph: graph.add_node("n0", label="conv5x5"),
        lambda graph: graph.add_node("second", label="other", terminal=True),
    ],
)
def test_graphs_that_are_no_cell_are_refused(change):
    with pytest.raises(InvalidArchitecture):
        NasCell().from_graph(broken(change), np.random.default_rng(0))


def test_options_refuse_repeated_operations():
    with pytest.raises(ValueError, match="distinct"):
        NasCellOptions(operations=("maxpool3x3", "maxpool3x3"))


def test_title_names_the_size_and_the_operations():
    cell = Cell(("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"), ((0, 1), (0, 3), (1, 2), (2, 3), (3, 4)))
    assert NasCell().title(cell) == "5 nodes, 5 edges: 3x3, 1x1, pool"


@pytest.mark.parametrize("shape", SHAPES)
def test_networks_take_images_of_any_size(shape):
    space = NasCell(NasCellOptions(stem_channels=8))
    for architecture in samples(space, 3):
        network = space.build(space.blueprint(architecture), Inputs(*shape))
        assert network(torch.zeros(2, *shape)).shape == (2, 10)


def test_a_gradient_reaches_every_parameter():
    space, task = NasCell(NasCellOptions(stem_channels=8)), Inputs(1, 8, 8)
    generator = torch.Generator().manual_seed(0)
    for architecture in samples(space, 12):
        network = space.build(space.blueprint(architecture), task)
        network(torch.randn(4, 1, 8, 8, generator=generator)).square().sum().backward()
        assert all(weight.grad is not None for weight in network.parameters())


def test_the_widest_small_cell_builds():
    inner = range(1, 9)
    cell = Cell(("conv1x1-bn-relu",) * 8, tuple([(0, i) for i in inner] + [(i, 9) for i in inner]))
    space = NasCell(NasCellOptions(max_nodes=10, max_edges=20, stem_channels=8))
    assert space.build(cell, Inputs(1, 8, 8))(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_small_images_are_not_halved_below_four_pixels():
    space, cell = NasCell(NasCellOptions(stacks=4)), Cell((), ((0, 1),))
    network = space.build(cell, Inputs(1, 17, 40))
    assert [name for name, _ in network.named_children() if "downsample" in name] == ["downsample_1", "downsample_2"]


def test_other_inputs_than_images_are_a_configuration_error():
    with pytest.raises(ConfigurationError, match="image"):
        NasCell().build(Cell((), ((0, 1),)), Inputs(13))


def from_row(table, row):
    nodes, mask = int(table["n_vertices"][row]), int(table["edges"][row])
    pairs = itertools.combinations(range(nodes), 2)
    edges = tuple(pair for bit, pair in enumerate(pairs) if mask >> bit & 1)
    names = [str(name) for name in table["op_names"]]
    return Cell(tuple(names[i] for i in table["ops"][row][: nodes - 2]), edges)


def test_parameters_agree_with_nas_bench_101(automl_data):
    """The table's matrix is one of several orders of a cell; the remainder of channels depends on the order."""
    with np.load(automl_data("nasbench101/sample30k.npz"), allow_pickle=False) as archive:
        table = {name: archive[name] for name in ("n_vertices", "edges", "ops", "op_names", "params")}
    rng, space, task = np.random.default_rng(0), NasCell(PUBLISHED), Inputs(3, 32, 32)
    sizes = [np.flatnonzero(table["n_vertices"] == nodes) for nodes in range(2, 8)]
    rows = np.concatenate([rng.choice(rows, min(40, len(rows)), replace=False) for rows in sizes if len(rows)])
    exact = 0
    for row in rows:
        cell, published = from_row(table, row), table["params"][row]
        found = parameters(space, cell, task)
        exact += found == published
        others = (parameters(space, space.from_graph(space.graph(cell), rng), task) for _ in range(20))
        assert found == published or published in others
    assert exact / len(rows) > 0.95
