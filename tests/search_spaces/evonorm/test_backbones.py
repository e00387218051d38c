import numpy as np
import pytest
import torch
from single import Inputs
from torch import nn

from automl import Candidate, ConfigurationError
from automl_spaces.evonorm import EvoNorm, EvoNormOptions
from automl_spaces.evonorm.backbones import Residual, Sizes, efficientnet, mobilenet, resnet
from automl_spaces.evonorm.compiled import ExpressionLayer

BACKBONES = {"resnet": resnet, "mobilenet": mobilenet, "efficientnet": efficientnet}


class Counted(nn.Identity):
    def __init__(self, channels):
        super().__init__()
        self.channels = channels


def layers_of(network, kind):
    return [module for module in network.modules() if isinstance(module, kind)]


@pytest.mark.parametrize("name", list(BACKBONES))
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (2, 5, 9)])
def test_backbones_take_images_of_any_size(name, shape):
    space = EvoNorm(EvoNormOptions(backbone=name, width=4))
    network = Candidate(space, space.named("evonorm_b0")).build(Inputs(*shape), seed=0)
    outputs = network(torch.randn(2, *shape, generator=torch.Generator().manual_seed(0)))
    assert outputs.shape == (2, 10)
    outputs.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert layers_of(network, ExpressionLayer)
    assert not layers_of(network, nn.BatchNorm2d)


@pytest.mark.parametrize("name", list(BACKBONES))
def test_sizes_set_the_width_and_the_depth(name):
    sizes = Sizes(width=4, depth=2, stages=2)
    network = BACKBONES[name](Counted, Inputs(3, 16, 16), sizes)
    blocks = layers_of(network, Residual)
    assert len(blocks) == 4
    assert [block.has_shortcut for block in blocks] == ([True] * 4 if name == "resnet" else [True, True, False, True])
    counted = [layer.channels for layer in layers_of(network, Counted)]
    expected = {"resnet": [4] * 5 + [8] * 4, "mobilenet": [4, 12, 12, 12, 12, 12, 12, 24, 24, 16]}
    assert counted == expected.get(name, expected["mobilenet"])


@pytest.mark.parametrize("name", list(BACKBONES))
def test_stages_halve_the_image_while_it_is_large_enough(name):
    network = BACKBONES[name](Counted, Inputs(3, 16, 16), Sizes(width=4, stages=5))
    seen = []
    network.average.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].shape[2:]))
    network(torch.zeros(1, 3, 16, 16))
    assert seen == [(4, 4)]


def test_inputs_that_are_no_images_are_refused():
    with pytest.raises(ConfigurationError, match="evonorm"):
        EvoNorm().check(Inputs(12))


def test_random_layers_train_in_the_default_backbone():
    space, rng = EvoNorm(EvoNormOptions(width=4)), np.random.default_rng(0)
    for _ in range(5):
        network = Candidate(space, space.sample(rng)).build(Inputs(3, 8, 8), seed=0)
        network(torch.zeros(2, 3, 8, 8)).sum().backward()
