"""Functions with a few trainable parameters, one of each for every channel where their number is known.

The initial values reduce most of them to a fixed function. Where the paper's would leave a parameter without a
gradient, ours differ, so that every parameter can move.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl_spaces.ops.activations.curve import Function, Slope, is_positive, negative, safe_exp
from automl_spaces.ops.activations.entries import Family, learned

_family = Family("trainable")
_curve, _module = _family.curve, _family.module

Values = float | Tensor
_POWER = 10.0
"""1/(1-t) of PDELU with t = 0.9."""


def _tensor(value: Values, like: Tensor) -> Tensor:
    return value if isinstance(value, Tensor) else like.new_tensor(value)


def _pdelu(x: Tensor, alpha: Values) -> Tensor:
    """Return the function with its power as e^(10·ln): the root is guarded where the base is 0."""
    base = (negative(x) / _POWER + 1).clamp(min=1e-3)
    return torch.relu(x) + ((base.log() * _POWER).exp() - 1) * alpha


def _elu_slopes(x: Tensor, alpha: Values) -> tuple[Tensor, Tensor]:
    grown = negative(x).exp()
    return is_positive(x) + (1 - is_positive(x)) * grown * alpha, grown - 1


def _swish_slopes(x: Tensor, beta: Values) -> tuple[Tensor, Tensor]:
    gate = torch.sigmoid(x * beta)
    inner = x * gate * (1 - gate)
    return gate + inner * beta, inner * x


def _e_swish_slopes(x: Tensor, beta: Values) -> tuple[Tensor, Tensor]:
    gate = torch.sigmoid(x)
    return (gate + x * gate * (1 - gate)) * beta, x * gate


def _snake_slopes(x: Tensor, a: Values) -> tuple[Tensor, Tensor]:
    angle = x * (a * 2)
    turn = torch.sin(angle)
    return turn + 1, (x * turn - (1 - torch.cos(angle)) / (a * 2)) / a


def _wave(turn: Function, turned: Function) -> tuple[Function, Slope]:
    """Return (x + a·turn(b·x))·σ(x), and its slopes, where ``turned`` is the derivative of ``turn``."""

    def function(x: Tensor, a: Values, b: Values) -> Tensor:
        return (x + turn(x * b) * a) * torch.sigmoid(x)

    def slopes(x: Tensor, a: Values, b: Values) -> tuple[Tensor, Tensor, Tensor]:
        gate, angle = torch.sigmoid(x), x * b
        waved, slope = turn(angle), turned(angle) * a
        return gate * (slope * b + 1 + (x + waved * a) * (1 - gate)), waved * gate, slope * x * gate

    return function, slopes


def _acon_slopes(x: Tensor, first: Values, second: Values, beta: Values) -> tuple[Tensor, ...]:
    difference = first - second
    gate = torch.sigmoid(x * (difference * beta))
    inner = x * (gate * (1 - gate))
    by_difference = x * gate + inner * x * (difference * beta)
    by_x = gate * difference + inner * (difference * difference * beta) + second
    return by_x, by_difference, x - by_difference, inner * x * (difference * difference)


def _srelu(x: Tensor, low: Values, low_slope: Values, high: Values, high_slope: Values) -> Tensor:
    return x - torch.relu(x - high) * (1 - high_slope) - negative(x - low) * (1 - low_slope)


def _preu_slopes(x: Tensor, alpha: Values, beta: Values) -> tuple[Tensor, ...]:
    grown = (negative(x) * beta).exp()
    scaled = x * grown
    return grown * alpha * (negative(x) * beta + 1), scaled, scaled * negative(x) * alpha


def _smu(x: Tensor, alpha: Values, mu: Values) -> Tensor:
    rest = 1 - alpha
    edge: Tensor = torch.special.erf(x * (rest * mu))
    return (x * (1 + alpha) + x * rest * edge) / 2


def _smu_slopes(x: Tensor, alpha: Values, mu: Values) -> tuple[Tensor, ...]:
    rest = 1 - alpha
    inner = x * (rest * mu)
    edge = torch.special.erf(inner)
    bell = inner.square().neg().exp() * (x * (1 / math.sqrt(math.pi)))
    by_x = (edge * rest + (1 + alpha)) / 2 + bell * (rest * rest * mu)
    return by_x, x / 2 - x * edge / 2 - bell * x * (rest * mu), bell * x * (rest * rest)


def _tanh_soft(x: Tensor, alpha: Values, beta: Values, gamma: Values, delta: Values) -> Tensor:
    """Return the function; ln(δ + e^x) is taken relative to the greater of both, and δ is at least 1e-6."""
    shift = torch.relu(x)
    plus = shift + ((x - shift).exp() + (-shift).exp() * _tensor(delta, x).clamp(min=1e-6)).log()
    return torch.tanh(x * alpha + safe_exp(x * gamma, 10.0) * beta) * plus


def _eis(x: Tensor, beta: Values, gamma: Values, delta: Values, theta: Values) -> Tensor:
    root = (x.square() * gamma + beta).sqrt()
    return x * functional.softplus(x) / (root + safe_exp(-x * theta) * delta)


def _soft_exponential(x: Tensor, alpha: Values) -> Tensor:
    """Return both branches, each with an α of its sign, times 0 or 1; |α| counts as 1e-3 at least."""
    whole = _tensor(alpha, x)
    above, below = whole.clamp(min=1e-3), whole.clamp(max=-1e-3)
    grown = torch.expm1((x * above).clamp(max=40.0)) / above + above
    shrunk = -(1 - below * (x + below)).clamp(min=1e-6).log() / below
    is_above = (whole >= 0).to(x.dtype)
    return grown * is_above + shrunk * (1 - is_above)


def _arelu(x: Tensor, alpha: Values, beta: Values) -> Tensor:
    return torch.relu(x) * (1 + torch.sigmoid(_tensor(beta, x))) + negative(x) * _tensor(alpha, x).clamp(0.01, 0.99)


def _reltanh(x: Tensor, low: Values, high: Values) -> Tensor:
    over, under = torch.relu(x - high), negative(x - low)
    ends = [1 - torch.tanh(_tensor(end, x)).square() for end in (high, low)]
    return torch.tanh(x - over - under) + over * ends[0] + under * ends[1]


class NoisyRelu(nn.Module):
    """ReLU with Gaussian noise of a trainable size, in training."""

    def __init__(self, channels: int | None, sigma: float) -> None:
        super().__init__()
        self.sigma = nn.Parameter(torch.full((channels or 1,), sigma))

    def forward(self, x: Tensor) -> Tensor:
        """Return as many channels."""
        if not self.training:
            return torch.relu(x)
        shape = () if self.sigma.numel() == 1 else (-1, *(1,) * (x.dim() - 2))
        return torch.addcmul(torch.relu(x), torch.randn_like(x), self.sigma.to(x.dtype).reshape(shape))


_sinlu, _sinlu_slopes = _wave(torch.sin, torch.cos)
_coslu, _coslu_slopes = _wave(torch.cos, lambda angle: -torch.sin(angle))

_module(
    "prelu",
    "x | a·x",
    "He et al. 2015 arXiv:1502.01852",
    "monotone zero homogeneous",
    lambda channels, values: nn.PReLU(channels or 1, init=values["weight"]),
    smooth=0,
    parameters=(learned("weight", 0.25),),
)
_curve(
    "relun",
    "min(r(x), n)",
    "Kunc and Kléma 2024 arXiv:2402.09092",
    "monotone below above zero",
    lambda x, n: torch.relu(x) - torch.relu(x - n),
    lambda x, n: (is_positive(x) - is_positive(x - n), is_positive(x - n)),
    smooth=0,
    parameters=(learned("n", 1.0, 0.0),),
)
_curve(
    "frelu",
    "r(x) + b",
    "Qiu et al. 2017 arXiv:1706.08098",
    "monotone below zero",
    lambda x, b: torch.relu(x) + b,
    lambda x, b: (is_positive(x), torch.ones_like(x)),
    smooth=0,
    parameters=(learned("b", 0.0),),
)
_curve(
    "dprelu",
    "a·x | b·x",
    "Balaji et al. 2019",
    "monotone zero homogeneous",
    lambda x, a, b: torch.relu(x) * a + negative(x) * b,
    lambda x, a, b: ((up := is_positive(x)) * a + (1 - up) * b, torch.relu(x), negative(x)),
    smooth=0,
    parameters=(learned("a", 1.0), learned("b", 0.01)),
)
_curve(
    "pilu",
    "a·x + c·(1-a) where x > c, else b·x + c·(1-b)",
    "Inturrisi et al. 2021 arXiv:2104.03693",
    "monotone",
    lambda x, a, b, c: torch.relu(x - c) * a + negative(x - c) * b + c,
    smooth=0,
    parameters=(learned("a", 1.0), learned("b", 0.01), learned("c", 1.0)),
)
_curve(
    "srelu",
    "x between two thresholds, other slopes beyond",
    "Jin et al. 2015 arXiv:1512.07030",
    "monotone odd zero",
    _srelu,
    smooth=0,
    parameters=(learned("low", -1.0), learned("low_slope", 0.2), learned("high", 1.0), learned("high_slope", 0.2)),
)
_curve(
    "pelu",
    "(a/b)·x | a·(e^(x/b) - 1)",
    "Trottier et al. 2016 arXiv:1605.09332",
    "monotone below zero",
    lambda x, a, b: torch.relu(x) * (a / b) + ((negative(x) / b).exp() - 1) * a,
    smooth=1,
    parameters=(learned("a", 1.0, 0.1), learned("b", 1.0, 0.1)),
)
_curve(
    "mpelu",
    "x | alpha·(e^(beta·x) - 1)",
    "Li et al. 2016 arXiv:1606.00305",
    "monotone below zero",
    lambda x, alpha, beta: torch.relu(x) + ((negative(x) * beta).exp() - 1) * alpha,
    smooth=1,
    parameters=(learned("alpha", 1.0, 0.0), learned("beta", 1.0, 0.0)),
)
_curve(
    "pdelu",
    "x | alpha·([1 + x/10]₊^10 - 1)",
    "Cheng et al. 2020",
    "monotone below zero",
    _pdelu,
    smooth=1,
    parameters=(learned("alpha", 1.0, 0.0),),
)
_curve(
    "felu",
    "x | alpha·(2^(x/ln 2) - 1)",
    "Qiumei et al. 2019",
    "monotone below zero",
    lambda x, alpha: torch.relu(x) + (negative(x).exp() - 1) * alpha,
    _elu_slopes,
    smooth=1,
    parameters=(learned("alpha", 1.0, 0.0),),
)
_curve(
    "preu",
    "alpha·x | alpha·x·e^(beta·x)",
    "Ying et al. 2019",
    "below zero",
    lambda x, alpha, beta: x * (negative(x) * beta).exp() * alpha,
    _preu_slopes,
    smooth=1,
    parameters=(learned("alpha", 1.0), learned("beta", 1.0, 0.0)),
)
_curve(
    "erf_relu",
    "x | a·erf(x)",
    "Rajanand and Singh 2023 arXiv:2306.01822",
    "monotone below zero",
    lambda x, a: torch.relu(x) + torch.special.erf(negative(x)) * a,
    smooth=0,
    parameters=(learned("a", 0.5, 0.0),),
)
_curve(
    "e_swish",
    "beta·x·σ(x)",
    "Alcaide 2018 arXiv:1801.07145",
    "below zero",
    lambda x, beta: functional.silu(x) * beta,
    _e_swish_slopes,
    parameters=(learned("beta", 1.5),),
)
_curve(
    "swish",
    "x·σ(beta·x)",
    "Ramachandran et al. 2017 arXiv:1710.05941",
    "below zero",
    lambda x, beta: x * torch.sigmoid(x * beta),
    _swish_slopes,
    parameters=(learned("beta", 1.0, 0.0),),
)
_curve(
    "psgu",
    "x·tanh(a·σ(x))",
    "Zhou et al. 2023",
    "below zero",
    lambda x, a: x * torch.tanh(torch.sigmoid(x) * a),
    parameters=(learned("a", 3.0, 0.0),),
)
_curve(
    "sinlu",
    "(x + a·sin(b·x))·σ(x)",
    "Paul et al. 2022",
    "below zero",
    _sinlu,
    _sinlu_slopes,
    parameters=(learned("a", 1.0), learned("b", 1.0)),
)
_curve(
    "coslu",
    "(x + a·cos(b·x))·σ(x)",
    "Kunc and Kléma 2024 arXiv:2402.09092",
    "below",
    _coslu,
    _coslu_slopes,
    parameters=(learned("a", 1.0), learned("b", 1.0)),
)
_curve(
    "snake",
    "x + sin²(a·x)/a",
    "Ziyin et al. 2020 arXiv:2006.08195",
    "monotone zero",
    lambda x, a: x + (1 - torch.cos(x * (a * 2))) / (a * 2),
    _snake_slopes,
    parameters=(learned("a", 1.0, 0.05),),
)
_curve(
    "acon_c",
    "(p1-p2)·x·σ(beta·(p1-p2)·x) + p2·x",
    "Ma et al. 2020 arXiv:2009.04759",
    "below zero",
    lambda x, p1, p2, beta: x * ((p1 - p2) * torch.sigmoid(x * ((p1 - p2) * beta)) + p2),
    _acon_slopes,
    parameters=(learned("p1", 1.0), learned("p2", 0.0), learned("beta", 1.0)),
)
_curve(
    "smu",
    "((1+alpha)·x + (1-alpha)·x·erf(mu·(1-alpha)·x))/2",
    "Biswas et al. 2021 arXiv:2111.04682",
    "monotone zero",
    _smu,
    _smu_slopes,
    parameters=(learned("alpha", 0.25), learned("mu", 1.0)),
)
_curve(
    "tanh_soft",
    "tanh(alpha·x + beta·e^(gamma·x))·ln(delta + e^x)",
    "Biswas et al. 2020 arXiv:2009.03863",
    "below",
    _tanh_soft,
    parameters=(learned("alpha", 0.87), learned("beta", 0.6), learned("gamma", 1.0), learned("delta", 1.0, 0.0)),
)
_curve(
    "eis",
    "x·sp(x)/(√(beta + gamma·x²) + delta·e^(-theta·x))",
    "Biswas et al. 2020 arXiv:2009.13501",
    "below zero",
    _eis,
    parameters=(
        learned("beta", 1.0, 0.01),
        learned("gamma", 1.0, 0.0),
        learned("delta", 1.0, 0.0),
        learned("theta", 1.0),
    ),
)
_curve(
    "soft_exponential",
    "-ln(1 - a·(x + a))/a for a < 0, else (e^(a·x) - 1)/a + a",
    "Godfrey and Gashler 2016 arXiv:1602.01321",
    "monotone below",
    _soft_exponential,
    parameters=(learned("alpha", 0.25, -1.0, 1.0),),
)
_curve(
    "arelu",
    "(1 + σ(beta))·x | clip(alpha, 0.01, 0.99)·x",
    "Chen et al. 2020 arXiv:2006.13858",
    "monotone zero homogeneous",
    _arelu,
    smooth=0,
    parameters=(learned("alpha", 0.9, 0.01, 0.99), learned("beta", 2.0)),
)
_curve(
    "blu",
    "a·(√(x² + 1) - 1) + x, |a| ≤ 1",
    "Godfrey 2019",
    "monotone zero",
    lambda x, a: ((x.square() + 1).sqrt() - 1) * _tensor(a, x).clamp(-1, 1) + x,
    parameters=(learned("a", 0.5, -1.0, 1.0),),
)
_curve(
    "reltanh",
    "tanh x between two thresholds, its tangents beyond",
    "Wang et al. 2019",
    "monotone zero",
    _reltanh,
    smooth=1,
    parameters=(learned("low", -1.5), learned("high", 0.5)),
)
_curve(
    "telu_elu",
    "x·tanh(ELU(a·x))",
    "Mercioni and Holban 2020",
    "below zero",
    lambda x, a: x * torch.tanh(torch.relu(x * a) + negative(x * a).exp() - 1),
    smooth=1,
    parameters=(learned("a", 1.0),),
)
_module(
    "prob_act",
    "r(x) + sigma·ε, ε ~ N(0, 1) in training",
    "Shridhar et al. 2019 arXiv:1905.10761",
    "monotone below zero stochastic",
    lambda channels, values: NoisyRelu(channels, values["sigma"]),
    smooth=0,
    parameters=(learned("sigma", 0.1, 0.0),),
)

ENTRIES = _family.entries
