import pytest
import torch
from numpy.random import default_rng
from torch import nn

from automl import Candidate, ConfigurationError, Context
from automl_plugins.evaluators.lga import Lga
from automl_plugins.evaluators.ntk import Ntk
from automl_plugins.evaluators.zero_cost import ZeroCost
from automl_plugins.tasks.digits import Digits
from automl_plugins.tasks.functions import Functions
from automl_spaces.kan.conv_space import ConvKan, ConvKanOptions
from automl_spaces.kan.layers import FAMILIES, KanConv, KanLinear

SMALL = ConvKanOptions(
    families=("chebyshev",), depths=(3,), widths=(4,), kernels=(3,), befores=("tanh",), bases=("silu",), heads=("kan",)
)


def test_images_are_halved_between_stages_and_never_vanish():
    space = ConvKan(SMALL.model_copy(update={"depths": (6,)}))
    network = Candidate(space, space.sample(default_rng(0))).build(Digits(), seed=0)
    sizes = []
    x = torch.zeros(2, 1, 8, 8)
    for module in network:
        x = module(x)
        if isinstance(module, KanConv):
            sizes.append(x.shape[-1])
    assert sizes == [8, 4, 2, 1, 1, 1]


def test_the_head_is_linear_or_of_functions():
    for head, kind in (("linear", nn.Linear), ("kan", KanLinear)):
        space = ConvKan(SMALL.model_copy(update={"heads": (head,)}))
        architecture = space.sample(default_rng(0))
        assert isinstance(Candidate(space, architecture).build(Digits(), seed=0)[-1], kind)
        assert ("family_head" in architecture) == (head == "kan")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_makes_a_network(family):
    space = ConvKan(ConvKanOptions(families=(family,), widths=(4,)))
    network = Candidate(space, space.sample(default_rng(0))).build(Digits(), seed=0)
    outputs = network(torch.randn(4, 1, 8, 8))
    assert outputs.shape == (4, 10)
    assert torch.isfinite(outputs).all()


def test_pooling_is_asked_where_there_is_some():
    assert "pooling" not in ConvKan(SMALL.model_copy(update={"depths": (1,)})).sample(default_rng(0))
    assert "pooling" in ConvKan(SMALL).sample(default_rng(0))


def test_rows_are_refused():
    with pytest.raises(ConfigurationError, match="conv_kan"):
        ConvKan().check(Functions())


@pytest.mark.parametrize("evaluator", [ZeroCost, Ntk, Lga])
def test_networks_are_scored(evaluator):
    space, made = ConvKan(SMALL), evaluator()
    found = made.evaluate(Candidate(space, space.sample(default_rng(0))), Context(Digits().seal(), seed=1))
    assert {metric.name for metric in made.metrics(Digits())} == set(found)
