import math

import numpy as np
import pytest

from automl import Architecture, Chooser, InvalidArchitecture, SearchSpace
from automl.testing.problems import CellSpace, ConditionalSpace, FlatSpace


class Space(SearchSpace[tuple]):
    def build(self, blueprint, task):
        raise NotImplementedError


class Branches(Space):
    """Two questions on the left, three on the right, and no right-hand walk that ends in 2."""

    def decide(self, choose: Chooser):
        if choose.categorical("side", ("left", "right")) == "left":
            return ("left", choose.categorical("small", (0, 1)))
        last = choose.integer("last", 0, 2)
        if last == 2:
            raise InvalidArchitecture("two is too many")
        return ("right", choose.index("place", 2), last)


class Never(Space):
    def decide(self, choose: Chooser):
        choose.categorical("x", (0, 1))
        raise InvalidArchitecture("nothing is good enough")


class Twice(Space):
    def decide(self, choose: Chooser):
        return choose.categorical("x", (0, 1)), choose.categorical("x", (0, 1))


def rng(seed=0):
    return np.random.default_rng(seed)


def test_samples_are_redrawn_until_valid():
    space = Branches()
    drawn = {space.sample(rng(seed)) for seed in range(100)}
    assert drawn == set(space.enumerate())
    assert len(drawn) == 6


def test_a_space_without_members_says_so():
    with pytest.raises(InvalidArchitecture, match=r"no valid architecture .* nothing is good enough"):
        Never().sample(rng())
    assert list(Never().enumerate()) == []


def test_a_name_that_is_asked_twice_is_named():
    with pytest.raises(InvalidArchitecture, match="'x' is asked twice"):
        Twice().sample(rng())


def test_validation_orders_and_drops_what_is_not_asked():
    given = Architecture.of({"small": 1, "place": 0, "side": "left"})
    assert Branches().validate(given) == Architecture.of({"side": "left", "small": 1})


def test_neighbours_take_first_answers_where_new_questions_open():
    found = list(Branches().neighbours(Architecture.of({"side": "left", "small": 1})))
    assert found == [
        Architecture.of({"side": "right", "last": 0, "place": 0}),
        Architecture.of({"side": "left", "small": 0}),
    ]


def test_a_mutation_chooses_among_all_decisions_and_answers():
    space, one = Branches(), Architecture.of({"side": "right", "last": 0, "place": 1})
    children = {space.mutate(one, rng(seed)) for seed in range(100)}
    assert children == {
        Architecture.of({"side": "left", "small": 0}),
        Architecture.of({"side": "left", "small": 1}),
        Architecture.of({"side": "right", "last": 1, "place": 1}),
        Architecture.of({"side": "right", "last": 0, "place": 0}),
    }


def test_where_nothing_can_change_a_mutation_says_so():
    class One(Space):
        def decide(self, choose: Chooser):
            return choose.categorical("x", (0,)), choose.integer("y", 3, 3)

    with pytest.raises(InvalidArchitecture, match="can be changed"):
        One().mutate(One().sample(rng()), rng())


def test_a_perturbation_changes_one_decision_per_role_on_average():
    space, generator = FlatSpace(), rng()
    one = space.sample(generator)
    changed = [sum(one[n] != child[n] for n in one) for child in (space.perturb(one, generator) for _ in range(2_000))]
    empty = (5 / 6) ** 6
    assert np.mean(changed) == pytest.approx(1 / (1 - empty), abs=0.05)
    assert min(changed) == 1


@pytest.mark.parametrize(
    ("space", "size"), [(FlatSpace(), 729), (CellSpace(), 2**10 * 27), (ConditionalSpace(), math.inf)]
)
def test_the_size_counts_walks(space, size):
    assert space.size() == size


def test_the_size_of_a_conditional_space_is_estimated():
    assert Branches().size() == pytest.approx(2 + 4 + 1, rel=0.2)


def test_equal_networks_have_equal_keys_and_others_do_not():
    """Keys of all small cells against an independent isomorphism test."""
    import networkx as nx

    space, generator = CellSpace(), rng(3)
    cells = [space.sample(generator) for _ in range(60)]
    cells += [space.reorder(one, generator) for one in cells[:20]]

    def is_same(a, b):
        return a["label"] == b["label"]

    graphs = [space.computed_graph_of(one) for one in cells]
    keys = [space.key(one) for one in cells]
    for i, first in enumerate(graphs):
        for j, second in enumerate(graphs[:i]):
            assert (keys[i] == keys[j]) is nx.is_isomorphic(first, second, node_match=is_same)


def test_the_graph_of_a_plain_space_is_its_decisions():
    space = ConditionalSpace()
    one = space.sample(rng(1))
    graph = space.graph_of(one)
    assert len(graph) == len(one) + 1
    assert space.architecture_of(graph, rng()) == one


def test_a_graph_of_something_else_is_refused():
    import networkx as nx

    graph = nx.DiGraph()
    graph.add_node(0, label="input", terminal=True)
    with pytest.raises(InvalidArchitecture):
        CellSpace().architecture_of(graph, rng())


def test_a_child_that_opens_a_question_neither_parent_has_draws_its_answer():
    space = Branches()
    graph = space.graph_of(Architecture.of({"side": "right", "last": 1, "place": 1}))
    graph.remove_node("place")
    drawn = {space.architecture_of(graph, rng(seed))["place"] for seed in range(20)}
    assert drawn == {0, 1}


@pytest.mark.parametrize("label", ["not JSON", '["only a name"]', "3", '["x", {"a": 1}]'])
def test_a_graph_with_labels_of_another_kind_is_refused(label):
    space = FlatSpace()
    graph = space.graph_of(space.sample(rng()))
    graph.nodes["choice_0"]["label"] = label
    child = None
    try:
        child = space.architecture_of(graph, rng())
    except InvalidArchitecture:
        return
    assert space.validate(child) == child
