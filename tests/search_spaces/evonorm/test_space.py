import networkx as nx
import numpy as np
import pytest
from scipy import stats

from automl import (
    Architecture,
    Candidate,
    ConfigurationError,
    Context,
    EditPath,
    Goal,
    InvalidArchitecture,
    Objective,
    Problem,
    ReplayChooser,
    canonical_key,
)
from automl.options import parse_options
from automl.plugins import registry
from automl.testing.problems import TinyTask
from automl.testing.strategies import Walk
from automl_spaces.evonorm import NAMED, EvoNorm, EvoNormOptions, Expression
from automl_spaces.evonorm.expression import INITIAL, OPERATIONS, index_sets
from automl_spaces.evonorm.graphs import graph_of
from automl_spaces.evonorm.screening import screen

SPACE = EvoNorm()
ALL = EvoNorm(EvoNormOptions(members="all"))


def samples(count, seed=0, space=SPACE):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


def changed_nodes(one, other):
    pairs = zip(SPACE.blueprint(one).nodes, SPACE.blueprint(other).nodes, strict=True)
    return [place for place, (first, second) in enumerate(pairs) if first != second]


def test_encoding_is_the_inverse_of_the_walk():
    for architecture in samples(100, space=ALL):
        assert Architecture.of(ALL.encode(ALL.blueprint(architecture))) == architecture


def test_layers_that_do_not_depend_on_their_input_are_members_only_where_all_are():
    constant = ALL.record(ReplayChooser(ALL.encode(Expression.parse("EXP 3"))))
    with pytest.raises(InvalidArchitecture, match="members=all"):
        SPACE.validate(constant)
    assert all(SPACE.blueprint(one).depends_on_x() for one in samples(100))
    assert not all(ALL.blueprint(one).depends_on_x() for one in samples(100, space=ALL))


def test_there_are_as_many_encodings_as_the_paper_counts():
    space = EvoNorm(EvoNormOptions(nodes=2, members="all"))
    count = sum(1 for _ in space.enumerate())
    assert count == (20 * 4 + 4 * 4**2) * (20 * 5 + 4 * 5**2)


def test_named_layers_are_members_with_keys_of_their_own():
    keys = {name: SPACE.key(SPACE.named(name)) for name in NAMED}
    assert len(set(keys.values())) == len(NAMED)
    for name, expression in NAMED.items():
        assert SPACE.blueprint(SPACE.named(name)).canonical() == expression.canonical()
    with pytest.raises(ConfigurationError, match="bn_relu"):
        SPACE.named("bn_rleu")


def test_series_s_refuses_moments_of_the_batch():
    space = EvoNorm(EvoNormOptions(series="S"))
    assert space.blueprint(space.named("evonorm_s0")).nodes[-1].operation == "DIV"
    with pytest.raises(InvalidArchitecture, match="over_"):
        space.named("evonorm_b0")
    assert not any(space.blueprint(one).reads_batch() for one in samples(100, 1, space))


def test_keys_do_not_depend_on_dead_nodes_or_the_order_of_operands():
    texts = ["TANH 0; ADD 3 4", "EXP 0; TANH 0; ADD 5 3", "TANH 0; TANH 0; ADD 5 3"]
    assert len({key_of(text) for text in texts}) == 1
    assert key_of("TANH 0; DIV 3 4") != key_of("TANH 0; DIV 4 3")
    assert key_of("ADD 0 0") not in (key_of("ADD 0 1"), key_of("NEG 0"))
    assert key_of("DIV 0 0") not in (key_of("DIV 0 1"), key_of("DIV 1 0"))


def key_of(text):
    return SPACE.key(Architecture.of(SPACE.encode(Expression.parse(text))))


def test_a_perturbation_redraws_exactly_one_node_and_repeats_with_its_seed():
    for seed, architecture in enumerate(samples(100, 2)):
        child = SPACE.perturb(architecture, np.random.default_rng(seed))
        assert len(changed_nodes(architecture, child)) == 1
        assert child == SPACE.perturb(architecture, np.random.default_rng(seed))


def test_a_mutation_changes_exactly_one_node():
    rng = np.random.default_rng(3)
    for architecture in samples(100, 3):
        assert len(changed_nodes(architecture, SPACE.mutate(architecture, rng))) == 1


def test_perturbations_reach_every_operation_and_index_set_as_often_as_expected():
    rng, parent = np.random.default_rng(4), SPACE.named("evonorm_b0")
    before = SPACE.blueprint(parent).nodes
    places, operations, overs = [], [], []
    for _ in range(10_000):
        after = ALL.blueprint(ALL.perturb(parent, rng)).nodes
        [place] = [place for place in range(10) if before[place] != after[place]]
        places.append(place)
        operations.append(after[place].operation)
        overs.append(after[place].over)
    # A draw that changes nothing is made again: the old node itself is never drawn.
    expected, kept = np.zeros(len(OPERATIONS)), np.zeros(10)
    for place, node in enumerate(before):
        size = 4 + place
        same = 1 / 15 / (len(index_sets("B")) if node.over else 1) / size ** len(node.operands)
        kept[place] = 1 - same
        chances = np.full(len(OPERATIONS), 1 / 15)
        chances[OPERATIONS.index(node.operation)] -= same
        expected += chances
    observed = [operations.count(operation) for operation in OPERATIONS]
    assert stats.chisquare(observed, expected / expected.sum() * 10_000).pvalue > 0.001
    assert stats.chisquare(np.bincount(places, minlength=10), kept / kept.sum() * 10_000).pvalue > 0.001
    found = [overs.count(over) for over in index_sets("B")]
    assert min(found) > 0.9 * max(found)


def test_graphs_decode_to_the_same_layer_in_another_order():
    rng = np.random.default_rng(5)
    for architecture in samples(50, 5):
        other = SPACE.reorder(architecture, rng)
        one, two = SPACE.blueprint(architecture), SPACE.blueprint(other)
        assert one.canonical() == two.canonical()
        assert len(two.nodes) == 10


def test_children_of_crossover_are_layers():
    rng, found, distinct = np.random.default_rng(6), 0, set()
    for one, two in zip(samples(15, 7), samples(15, 8), strict=True):
        path = EditPath.between(SPACE.graph_of(one), SPACE.graph_of(two), rng=rng, node_budget=2_000)
        for _ in range(4):
            try:
                child = SPACE.architecture_of(path.sample(rng), rng)
            except InvalidArchitecture:
                continue
            assert SPACE.validate(child) == child
            found += 1
            distinct.add(child)
    assert found > 20
    assert len(distinct) > found / 2


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda graph: graph.add_edge(5, 4, label=""), "cycle"),
        (lambda graph: graph.nodes[5].update(label="STD{b}"), "no operation"),
        (lambda graph: graph.remove_edge(5, "output"), "feed the output"),
        (lambda graph: graph.add_edge(4, "output", label=""), "feed the output"),
        (lambda graph: graph.remove_node(1), "terminals"),
    ],
)
def test_graphs_that_are_no_layers_are_refused(edit, message):
    graph = graph_of(Expression.parse("STD{wh} 0; DIV 0 4"))
    edit(graph)
    with pytest.raises(InvalidArchitecture, match=message):
        SPACE.from_graph(graph, np.random.default_rng(0))


def test_a_graph_with_too_many_live_nodes_is_refused():
    graph = graph_of(NAMED["bn_relu"])
    with pytest.raises(InvalidArchitecture, match="depends on 8"):
        EvoNorm(EvoNormOptions(nodes=7)).from_graph(graph, np.random.default_rng(0))


def test_computed_graphs_show_what_is_computed():
    graph = SPACE.computed_graph_of(SPACE.named("evonorm_b0"))
    labels = sorted(label for _, label in graph.nodes(data="label"))
    assert labels == ["ADD", "DIV", "MAX", "MUL", "STD{bwh}", "STD{wh}", "output", "v1", "x"]
    assert nx.is_directed_acyclic_graph(graph)
    assert canonical_key(graph) == SPACE.key(SPACE.named("evonorm_b0"))
    assert len(SPACE.graph_of(SPACE.named("evonorm_b0"))) == len(INITIAL) + 10 + 1


STRATEGIES = {
    "random_search": {},
    "regularized_evolution": {"population_size": 8, "tournament_size": 3, "mutation": "perturb"},
    "sep_crossover": {"population_size": 8, "tournament_size": 3, "node_budget": 1_000},
    "tpe": {"startup_trials": 8, "max_tries": 4},
    "rl_controller": {},
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_strategies_propose_members_of_the_space(name):
    component = registry().load("strategy", name)
    problem = Problem(SPACE, Goal((Objective("score", "max"),)), 24, 0)
    strategy = component(problem, parse_options(component, name, STRATEGIES[name]))
    proposed = [proposal.architecture for proposal in Walk(problem).go(strategy, 24).proposals]
    assert len(proposed) == 24
    assert all(SPACE.validate(one) == one for one in proposed)
    assert len(set(proposed)) > 12


def test_the_space_says_what_is_wrong_with_a_layer_and_knows_its_function():
    blueprints = [ALL.blueprint(one) for one in samples(200, space=ALL)]
    assert {ALL.defect(one) is None for one in blueprints} == {True, False}
    for one in blueprints:
        found = screen(one)
        assert (ALL.defect(one) is None) == (found.reason is None)
        assert ALL.function_key(one) == (found.fingerprint or None)
    same = [Expression.parse(text) for text in ("ADD 0 1; TANH 4", "TANH 0")]
    assert len({ALL.function_key(one) for one in same}) == 1
    assert len({canonical_key(graph_of(one)) for one in same}) == 2


def test_the_backbones_are_variants_and_build_gives_the_one_of_the_option():
    assert SPACE.variants == ("resnet", "mobilenet", "efficientnet")
    layer, task = SPACE.blueprint(SPACE.named("evonorm_b0")), TinyTask()
    names = {}
    for variant in SPACE.variants:
        network = SPACE.build_variant(layer, task, variant)
        names[variant] = [name for name, _ in network.named_parameters()]
        chosen = EvoNorm(EvoNormOptions(backbone=variant))
        assert [name for name, _ in chosen.build(layer, task).named_parameters()] == names[variant]
        assert [name for name, _ in chosen.build_variant(layer, task, "resnet").named_parameters()] == names["resnet"]
    assert len(set(map(tuple, names.values()))) == 3
    with pytest.raises(ConfigurationError, match="unknown variant of EvoNorm 'resnt'; did you mean 'resnet'"):
        SPACE.build_variant(layer, task, "resnt")


def test_costs_are_those_of_the_variant():
    candidate, cost = Candidate(SPACE, SPACE.named("bn_relu")), registry().load("evaluator", "cost")()
    context = Context(TinyTask())
    found = [cost.evaluate(candidate.in_variant(variant), context)["params"] for variant in SPACE.variants]
    assert len(set(found)) == 3
    assert cost.evaluate(candidate, context)["params"] == found[0]
