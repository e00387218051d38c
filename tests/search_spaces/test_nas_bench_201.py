import numpy as np
import pytest
import torch
from single import Inputs

from automl import Architecture, ConfigurationError, InvalidArchitecture
from automl_spaces.nas_bench_201 import EDGES, OPERATIONS, Cell, NasBench201, NasBench201Options

SHAPES = ((1, 8, 8), (1, 28, 28), (3, 32, 32), (2, 33, 47))
SKIP, ONE, THREE, POOL = OPERATIONS[1:]


def samples(space, count, seed=0):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


def cell(**operations):
    """Return the cell with the given operations, as ``e01="skip_connect"``, and ``none`` elsewhere."""
    return Cell(tuple(operations.get(f"e{source}{target}", "none") for source, target in EDGES))


def key(blueprint):
    space = NasBench201()
    return space.key(Architecture.of(space.encode(blueprint)))


@pytest.fixture(scope="module")
def table(automl_data):
    with np.load(automl_data("nasbench201/nasbench201.npz"), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def row_cell(table, row):
    return Cell(tuple(str(table["op_names"][i]) for i in table["ops"][row]))


def test_encoding_is_the_inverse_of_the_walk():
    space = NasBench201()
    for architecture in samples(space, 200):
        assert Architecture.of(space.encode(space.blueprint(architecture))) == architecture


def test_there_are_15_625_walks_and_24_neighbours():
    space = NasBench201()
    architectures = list(space.enumerate())
    assert len(set(architectures)) == len(architectures) == space.size() == 15_625
    for architecture in samples(space, 20):
        neighbours = set(space.neighbours(architecture))
        assert len(neighbours) == 24
        assert all(sum(one[name] != architecture[name] for name in one) == 1 for one in neighbours)


def test_a_graph_gives_back_its_cell():
    space, rng = NasBench201(), np.random.default_rng(0)
    for architecture in samples(space, 200):
        assert space.reorder(architecture, rng) == architecture


def test_edits_of_a_graph_give_the_edited_cell():
    space, rng = NasBench201(), np.random.default_rng(0)
    graph = space.graph(cell(e01=ONE, e13=THREE))
    graph.remove_edge(0, 1)
    graph.add_edge(0, 3, label=SKIP)
    graph.edges[1, 3]["label"] = POOL
    assert space.from_graph(graph, rng) == cell(e03=SKIP, e13=POOL)


@pytest.mark.parametrize(
    "change",
    [
        lambda graph: graph.add_edge(3, 0, label=SKIP),
        lambda graph: graph.add_edge(0, 2, label="conv_7x7"),
        lambda graph: graph.add_edge(0, 2),
        lambda graph: graph.add_node(4, label=ONE),
        lambda graph: graph.remove_node(1),
    ],
)
def test_graphs_that_are_no_cell_are_refused(change):
    space = NasBench201()
    graph = space.graph(cell(e01=ONE, e13=THREE))
    change(graph)
    with pytest.raises(InvalidArchitecture):
        space.from_graph(graph, np.random.default_rng(0))


def test_official_strings_go_both_ways():
    space = NasBench201()
    for architecture in samples(space, 50):
        blueprint = space.blueprint(architecture)
        assert Cell.parse(space.title(blueprint)) == blueprint
    for wrong in ("", "|none~0|+|none~0|none~1|", str(cell()).replace("none", "nil")):
        with pytest.raises(InvalidArchitecture):
            Cell.parse(wrong)


def test_cells_that_differ_in_node_numbers_or_detours_are_one():
    assert key(cell(e01=ONE, e13=THREE)) == key(cell(e02=ONE, e23=THREE))
    assert key(cell(e01=SKIP, e13=THREE)) == key(cell(e03=THREE))
    assert key(cell(e03=THREE)) == key(cell(e03=THREE, e01=POOL))
    assert key(cell(e03=THREE)) == key(cell(e03=THREE, e12=POOL, e23=SKIP))
    assert key(cell()) == key(cell(e01=SKIP)) == key(cell(e23=POOL))


def test_shared_and_separate_convolutions_are_two():
    shared = cell(e01=ONE, e12=SKIP, e13=SKIP, e23=SKIP)
    separate = cell(e01=ONE, e02=ONE, e13=SKIP, e23=SKIP)
    assert key(shared) != key(separate)
    assert key(shared) != key(cell(e01=ONE, e13=SKIP))


def test_convolutions_that_own_parameters_are_never_dropped():
    assert key(cell(e03=SKIP)) != key(cell(e03=SKIP, e01=ONE))
    assert key(cell(e03=SKIP, e01=ONE)) != key(cell(e03=SKIP, e01=THREE))
    assert key(cell(e03=SKIP, e01=ONE)) == key(cell(e03=SKIP, e02=ONE))
    assert key(cell(e03=SKIP, e01=ONE)) != key(cell(e03=SKIP, e13=ONE))


def test_keys_refine_the_classes_of_the_table(table):
    keys = [key(row_cell(table, row)) for row in range(15_625)]
    classes = table["class_zero_pruned"].tolist()
    assert len(set(keys)) == 6_410
    assert len(set(zip(keys, classes, strict=True))) == len(set(keys))
    assert len(set(classes)) == 4_930


def test_cells_of_one_key_have_the_same_number_of_parameters(table):
    counts = {}
    for row in range(15_625):
        counts.setdefault(key(row_cell(table, row)), set()).add(float(table["cifar10_params_m"][row]))
    assert all(len(found) == 1 for found in counts.values())


def test_parameters_agree_with_the_table(table):
    space = NasBench201(NasBench201Options(channels=16, cells_per_stage=5))
    for row in np.random.default_rng(0).choice(15_625, 150, replace=False):
        with torch.device("meta"):
            network = space.build(row_cell(table, row), Inputs(3, 32, 32))
        found = sum(weight.numel() for weight in network.parameters())
        assert found == round(float(table["cifar10_params_m"][row]) * 1e6)


@pytest.mark.parametrize("shape", SHAPES)
def test_networks_take_images_of_any_size(shape):
    space = NasBench201()
    for architecture in samples(space, 3):
        network = space.build(space.blueprint(architecture), Inputs(*shape))
        assert network(torch.zeros(2, *shape)).shape == (2, 10)


def test_a_gradient_reaches_every_parameter_that_the_output_depends_on():
    space, generator = NasBench201(), torch.Generator().manual_seed(0)
    for architecture in samples(space, 15):
        graph = space.computed_graph_of(architecture)
        network = space.build(space.blueprint(architecture), Inputs(1, 8, 8))
        network(torch.randn(4, 1, 8, 8, generator=generator)).square().sum().backward()
        idle = {name for name in graph if name not in ("input", "output") and graph.degree(name) == 0}
        starved = {name.split(".")[2] for name, weight in network.named_parameters() if weight.grad is None}
        assert starved == idle


def reference(network_cell, operations, image):
    """Return the cell's output computed edge by edge, ``none`` as a product with zero."""
    states = [image]
    for node in range(1, 4):
        total = torch.zeros_like(image)
        for (source, target), operation in zip(EDGES, operations, strict=True):
            if target == node:
                edge = network_cell.edges[f"edge_{source}_{target}"] if operation != "none" else torch.zeros_like
                total = total + edge(states[source])
        states.append(total)
    return states[-1]


def test_a_cell_computes_what_the_paper_says():
    space, generator = NasBench201(), torch.Generator().manual_seed(0)
    for architecture in samples(space, 20):
        blueprint = space.blueprint(architecture)
        built = space.build(blueprint, Inputs(1, 8, 8)).eval().get_submodule("cell_0_0")
        for name, weight in built.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.uniform_(weight, generator=generator)
        image = torch.randn(2, 8, 8, 8, generator=generator)
        torch.testing.assert_close(built(image), reference(built, blueprint.operations, image))


def test_other_inputs_than_images_are_a_configuration_error():
    with pytest.raises(ConfigurationError, match="image"):
        NasBench201().build(cell(), Inputs(13))
