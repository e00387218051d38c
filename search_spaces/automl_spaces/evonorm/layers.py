"""Published normalisation-activation layers as modules, for any network.

Each takes ``(batch, channels, height, width)``, or fewer axes after the channels, and replaces a normalisation and the
activation behind it. They are what `compile_layer` makes of the expressions of `named`, with the two exceptions that an
expression cannot be: `EvoNormB1` has the constant 1 where its expression has ``v1``, and `FilterResponseNorm` has a
trained threshold. ε is 1e-5; the reference of [1] has that too, some re-implementations 1e-3.

[1] Liu, Brock, Simonyan, Le. Evolving Normalization-Activation Layers. NeurIPS 2020. arXiv 2004.02967.
[2] Singh, Krishnan. Filter Response Normalization Layer. CVPR 2020. arXiv 1911.09737.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from automl_spaces.evonorm.compiled import ChannelAffine, ExpressionLayer, NativeNorm
from automl_spaces.evonorm.named import NAMED
from automl_spaces.evonorm.native import recognised

__all__ = [
    "BnRelu",
    "BnSilu",
    "ChannelAffine",
    "EvoNormB0",
    "EvoNormB1",
    "EvoNormB2",
    "EvoNormS0",
    "EvoNormS1",
    "EvoNormS2",
    "FilterResponseNorm",
    "GnRelu",
    "GnSilu",
    "InRelu",
    "InSilu",
    "LnRelu",
    "LnSilu",
]


class _Native(NativeNorm):
    name = ""

    def __init__(self, channels: int, *, groups: int = 32, epsilon: float = 1e-5, momentum: float = 0.1) -> None:
        layer = recognised(NAMED[self.name])
        assert layer is not None
        super().__init__(layer, channels, groups=groups, epsilon=epsilon, momentum=momentum)


class _Expression(ExpressionLayer):
    name = ""

    def __init__(self, channels: int, *, groups: int = 32, epsilon: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__(NAMED[self.name], channels, groups=groups, epsilon=epsilon, momentum=momentum)


class BnRelu(_Native):
    """Batch normalisation and ReLU.

    >>> BnRelu(4)(torch.ones(2, 4, 3, 3)).shape
    torch.Size([2, 4, 3, 3])
    """

    name = "bn_relu"


class BnSilu(_Native):
    """Batch normalisation and SiLU.

    >>> BnSilu(4)(torch.ones(2, 4, 3, 3)).shape
    torch.Size([2, 4, 3, 3])
    """

    name = "bn_silu"


class GnRelu(_Native):
    """Group normalisation and ReLU.

    >>> GnRelu(4, groups=2)(torch.ones(2, 4, 3, 3)).shape
    torch.Size([2, 4, 3, 3])
    """

    name = "gn_relu"


class GnSilu(_Native):
    """Group normalisation and SiLU.

    >>> GnSilu(4, groups=2)(torch.ones(2, 4, 3, 3)).shape
    torch.Size([2, 4, 3, 3])
    """

    name = "gn_silu"


class LnRelu(_Native):
    """Layer normalisation, over channels and pixels with a scale per channel, and ReLU.

    >>> LnRelu(4)(torch.ones(2, 4, 3, 3)).shape
    torch.Size([2, 4, 3, 3])
    """

    name = "ln_relu"


class LnSilu(_Native):
    """Layer normalisation, over channels and pixels with a scale per channel, and SiLU.

    >>> LnSilu(4)(torch.ones(2, 4, 3, 3)).shape
    torch.Size([2, 4, 3, 3])
    """

    name = "ln_silu"


class InRelu(_Native):
    """Instance normalisation and ReLU.

    >>> InRelu(4)(torch.ones(2, 4, 3, 3)).shape
    torch.Size([2, 4, 3, 3])
    """

    name = "in_relu"


class InSilu(_Native):
    """Instance normalisation and SiLU.

    >>> InSilu(4)(torch.ones(2, 4, 3, 3)).shape
    torch.Size([2, 4, 3, 3])
    """

    name = "in_silu"


class EvoNormB0(_Expression):
    """``x / max(std{bwh}(x), v1 * x + std{wh}(x))``.

    >>> EvoNormB0(4)(torch.ones(2, 4, 3, 3)).shape
    torch.Size([2, 4, 3, 3])
    """

    name = "evonorm_b0"


class EvoNormB1(_Expression):
    """``x / max(std{bwh}(x), (x + 1) * rms{wh}(x))``.

    >>> sorted(name for name, _ in EvoNormB1(4).named_parameters())
    ['bias', 'weight']
    """

    name = "evonorm_b1"

    def __init__(self, channels: int, *, groups: int = 32, epsilon: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__(channels, groups=groups, epsilon=epsilon, momentum=momentum)
        del self.v1
        self.register_buffer("v1", torch.ones(channels), persistent=False)


class EvoNormB2(_Expression):
    """``x / max(std{bwh}(x), rms{wh}(x) - x)``.

    >>> EvoNormB2(4)(torch.ones(2, 4, 3, 3)).shape
    torch.Size([2, 4, 3, 3])
    """

    name = "evonorm_b2"


class EvoNormS0(_Expression):
    """``x * sigmoid(v1 * x) / std{whc/g}(x)``.

    >>> EvoNormS0(4, groups=2)(torch.ones(2, 4, 3, 3)).shape
    torch.Size([2, 4, 3, 3])
    """

    name = "evonorm_s0"


class EvoNormS1(_Expression):
    """``x * sigmoid(x) / std{whc/g}(x)``.

    >>> EvoNormS1(4, groups=2)(torch.ones(2, 4, 3, 3)).shape
    torch.Size([2, 4, 3, 3])
    """

    name = "evonorm_s1"


class EvoNormS2(_Expression):
    """``x * sigmoid(x) / rms{whc/g}(x)``.

    >>> EvoNormS2(4, groups=2)(torch.ones(2, 4, 3, 3)).shape
    torch.Size([2, 4, 3, 3])
    """

    name = "evonorm_s2"


class FilterResponseNorm(_Expression):
    """``max(x / rms{wh}(x) * weight + bias, threshold)`` with a threshold per channel from 0: FRN with its TLU [2].

    ε is a constant here; [2] may also learn it, for maps of one pixel.

    >>> FilterResponseNorm(4)(torch.ones(2, 4, 3, 3)).shape
    torch.Size([2, 4, 3, 3])
    """

    name = "frn"

    def __init__(self, channels: int, *, groups: int = 32, epsilon: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__(channels, groups=groups, epsilon=epsilon, momentum=momentum)
        self.threshold = nn.Parameter(torch.zeros(channels))
        # v0 and v1 would only repeat the affine map.
        del self.v0, self.v1
        self.register_buffer("v0", torch.zeros(channels), persistent=False)
        self.register_buffer("v1", torch.ones(channels), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return a tensor of the shape and type of ``inputs``."""
        threshold = self.threshold.to(inputs.dtype).view(1, -1, *([1] * (inputs.dim() - 2)))
        return torch.maximum(super().forward(inputs), threshold)
