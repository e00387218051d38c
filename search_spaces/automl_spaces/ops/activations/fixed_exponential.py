"""Fixed functions that are linear above zero and saturate, mostly by an exponential, below."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from automl_spaces.ops.activations.curve import negative
from automl_spaces.ops.activations.entries import Family, number

_family = Family("fixed_exponential")
_curve, _module = _family.curve, _family.module


def _power_slope(x: torch.Tensor) -> torch.Tensor:
    """Return the derivative of x + x²/√(1+x²), continued by 1 above zero."""
    below = negative(x)
    share = below / (below.square() + 1).sqrt()
    return 1 + share * 2 - share * share * share


def _square_root_slope(x: torch.Tensor) -> torch.Tensor:
    share = x / (x.square() + 1).sqrt()
    return (share * (2 - share.square()) + 1) / 2


def _elish_slope(x: torch.Tensor) -> torch.Tensor:
    gate, grown = torch.sigmoid(x), negative(x).exp()
    return gate * (grown + (torch.relu(x) + grown - 1) * (1 - gate))


_module(
    "elu",
    "x | alpha·(e^x - 1)",
    "Clevert et al. 2015 arXiv:1511.07289",
    "monotone below zero",
    lambda channels, values: nn.ELU(values["alpha"]),
    smooth=1,
    parameters=(number("alpha", 1.0, 0.0),),
)
_module(
    "selu",
    "λ·(x | α·(e^x - 1)); λ = 1.0507, α = 1.6733",
    "Klambauer et al. 2017 arXiv:1706.02515",
    "monotone below zero",
    lambda channels, values: nn.SELU(),
    smooth=0,
)
_module(
    "celu",
    "x | alpha·(e^(x/alpha) - 1)",
    "Barron 2017 arXiv:1704.07483",
    "monotone below zero",
    lambda channels, values: nn.CELU(values["alpha"]),
    smooth=1,
    parameters=(number("alpha", 1.0, 0.0),),
)
_curve(
    "isrlu",
    "x | x/√(1 + alpha·x²)",
    "Carlile et al. 2017 arXiv:1710.09967",
    "monotone below zero",
    lambda x, alpha: torch.relu(x) + negative(x) / (negative(x).square() * alpha + 1).sqrt(),
    smooth=2,
    parameters=(number("alpha", 1.0, 0.0),),
)
_curve(
    "sqlu",
    "x | x + x²/4 down to -2, then -1",
    "Wuraola and Patel 2018",
    "monotone below zero",
    lambda x: torch.relu(x) + x.clamp(-2, 0) + x.clamp(-2, 0).square() / 4,
    lambda x: x.clamp(-2, 0) / 2 + 1,
    smooth=1,
)
_curve(
    "polylu",
    "x | 1/(1-x) - 1",
    "Feng and Yang 2022",
    "monotone below zero",
    lambda x: torch.relu(x) + (1 - negative(x)).reciprocal() - 1,
    lambda x: (1 - negative(x)).square().reciprocal(),
    smooth=1,
)
_curve(
    "pflu",
    "x·(1 + x/√(1+x²))/2",
    "Zhu et al. 2021",
    "below zero",
    lambda x: x * (x / (x.square() + 1).sqrt() + 1) / 2,
    _square_root_slope,
)
_curve(
    "fpflu",
    "x | x + x²/√(1+x²)",
    "Zhu et al. 2021",
    "below zero",
    lambda x: torch.relu(x) + negative(x) + negative(x).square() / (negative(x).square() + 1).sqrt(),
    _power_slope,
    smooth=1,
)
_curve(
    "tanhlu_neg",
    "x | tanh(x/2)",
    "Shen et al. 2022",
    "monotone below zero",
    lambda x: torch.relu(x) + torch.tanh(negative(x) / 2),
    smooth=0,
)
_curve(
    "slu",
    "x | 2·sp(x) - 2·ln 2",
    "Zhao et al. 2018",
    "monotone below zero",
    lambda x: torch.relu(x) + (functional.softplus(negative(x)) - math.log(2)) * 2,
    lambda x: torch.sigmoid(negative(x)) * 2,
    smooth=1,
)
_curve(
    "elish",
    "x·σ(x) | (e^x - 1)·σ(x)",
    "Basirat and Roth 2018 arXiv:1808.00783",
    "below zero",
    lambda x: (torch.relu(x) + negative(x).exp() - 1) * torch.sigmoid(x),
    _elish_slope,
    smooth=1,
)
_curve(
    "hard_elish",
    "x·h | (e^x - 1)·h, h = clip((x+1)/2, 0, 1)",
    "Basirat and Roth 2018 arXiv:1808.00783",
    "below zero",
    lambda x: (torch.relu(x) + negative(x).exp() - 1) * (x / 2 + 0.5).clamp(0, 1),
    smooth=0,
)

ENTRIES = _family.entries
