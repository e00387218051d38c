"""Fixed functions that saturate on both sides, and those of no other kind: bumps, waves, polynomials."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl_spaces.ops.activations.curve import negative, safe_exp
from automl_spaces.ops.activations.entries import Family, number

_family = Family("s_shaped")
_curve, _module = _family.curve, _family.module

_SMALLEST_ANGLE = 1e-4
"""sin t/t is 1 to the ninth digit below it; its derivative is taken as 0 there."""
_LARGEST_EXPONENT = 80.0


def _sinc(x: Tensor) -> Tensor:
    angle = x.abs().clamp(min=_SMALLEST_ANGLE)
    return torch.sin(angle) / angle


def _sinc_slope(x: Tensor) -> Tensor:
    angle = x.abs().clamp(min=_SMALLEST_ANGLE)
    return x.sign() * (torch.cos(angle) - torch.sin(angle) / angle) / angle


def _logistic_slope(x: Tensor, scale: float) -> Tensor:
    gate = torch.tanh(x)
    return (1 - gate.square()) * scale


_module(
    "sigmoid",
    "σ(x) = 1/(1 + e^(-x))",
    "Rumelhart et al. 1986",
    "monotone below above",
    lambda channels, values: nn.Sigmoid(),
    aliases=("logistic",),
)
_module("tanh", "tanh x", "LeCun et al. 1998", "monotone below above odd zero", lambda channels, values: nn.Tanh())
_module(
    "log_sigmoid",
    "ln σ(x)",
    "Paszke et al. 2019 arXiv:1912.01703",
    "monotone above",
    lambda channels, values: nn.LogSigmoid(),
    aliases=("logsigmoid",),
)
_module(
    "softplus", "sp(x) = ln(1 + e^x)", "Dugas et al. 2000", "monotone below", lambda channels, values: nn.Softplus()
)
_module(
    "softsign",
    "x/(1 + |x|)",
    "Bergstra et al. 2009",
    "monotone below above odd zero",
    lambda channels, values: nn.Softsign(),
    smooth=1,
)
_module(
    "tanhshrink",
    "x - tanh x",
    "Paszke et al. 2019 arXiv:1912.01703",
    "monotone odd zero",
    lambda channels, values: nn.Tanhshrink(),
)
_curve(
    "arctan",
    "arctan x",
    "Kamruzzaman and Aziz 2002",
    "monotone below above odd zero",
    torch.atan,
    lambda x: (x.square() + 1).reciprocal(),
)
_curve(
    "isru",
    "x/√(1 + alpha·x²)",
    "Carlile et al. 2017 arXiv:1710.09967",
    "monotone below above odd zero",
    lambda x, alpha: x / (x.square() * alpha + 1).sqrt(),
    parameters=(number("alpha", 1.0, 0.0),),
)
_curve(
    "elliott",
    "x/(2·(1 + |x|)) + 1/2",
    "Elliott 1993",
    "monotone below above",
    lambda x: functional.softsign(x) / 2 + 0.5,
    lambda x: (x.abs() + 1).square().reciprocal() / 2,
    smooth=1,
)
_curve(
    "sqnl",
    "x - x·|x|/4 within ±2, ±1 outside",
    "Wuraola and Patel 2018",
    "monotone below above odd zero",
    lambda x: x.clamp(-2, 2) * (1 - x.clamp(-2, 2).abs() / 4),
    lambda x: 1 - x.clamp(-2, 2).abs() / 2,
    smooth=1,
)
_curve(
    "scaled_tanh",
    "1.7159·tanh(2x/3)",
    "LeCun et al. 1998",
    "monotone below above odd zero",
    lambda x: torch.tanh(x * (2 / 3)) * 1.7159,
    lambda x: _logistic_slope(x * (2 / 3), 1.7159 * 2 / 3),
)
_curve(
    "c_log_log",
    "1 - e^(-e^x)",
    "Gomes and Ludermir 2008",
    "monotone below above",
    lambda x: 1 - safe_exp(x, 5.0).neg().exp(),
    lambda x: (grown := safe_exp(x, 5.0)) * grown.neg().exp(),
    aliases=("cloglog",),
)
_curve(
    "log_log",
    "e^(-e^(-x))",
    "Gomes and Ludermir 2008",
    "monotone below above",
    lambda x: safe_exp(-x, 5.0).neg().exp(),
    lambda x: (grown := safe_exp(-x, 5.0)) * grown.neg().exp(),
    aliases=("loglog",),
)
_curve(
    "hexpo",
    "-a·(e^(-x/b) - 1) | c·(e^(x/d) - 1)",
    "Kong and Takatsuka 2017",
    "monotone below above odd zero",
    lambda x, a, b, c, d: (1 - (torch.relu(x) / -b).exp()) * a + ((negative(x) / d).exp() - 1) * c,
    smooth=1,
    parameters=tuple(number(name, 1.0, 0.0) for name in "abcd"),
)
_curve(
    "bent_identity",
    "x + (√(x² + 1) - 1)/2",
    "Kunc and Kléma 2024 arXiv:2402.09092",
    "monotone zero",
    lambda x: x + ((x.square() + 1).sqrt() - 1) / 2,
    lambda x: x / (x.square() + 1).sqrt() / 2 + 1,
)
_curve(
    "square_plus",
    "(x + √(x² + b))/2",
    "Barron 2021 arXiv:2112.11687",
    "monotone below",
    lambda x, b: (x + (x.square() + b).sqrt()) / 2,
    parameters=(number("b", 4.0, 0.0),),
    aliases=("squareplus",),
)
_curve(
    "symexp",
    "sign(x)·(e^|x| - 1)",
    "Hafner et al. 2023 arXiv:2301.04104",
    "monotone odd zero",
    lambda x: x.sign() * torch.expm1(x.abs().clamp(max=_LARGEST_EXPONENT)),
    lambda x: x.abs().clamp(max=_LARGEST_EXPONENT).exp(),
    smooth=1,
)
_curve(
    "symlog",
    "sign(x)·ln(1 + |x|)",
    "Hafner et al. 2023 arXiv:2301.04104",
    "monotone odd zero",
    lambda x: x.sign() * torch.log1p(x.abs()),
    lambda x: (x.abs() + 1).reciprocal(),
    smooth=1,
)
_curve(
    "sine",
    "sin x",
    "Sitzmann et al. 2020 arXiv:2006.09661",
    "below above odd zero",
    torch.sin,
    torch.cos,
    aliases=("sin",),
)
_curve(
    "cosine", "cos x", "Rahimi and Recht 2007", "below above even", torch.cos, lambda x: -torch.sin(x), aliases=("cos",)
)
_curve("sinc", "sin x/x", "Efimov et al. 1990", "below above even", _sinc, _sinc_slope)
_curve(
    "cosid",
    "cos x - x",
    "Eger et al. 2019 arXiv:1901.02671",
    "",
    lambda x: torch.cos(x) - x,
    lambda x: -torch.sin(x) - 1,
)
_curve(
    "minsin",
    "min(x, sin x)",
    "Eger et al. 2019 arXiv:1901.02671",
    "above zero",
    lambda x: negative(x) + torch.sin(torch.relu(x)),
    lambda x: torch.cos(torch.relu(x)),
    smooth=2,
)
_curve(
    "gaussian",
    "e^(-x²)",
    "Broomhead and Lowe 1988",
    "below above even",
    lambda x: x.square().neg().exp(),
    lambda x: x * x.square().neg().exp() * -2,
)
_curve(
    "mexican_hat",
    "(1 - x²)·e^(-x²/2)",
    "Zhang and Benveniste 1992",
    "below above even",
    lambda x: (1 - x.square()) * (x.square() / -2).exp(),
    lambda x: x * (x.square() - 3) * (x.square() / -2).exp(),
    aliases=("ricker",),
)
_curve("squ", "x² + x", "Noel et al. 2021 arXiv:2111.04020", "below zero", lambda x: x * (x + 1), lambda x: x * 2 + 1)
_curve(
    "ncu",
    "x - x³",
    "Noel et al. 2021 arXiv:2111.04020",
    "odd zero",
    lambda x: x - x * x.square(),
    lambda x: 1 - x.square() * 3,
)
_curve(
    "dsu",
    "π/2·(sinc(x - π) - sinc(x + π)), sinc t = sin t/t",
    "Noel et al. 2021 arXiv:2111.04020",
    "below above odd zero",
    lambda x: (_sinc(x - math.pi) - _sinc(x + math.pi)) * (math.pi / 2),
    lambda x: (_sinc_slope(x - math.pi) - _sinc_slope(x + math.pi)) * (math.pi / 2),
)

ENTRIES = _family.entries
