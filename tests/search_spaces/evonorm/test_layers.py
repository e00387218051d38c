import pytest
import torch

from automl_spaces.evonorm import NAMED, layers
from automl_spaces.evonorm.compiled import ExpressionLayer, compile_layer

NAMES = {
    "bn_relu": layers.BnRelu,
    "bn_silu": layers.BnSilu,
    "gn_relu": layers.GnRelu,
    "gn_silu": layers.GnSilu,
    "ln_relu": layers.LnRelu,
    "ln_silu": layers.LnSilu,
    "in_relu": layers.InRelu,
    "in_silu": layers.InSilu,
    "evonorm_b0": layers.EvoNormB0,
    "evonorm_b1": layers.EvoNormB1,
    "evonorm_b2": layers.EvoNormB2,
    "evonorm_s0": layers.EvoNormS0,
    "evonorm_s1": layers.EvoNormS1,
    "evonorm_s2": layers.EvoNormS2,
}


def images():
    return torch.randn(4, 8, 5, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", list(NAMES))
def test_a_module_starts_as_its_expression(name):
    one, other = NAMES[name](8, groups=4), compile_layer(NAMED[name], 8, groups=4)
    assert torch.equal(one(images()), other(images()))
    assert torch.equal(one.eval()(images()), other.eval()(images()))


def test_every_published_expression_has_a_module():
    assert set(NAMES) | {"frn"} == set(NAMED)
    assert {one.__name__ for one in NAMES.values()} <= set(layers.__all__)


def test_the_one_of_b1_is_no_parameter():
    layer = layers.EvoNormB1(8)
    layer(images()).sum().backward()
    assert "v1" not in layer.state_dict()
    assert torch.equal(layer.v1, torch.ones(8))
    assert not layer.v1.requires_grad


def test_filter_response_normalisation_has_a_trained_threshold():
    layer, graph = layers.FilterResponseNorm(8), ExpressionLayer(NAMED["frn"], 8)
    assert torch.equal(layer(images()), graph(images()).clamp_min(0))
    assert sorted(name for name, _ in layer.named_parameters()) == ["bias", "threshold", "weight"]
    layer(images()).sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


def test_filter_response_normalisation_equals_timms():
    module = pytest.importorskip("timm.layers.filter_response_norm", exc_type=ImportError)
    theirs, ours = module.FilterResponseNormTlu2d(8, eps=1e-5), layers.FilterResponseNorm(8)
    assert torch.allclose(ours(images()), theirs(images()).clamp_min(0), atol=1e-6)
