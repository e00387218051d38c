import networkx as nx
import pytest
from numpy.random import default_rng

from automl import Candidate, ConfigurationError, Context, InvalidArchitecture
from automl.options import parse_options
from automl.testing import EvaluatorSuite
from automl_plugins.evaluators.edit_distance import EditDistance, preset_graph
from automl_plugins.tasks.none import NoTask
from automl_spaces.nas_bench_201 import NasBench201
from automl_spaces.nas_cell import NasCell, NasCellOptions

CONTEXT = Context(NoTask())
OPTIMUM = "nas_bench_101_optimum"


class TestConformance(EvaluatorSuite):
    def make(self):
        return EditDistance()

    def space(self):
        return NasCell()


def distance(space, architecture, **options):
    evaluator = EditDistance(parse_options(EditDistance, "edit_distance", options))
    return evaluator.evaluate(Candidate(space, architecture), CONTEXT)["edit_distance"]


def test_the_preset_is_the_published_cell():
    graph = preset_graph(OPTIMUM)
    assert [label.partition("-")[0] for _, label in graph.nodes(data="label")] == [
        *("input", "conv1x1", "conv3x3", "maxpool3x3", "conv3x3", "conv3x3", "output")
    ]
    assert sorted(graph.edges) == [(0, 1), (0, 2), (0, 5), (0, 6), (1, 5), (2, 3), (3, 4), (4, 5), (5, 6)]


def test_the_target_in_any_encoding_is_at_distance_0():
    space = NasCell()
    for seed in range(5):
        assert distance(space, space.architecture_of(preset_graph(OPTIMUM), default_rng(seed))) == 0


def test_distance_is_that_of_networkx():
    space, rng = NasCell(), default_rng(3)
    for architecture in [space.sample(rng) for _ in range(3)]:
        expected = nx.graph_edit_distance(
            space.graph_of(architecture),
            preset_graph(OPTIMUM),
            node_match=lambda a, b: a["label"] == b["label"],
            node_subst_cost=lambda a, b: 0 if a["label"] == b["label"] else 1 + 99 * bool(a.get("terminal")),
        )
        assert distance(space, architecture) == expected


def test_dead_parts_count_in_the_raw_graph_alone():
    space = NasCell(NasCellOptions(max_nodes=4))
    values = {f"edge_{i}_{j}": (i, j) in ((0, 3), (1, 2)) for i in range(4) for j in range(i + 1, 4)}
    dead = space.validate({**values, "operation_1": "maxpool3x3", "operation_2": "maxpool3x3"})
    alive = {**dead.to_json(), "edge_1_2": False}
    assert distance(space, dead, target=alive) == 1
    assert distance(space, dead, target=alive, graph="computed") == 0


def test_a_record_can_be_the_target_on_any_space():
    space, rng = NasBench201(), default_rng(0)
    first, second = space.sample(rng), space.sample(rng)
    assert distance(space, first, target=first.to_json()) == 0
    assert distance(space, first, target=second.to_json()) > 0


def test_a_target_of_another_space_is_the_definitions_fault():
    space = NasBench201()
    with pytest.raises(ConfigurationError, match="no member of the search space"):
        distance(space, space.sample(default_rng(0)))
    small = NasCell(NasCellOptions(max_nodes=5))
    with pytest.raises(ConfigurationError, match="'nas_bench_101_optimum' is no member"):
        distance(small, small.sample(default_rng(0)))


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(ConfigurationError, match="one of nas_bench_101_optimum"):
        parse_options(EditDistance, "edit_distance", {"target": "optimum"})


def test_a_candidate_that_is_no_member_is_its_own_fault():
    space = NasCell()
    none = {name: False for name in space.sample(default_rng(0)) if name.startswith("edge")}
    with pytest.raises(InvalidArchitecture):
        distance(space, type(space.sample(default_rng(0))).of(none))
