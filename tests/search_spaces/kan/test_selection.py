"""Layers that choose: one choice is the family, pruning keeps the output, counters agree with counts by hand."""

import pytest
import torch

from automl import ConfigurationError, Selectable, UsageError, chosen_network, selectables
from automl_spaces.kan.layers import KanConv, KanLinear, KanSpec, MixedKanLinear, make_family, mixed_cost
from automl_spaces.kan.selection import SelectableKanConv, SelectableKanLinear

POOL = (
    KanSpec(make_family("bspline"), base="silu", after="batch_norm"),
    KanSpec(make_family("wavelet"), base="identity", after="batch_norm", before="layer_norm"),
    KanSpec(make_family("rational", groups=4), after="batch_norm"),
    KanSpec(make_family("relu_kan"), before="min_max", after="batch_norm"),
)


def seeded(number=0):
    return torch.Generator().manual_seed(number)


def make(is_image=False, number=0):
    if is_image:
        return SelectableKanConv(8, 3, 3, POOL, generator=seeded(number))
    return SelectableKanLinear(8, 3, POOL, generator=seeded(number))


def batch(is_image=False):
    return torch.randn((6, 8, 5, 5) if is_image else (6, 8), generator=seeded(1))


def set_choice(layer, of_node):
    with torch.no_grad():
        layer.logits.zero_()
        layer.logits[torch.arange(8), torch.tensor(of_node)] = 1.0


def shaken(layer):
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=seeded(len(parameter))))
    return layer


def test_it_is_what_the_contract_asks_for():
    layer = make()
    assert isinstance(layer, Selectable)
    assert [name for name, _ in selectables(torch.nn.Sequential(layer, torch.nn.ReLU()))] == ["0"]
    assert not list(selectables(KanLinear(2, 2)))


def test_it_starts_with_equal_weights():
    torch.testing.assert_close(make().weights(), torch.full((8, 4), 0.25))


def test_the_mixture_is_the_weighted_sum_of_its_candidates():
    layer = shaken(make()).eval()
    layer.temperature = 0.7
    with torch.no_grad():
        layer.logits.copy_(torch.randn(1, 4, generator=seeded(2)).expand(8, 4))  # the same for all nodes
    x, weights = batch(), torch.softmax(layer.logits / 0.7, 1)[0]
    expected = layer.bias + sum(weight * each(x) for weight, each in zip(weights, layer.layers, strict=True))
    torch.testing.assert_close(layer(x), layer.after(expected))


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("is_image", [False, True])
def test_one_choice_for_all_nodes_is_the_layer_of_that_family(place, is_image):
    layer = make(is_image).eval()
    set_choice(layer, [place] * 8)
    layer.choose()
    spec = POOL[place]
    alone = KanConv(8, 3, 3, spec) if is_image else KanLinear(8, 3, spec)
    alone.load_state_dict(layer.layers[place].state_dict(), strict=False)
    torch.testing.assert_close(layer(batch(is_image)), alone.eval()(batch(is_image)))


@pytest.mark.parametrize("is_image", [False, True])
@pytest.mark.parametrize("is_training", [False, True])
def test_pruning_keeps_the_output(is_image, is_training):
    layer = shaken(make(is_image)).train(is_training)
    set_choice(layer, [1, 0, 2, 3, 1, 2, 3, 3])
    layer.choose()
    pruned = layer.pruned()
    torch.testing.assert_close(pruned(batch(is_image)), layer(batch(is_image)), atol=1e-5, rtol=1e-5)
    assert pruned.training == is_training


def test_pruning_leaves_the_parameters_that_are_counted_by_hand():
    layer, of_node = make(), [0, 0, 0, 2, 2, 1, 1, 1]
    set_choice(layer, of_node)
    layer.choose()
    count = sum(parameter.numel() for parameter in layer.pruned().parameters())
    splines = 3 * 3 * (8 + 1)  # 3 nodes, 3 outputs, 8 splines and the base
    rational = 2 * 3 + 6 + 2 * 4  # 2 nodes of two groups: one numerator, and a denominator each
    wavelets = 3 * 3 * (4 + 1) + 2 * 4 * 3 + 2 * 8  # places and scales of 3 nodes, layer normalisation of 8 inputs
    assert count == splines + rational + wavelets + 3 + 2 * 3  # bias, batch normalisation
    assert count == mixed_cost(POOL, of_node, 3).parameters


def test_pruning_copies_and_draws_nothing():
    layer = make()
    layer.choose()
    state = torch.random.get_rng_state()
    pruned = layer.pruned()
    assert torch.equal(torch.random.get_rng_state(), state)
    before = layer(batch())
    with torch.no_grad():
        for parameter in pruned.parameters():
            parameter.zero_()
    torch.testing.assert_close(layer(batch()), before)


def test_a_bias_outlives_the_families_that_asked_for_it():
    layer = shaken(SelectableKanLinear(8, 3, [KanSpec(make_family("sine")), KanSpec()], generator=seeded()))
    set_choice(layer, [1] * 8)
    layer.choose()
    torch.testing.assert_close(layer.pruned()(batch()), layer(batch()))


def test_nothing_is_pruned_before_it_is_chosen():
    with pytest.raises(UsageError, match="choose"):
        make().pruned()


def test_a_network_is_pruned_where_it_chooses():
    network = torch.nn.Sequential(make(), torch.nn.Linear(3, 1)).eval()
    network[0].choose()
    pruned = chosen_network(network)
    assert isinstance(pruned[0], MixedKanLinear)
    assert isinstance(network[0], SelectableKanLinear)
    torch.testing.assert_close(pruned(batch()), network(batch()))


def test_focus_uses_and_trains_so_many_candidates():
    layer = make()
    layer.focus(2, seeded())
    weights = layer.weights()
    assert [(row > 0).sum() for row in weights] == [2] * 8
    torch.testing.assert_close(weights.sum(1), torch.ones(8))
    layer(batch()).square().sum().backward()
    assert sum(each.product.weight.grad is not None for each in layer.layers) == 2
    layer.focus(None)
    assert (layer.weights() > 0).all()


def test_logits_are_trained_by_the_mixture():
    layer = make()
    layer(batch()).square().sum().backward()
    assert (layer.logits.grad != 0).all()


def test_counts_say_what_is_chosen():
    layer = make()
    set_choice(layer, [1, 0, 2, 3, 1, 2, 3, 3])
    assert layer.chosen() == {"bspline": 1, "wavelet": 2, "rational": 2, "relu_kan": 3}


def test_families_that_are_there_twice_are_told_apart():
    pool = [KanSpec(make_family("chebyshev", degree=2)), KanSpec(make_family("chebyshev", degree=5))]
    assert len(set(SelectableKanLinear(2, 1, pool).candidates)) == 2


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        ([KanSpec()], "two candidates or more"),
        ([KanSpec(), KanSpec()], "all different"),
        ([KanSpec(), KanSpec(make_family("sine"), after="layer_norm")], "layer_norm, none"),
        ([KanSpec(), KanSpec(make_family("wavelet", per_edge=True))], "a basis for each edge"),
    ],
)
def test_pools_that_are_no_choice_are_refused(pool, said):
    with pytest.raises(ConfigurationError, match=said):
        SelectableKanLinear(2, 1, pool)
