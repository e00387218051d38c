import itertools
from typing import get_args

import pytest
import torch
from numpy.random import default_rng
from pydantic import ValidationError
from torch import nn

from automl import Architecture, Candidate, Context
from automl_plugins.evaluators.cost import Cost, CostOptions
from automl_plugins.tasks.digits import Digits
from automl_plugins.tasks.functions import Functions
from automl_spaces.kan.space import KanOptions
from automl_spaces.mlp import Mlp, MlpOptions, Norm
from automl_spaces.ops.residual import Residual


def architecture(*widths, **changes):
    values = {"depth": len(widths) + 1, **{f"width_{place}": width for place, width in enumerate(widths)}}
    if widths:
        values |= {"activation": "gelu", "norm": "none", "dropout": 0.0}
    return Architecture.of({**values, **changes})


def test_widths_and_depths_are_those_of_kolmogorov_arnold_networks():
    """So that nothing but the layers differs when the two are compared with their defaults."""
    ours, theirs = MlpOptions(), KanOptions()
    assert (ours.depths, ours.widths) == (theirs.depths, theirs.widths)
    assert set(ours.norms) == set(get_args(Norm))


def test_the_network_is_what_the_architecture_says():
    found = architecture(8, 4, norm="batch_norm", dropout=0.3)
    network = Candidate(Mlp(), found).build(Digits(), seed=0)
    kinds = [type(module) for module in network.modules() if not list(module.children())]
    hidden = [nn.Linear, nn.BatchNorm1d, nn.GELU, nn.Dropout]
    assert kinds == [nn.Flatten, *hidden, *hidden, nn.Linear]
    sizes = [(layer.in_features, layer.out_features) for layer in network.modules() if isinstance(layer, nn.Linear)]
    assert sizes == [(64, 8), (8, 4), (4, 10)]
    assert {layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)} == {0.3}


def test_a_residual_layer_adds_its_input():
    network = Candidate(Mlp(), architecture(8, 8, 4, residual=True)).build(Functions(), seed=0).eval()
    layers = [isinstance(layer, Residual) for layer in network]
    assert layers == [False, False, True, False, False]
    with torch.no_grad():
        for weight in network[2].parameters():
            weight.zero_()
        x = torch.randn(3, 8)
        assert torch.equal(network[2](x), x)


def test_residual_layers_are_asked_for_only_where_there_can_be_one():
    for seed in range(60):
        space = Mlp()
        found = dict(space.sample(default_rng(seed)))
        widths = [found[f"width_{place}"] for place in range(found["depth"] - 1)]
        can_be = any(before == behind for before, behind in itertools.pairwise(widths))
        assert ("residual" in found) == can_be


def test_a_linear_network_has_nothing_to_decide():
    space = Mlp(MlpOptions(depths=(1,)))
    assert dict(space.sample(default_rng(0))) == {"depth": 1}
    assert space.title(space.blueprint(architecture())) == "linear"
    assert len(Candidate(space, architecture()).build(Digits(), seed=0)) == 2


def test_costs_are_those_of_the_formula():
    found = Cost(CostOptions(operations=True)).evaluate(
        Candidate(Mlp(), architecture(8, 8, norm="layer_norm", residual=True)), Context(Functions())
    )
    products = 2 * 8 + 8 * 8 + 8 * 1
    assert found["params"] == products + 8 + 8 + 1 + 2 * 2 * 8
    assert found["flops"] == products
    assert found["operations"] == 2 * products + (8 + 8 + 1) + 2 * 8 * (8 + 14) + 8


def test_options_limit_what_is_asked():
    space = Mlp(MlpOptions(depths=(3,), widths=(5,), activation="tanh", norms=("none",), residuals=(False,)))
    found = space.blueprint(space.sample(default_rng(0)))
    assert (found.widths, found.activation, found.norm, found.is_residual) == ((5, 5), "tanh", "none", False)


@pytest.mark.parametrize(
    "options", [{"widths": ()}, {"widths": (4, 4)}, {"depths": (0,)}, {"activation": "glu"}, {"dropouts": (1.0,)}]
)
def test_options_that_describe_nothing_are_refused(options):
    with pytest.raises(ValidationError):
        MlpOptions(**options)


def test_the_title_can_be_read():
    space = Mlp()
    title = space.title(space.blueprint(architecture(8, 8, dropout=0.1, residual=True)))
    assert title == "8 -> 8, gelu, dropout 0.1, residual"
