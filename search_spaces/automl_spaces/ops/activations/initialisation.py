"""Weights that keep the second moment of an activation's layers.

With weights of mean 0 and variance α / fan-in, where α = 1 / E f(z)², the second moment of what a layer's activation
returns is that of the one before it, where that is 1 / α [1, 2]. It is not the variance: most activations have a mean.

How long it stays depends on the function. A deviation of the second moment grows by the factor α E[z f(z) f'(z)] with
each layer: 1 for ReLU; 0.3 to 0.9 for sine, tanh, softplus, SELU and ELU, which go back to it from any input; but 1.07
for mish, 1.14 for GELU, 1.17 for SiLU and 1.22 for hardswish, so that the accidents of finite width, and inputs of
another scale, grow: with 512 channels and 20 layers, GELU's second moment ends at 3 to 7 times its start, hardswish's
at 75 to 150 times. Deep networks of these need normalisation.

[1] He et al. Delving deep into rectifiers. 2015. (α = 2, of ReLU.)
[2] Klambauer et al. Self-normalizing neural networks. 2017. (α = 1, of SELU.)
"""

from __future__ import annotations

import math

import torch
from torch import nn

from automl_spaces.ops.activations.registry import entry

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def initialise(network: nn.Module, name: str) -> None:
    """Draw the weights of all dense and convolutional layers anew, for the activation ``name``, and set biases to 0.

    Draws from torch's current random state. Inputs should have second moment 1 / α. Layers before a normalisation may
    have any scale: this is for others.

    >>> layer = nn.Linear(512, 512)
    >>> initialise(layer, "relu")
    >>> abs(float(layer.weight.detach().var()) * 512 - 2) < 0.05
    True
    """
    gain = entry(name).gain
    for layer in network.modules():
        if isinstance(layer, _LAYERS):
            fan_in = layer.weight[0].numel()
            with torch.no_grad():
                layer.weight.normal_(0.0, math.sqrt(gain / fan_in))
                if layer.bias is not None:
                    layer.bias.zero_()
