"""Mutations that grow a network, in both spaces, and networks that keep their functions."""

from collections import Counter

import pytest
import torch
from numpy.random import default_rng
from torch import nn

from automl import Candidate
from automl_plugins.tasks.digits import Digits
from automl_plugins.tasks.functions import Functions, FunctionsOptions
from automl_spaces.kan.conv_space import ConvKan, ConvKanOptions
from automl_spaces.kan.layers import KanLinear, MixedKanLinear
from automl_spaces.kan.operators import CONV_GROWTH, GROWTH
from automl_spaces.kan.space import Kan, KanOptions

TASK = Functions(FunctionsOptions(function="f2", samples=600))
WIDTHS = (4, 8, 16)
SPACES = {
    "kan": Kan(KanOptions(widths=WIDTHS)),
    "kan per node": Kan(KanOptions(widths=WIDTHS, per="node")),
    "conv_kan": ConvKan(ConvKanOptions(widths=(2, 4), kernels=(1, 3))),
    "conv_kan per node": ConvKan(ConvKanOptions(widths=(2, 4), kernels=(1, 3), per="node")),
}


def growth(space):
    return GROWTH if isinstance(space, Kan) else CONV_GROWTH


def task_of(space):
    return TASK if isinstance(space, Kan) else Digits()


def trained(space, architecture):
    """A network after a few steps, so that nothing in it is as it was drawn."""
    task = task_of(space)
    network, split = Candidate(space, architecture).build(task, seed=0), task.split("train")
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for step in range(3):
        rows = slice(64 * step, 64 * step + 64)
        optimizer.zero_grad()
        task.loss(network(split.inputs[rows]), split.targets[rows], label_smoothing=0.0).backward()
        optimizer.step()
    return network.eval()


def distance(first, second, x):
    wanted = first(x).detach()
    return float((second(x) - wanted).detach().square().mean().sqrt() / wanted.std())


@pytest.mark.parametrize("name", SPACES)
def test_encoding_is_the_inverse_of_the_walk(name):
    space = SPACES[name]
    for seed in range(30):
        drawn = space.sample(default_rng(seed))
        assert space.validate(space.encode(space.blueprint(drawn))) == drawn


@pytest.mark.parametrize("name", SPACES)
def test_what_grows_is_a_member_and_larger(name):
    space, rng, seen = SPACES[name], default_rng(0), Counter()
    for _ in range(40):
        parent = space.sample(rng)
        for operator in growth(space):
            child = space.grow(parent, operator, rng)
            if child is None:
                continue
            seen[operator] += 1
            assert space.validate(child) == child
            assert child != parent
            if operator == "widen":
                changed = [each for each in parent if each.startswith("width") and child[each] != parent[each]]
                assert len(changed) == 1
                assert child[changed[0]] > parent[changed[0]]
            if operator == "deepen":
                assert child["depth"] == parent["depth"] + 1
    assert set(seen) == set(growth(space))


@pytest.mark.parametrize("name", SPACES)
def test_every_operator_and_the_change_of_one_decision_are_reached(name, monkeypatch):
    space, rng, seen = SPACES[name], default_rng(1), Counter()
    grow, mutate = type(space).grow, type(space).mutate

    def counted_grow(self, architecture, operator, rng):
        found = grow(self, architecture, operator, rng)
        seen[operator] += found is not None
        return found

    def counted_mutate(self, architecture, rng):
        seen["change"] += 1
        return mutate(self, architecture, rng)

    monkeypatch.setattr(type(space), "grow", counted_grow)
    monkeypatch.setattr(type(space), "mutate", counted_mutate)
    for _ in range(120):
        space.perturb(space.sample(rng), rng)
    assert {operator for operator, count in seen.items() if count} == {*growth(space), "change"}
    assert 40 < seen["change"] < 80


def test_deepening_shifts_the_layers_behind():
    space = SPACES["kan"]
    rng = default_rng(3)
    for _ in range(50):
        parent = space.sample(rng)
        child = space.grow(parent, "deepen", rng)
        if child is None:
            assert parent["depth"] in (1, 4)
            continue
        old, new = space.blueprint(parent), space.blueprint(child)
        place = next(n for n in range(1, len(new.layers)) if (*new.layers[:n], *new.layers[n + 1 :]) == old.layers)
        assert new.widths[place] == new.widths[place - 1]
        assert new.layers[place].base == "identity"
        assert new.layers[place].after == "none"


@pytest.mark.parametrize("name", SPACES)
def test_networks_keep_their_functions(name):
    """To rounding where the new functions contain the old ones; a fit is near for most."""
    space, rng = SPACES[name], default_rng(5)
    x = task_of(space).split("validation").inputs[:100]
    found = {operator: [] for operator in growth(space)}
    for _ in range(6):
        parent = space.sample(rng)
        network = trained(space, parent)
        state = {key: value.clone() for key, value in network.state_dict().items()}
        for operator in growth(space):
            child = space.grow(parent, operator, rng)
            if child is None:
                continue
            blueprints = space.blueprint(parent), space.blueprint(child)
            grown = space.morph(network, *blueprints, task_of(space))
            assert grown is not None, (operator, *map(space.title, blueprints))
            assert not grown.training
            like = Candidate(space, child).build(task_of(space), seed=0)
            assert [p.shape for p in grown.parameters()] == [p.shape for p in like.parameters()]
            found[operator].append(distance(network, grown, x))
        assert all(torch.equal(state[key], value) for key, value in network.state_dict().items())
    for operator in set(found) & {"raise", "widen", "deepen"}:
        assert max(found[operator]) < 1e-4, operator
    for operator in ("family", "refine"):
        assert sorted(found[operator])[len(found[operator]) // 2] < 0.25, operator  # of a fresh network about 1.4


@pytest.mark.parametrize("per", ["layer", "node"])
def test_splines_of_twice_the_grid_are_exact(per):
    options = {"families": ("bspline", "piecewise_linear"), "befores": ("tanh",), "depths": (2,)}
    space, rng = Kan(KanOptions(**options, widths=(4,), per=per)), default_rng(0)
    x, exact = TASK.split("validation").inputs, 0
    for _ in range(12):
        parent = space.sample(rng)
        child = space.grow(parent, "refine", rng)
        if child is None:
            continue
        (name,) = [each for each in parent if parent[each] != child[each]]
        if parent[name] in (5, 10):
            network = trained(space, parent)
            grown = space.morph(network, space.blueprint(parent), space.blueprint(child), TASK)
            assert distance(network, grown, x) < 1e-4
            exact += 1
    assert exact > 2


def test_grown_networks_can_learn_what_is_new():
    space = Kan(KanOptions(families=("chebyshev",), depths=(2, 3), widths=(4, 8), befores=("tanh",), afters=("none",)))
    parent = None
    rng = default_rng(2)
    while parent is None or parent["depth"] != 2 or parent["width_0"] != 4:
        parent = space.sample(rng)
    network = trained(space, parent)
    for operator in ("widen", "deepen"):
        child = space.grow(parent, operator, rng)
        grown = space.morph(network, space.blueprint(parent), space.blueprint(child), TASK).train()
        split = TASK.split("train")
        TASK.loss(grown(split.inputs), split.targets, label_smoothing=0.0).backward()
        layer = [each for each in grown if isinstance(each, KanLinear)][1]
        assert float(layer.product.weight.grad.abs().sum()) > 0


def test_what_cannot_be_kept_is_refused():
    space = SPACES["kan"]
    rng = default_rng(0)
    refused = 0
    for _ in range(40):
        parent = space.sample(rng)
        child = space.mutate(parent, rng)
        changed = {name.rsplit("_", 1)[0] for name in parent if name in child and parent[name] != child[name]}
        if changed & {"after", "depth"} and parent["depth"] > child["depth"] - 1:
            network = Candidate(space, parent).build(TASK, seed=0)
            assert space.morph(network, space.blueprint(parent), space.blueprint(child), TASK) is None
            refused += 1
    assert refused > 3


def test_morphing_leaves_global_randomness_alone():
    space, rng = SPACES["kan"], default_rng(0)
    parent = space.sample(rng)
    child = space.grow(parent, "family", rng)
    network = trained(space, parent)
    before = torch.random.get_rng_state()
    first = space.morph(network, space.blueprint(parent), space.blueprint(child), TASK)
    again = space.morph(network, space.blueprint(parent), space.blueprint(child), TASK)
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


def test_nodes_choose_for_themselves():
    space = Kan(KanOptions(per="node", depths=(2,), widths=(2, 16), input_groups=2, node_groups=4))
    rng = default_rng(0)
    seen = set()
    while len(seen) < 2:
        drawn = space.sample(rng)
        width = drawn["width_0"]
        seen.add(width)
        asked = [name for name in drawn if name.startswith("family")]
        hidden = [f"family_1_{node}" for node in range(min(width, 4))]
        assert asked == ["family_0_0", "family_0_1", *hidden]
        layer = Candidate(space, drawn).build(TASK, seed=0)[2]
        chosen = [drawn[f"family_1_{node % 4}"] for node in range(width)]
        if isinstance(layer, MixedKanLinear):
            assert [layer.specs[place].family.name for place in layer.of_node] == chosen
        else:
            assert {layer.spec.family.name} == set(chosen)


def test_titles_of_nodes_are_short_and_counted():
    space = Kan(KanOptions(per="node", families=("chebyshev",), depths=(1,), bases=("silu",), befores=("tanh",)))
    for seed in range(20):
        drawn = space.sample(default_rng(seed))
        first, second = (drawn[f"chebyshev_degree_0_{node}"] for node in range(2))
        inside = f"2x chebyshev({first})" if first == second else f"chebyshev({first}) | chebyshev({second})"
        assert space.title(space.blueprint(drawn)) == f"{{{inside}}}(tanh) + silu"


def test_a_head_is_widened_with_its_stage():
    options = ConvKanOptions(families=("chebyshev",), depths=(1,), widths=(4, 8), afters=("none",), heads=("linear",))
    space = ConvKan(options)
    rng = default_rng(0)
    parent = space.sample(rng)
    while parent["width_0"] != 4:
        parent = space.sample(rng)
    child = space.grow(parent, "widen", rng)
    network = trained(space, parent)
    grown = space.morph(network, space.blueprint(parent), space.blueprint(child), Digits())
    assert isinstance(grown[-1], nn.Linear)
    assert grown[-1].in_features == 8
    assert distance(network, grown, Digits().split("validation").inputs) < 1e-5


def test_nodes_that_learn_their_family_are_left_alone():
    space, rng = Kan(KanOptions(families=("selected", "chebyshev"), depths=(2, 3), widths=(4, 8))), default_rng(0)
    for _ in range(20):
        parent = space.sample(rng)
        for operator in GROWTH:
            child = space.grow(parent, operator, rng)
            if child is None:
                continue
            old, new = space.blueprint(parent), space.blueprint(child)
            chosen = [layer.functions[0].family for layer in old.layers]
            assert [layer.functions[0].family for layer in new.layers].count("selected") == chosen.count("selected")
            network = Candidate(space, parent).build(TASK, seed=0)
            assert (space.morph(network, old, new, TASK) is None) == ("selected" in chosen)
