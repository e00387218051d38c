"""Fixed functions of the form x·gate(x): smooth, mostly with a dip below zero.

Derivatives are written with the gate that the function has anyway. Gates of e^x clamp the exponent where the gate is 1
(or 0) to the last digit already, so nothing overflows.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl_spaces.ops.activations.curve import is_positive, negative, normal_cdf, safe_exp
from automl_spaces.ops.activations.entries import Family, learned

_family = Family("gated")
_curve, _module = _family.curve, _family.module

_DENSITY = 1 / math.sqrt(2 * math.pi)


def _softplus(x: Tensor) -> Tensor:
    """Return softplus to an absolute accuracy of one rounding, in two thirds of the time; no use for a gradient."""
    return torch.relu(x) - torch.sigmoid(x.abs()).log()


def _mish(x: Tensor) -> Tensor:
    grown = safe_exp(x, 20.0)
    odds = grown * (grown + 2)
    return x * odds / (odds + 2)


def _mish_slope(x: Tensor) -> Tensor:
    grown = safe_exp(x, 20.0)
    odds = grown * (grown + 2)
    gate = odds / (odds + 2)
    return gate + x * (1 - gate.square()) * grown / (grown + 1)


def _tanh_exp_slope(x: Tensor) -> Tensor:
    grown = safe_exp(x, 5.0)
    gate = torch.tanh(grown)
    return gate + x * grown * (1 - gate.square())


def _serf_slope(x: Tensor) -> Tensor:
    plus = _softplus(x)
    density = plus.square().neg().exp() * (2 / math.sqrt(math.pi))
    edge: Tensor = torch.special.erf(plus)
    return edge + x * density * torch.sigmoid(x)


def _logish_slope(x: Tensor) -> Tensor:
    gate = torch.sigmoid(x)
    return torch.log1p(gate) + x * gate * (1 - gate) / (gate + 1)


def _smish(x: Tensor) -> Tensor:
    gate = torch.sigmoid(x)
    odds = gate * (gate + 2)
    return x * odds / (odds + 2)


def _smish_slope(x: Tensor) -> Tensor:
    gate = torch.sigmoid(x)
    odds = gate * (gate + 2)
    share = odds / (odds + 2)
    return share + x * gate * (1 - gate) * (gate + 1) * 4 / (odds + 2).square()


def _phish_slope(x: Tensor) -> Tensor:
    gate = torch.tanh(functional.gelu(x))
    inner = normal_cdf(x) + x * (x.square() / -2).exp() * _DENSITY
    return gate + x * (1 - gate.square()) * inner


def _gish_slope(x: Tensor) -> Tensor:
    grown = safe_exp(x, 5.0)
    rest = grown.neg().exp()
    return (2 - rest).log() + x * rest * grown / (2 - rest)


def _log_log_slope(x: Tensor) -> Tensor:
    grown = safe_exp(x, 5.0)
    rest = grown.neg().exp()
    return 1 - rest + x * rest * grown


def _exp_exp_slope(x: Tensor) -> Tensor:
    grown = safe_exp(-x, 5.0)
    gate = grown.neg().exp()
    return gate + x * gate * grown


def _sin_sig_slope(x: Tensor) -> Tensor:
    gate = torch.sigmoid(x)
    angle = gate * (math.pi / 2)
    return torch.sin(angle) + x * torch.cos(angle) * angle * (1 - gate)


def _sigmoid_slope(x: Tensor, inner: Tensor, growth: Tensor | float = 1.0) -> Tensor:
    """Return the derivative of x·σ(inner), where inner' is ``growth``."""
    gate = torch.sigmoid(inner)
    return gate + x * gate * (1 - gate) * growth


def _laplace_cdf(x: Tensor) -> Tensor:
    return (x.sign() * (1 - x.abs().neg().exp()) + 1) / 2


def _colu(x: Tensor) -> Tensor:
    return x / (1 - x * safe_exp(-(x + safe_exp(x))))


def _colu_slope(x: Tensor) -> Tensor:
    grown = safe_exp(x)
    shrunk = safe_exp(-(x + grown))
    rest = 1 - x * shrunk
    return (1 - x * shrunk * x * (grown + 1)) / rest.square()


def _tanh_sigmoid_slope(x: Tensor) -> Tensor:
    inner = torch.sigmoid(x)
    gate = torch.tanh(inner)
    return gate + x * (1 - gate.square()) * inner * (1 - inner)


def _tanh_tanh_slope(x: Tensor) -> Tensor:
    inner = torch.tanh(x / 2)
    gate = torch.tanh(inner)
    return gate + x * (1 - gate.square()) * (1 - inner.square()) / 2


def _lisht_slope(x: Tensor) -> Tensor:
    gate = torch.tanh(x)
    return gate + x * (1 - gate.square())


def _dsilu(x: Tensor) -> Tensor:
    gate = torch.sigmoid(x)
    return gate * (x * (1 - gate) + 1)


def _dsilu_slope(x: Tensor) -> Tensor:
    gate = torch.sigmoid(x)
    return gate * (1 - gate) * (x * (1 - gate * 2) + 2)


def _sech(x: Tensor) -> Tensor:
    shrunk = x.abs().neg().exp()
    return shrunk * 2 / (shrunk.square() + 1)


_module(
    "silu",
    "x·σ(x)",
    "Elfwing et al. 2017 arXiv:1702.03118",
    "below zero",
    lambda channels, values: nn.SiLU(),
    aliases=("swish1", "sil"),
)
_module(
    "gelu", "x·Φ(x)", "Hendrycks and Gimpel 2016 arXiv:1606.08415", "below zero", lambda channels, values: nn.GELU()
)
_module(
    "gelu_tanh",
    "x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2",
    "Hendrycks and Gimpel 2016 arXiv:1606.08415",
    "below zero",
    lambda channels, values: nn.GELU(approximate="tanh"),
)
_curve(
    "quick_gelu",
    "x·σ(1.702·x)",
    "Hendrycks and Gimpel 2016 arXiv:1606.08415",
    "below zero",
    lambda x: x * torch.sigmoid(x * 1.702),
    lambda x: _sigmoid_slope(x, x * 1.702, 1.702),
)
_curve("mish", "x·tanh(sp(x))", "Misra 2019 arXiv:1908.08681", "below zero", _mish, _mish_slope)
_curve(
    "hard_mish",
    "x·clip(x + 2, 0, 2)/2",
    "Wightman 2019",
    "below zero",
    lambda x: x * (x + 2).clamp(0, 2) / 2,
    lambda x: (x.clamp(max=0) + 1) * is_positive(x + 2),
    smooth=0,
)
_curve(
    "tanh_exp",
    "x·tanh(e^x)",
    "Liu and Di 2020 arXiv:2003.09855",
    "below zero",
    lambda x: x * torch.tanh(safe_exp(x, 5.0)),
    _tanh_exp_slope,
    aliases=("telu",),
)
_curve(
    "serf",
    "x·erf(sp(x))",
    "Nag and Bhattacharyya 2021 arXiv:2108.09598",
    "below zero",
    lambda x: x * torch.special.erf(functional.softplus(x)),
    _serf_slope,
)
_curve(
    "logish",
    "x·ln(1 + σ(x))",
    "Zhu et al. 2021",
    "below zero",
    lambda x: x * torch.log1p(torch.sigmoid(x)),
    _logish_slope,
)
_curve("smish", "x·tanh(ln(1 + σ(x)))", "Wang et al. 2022", "below zero", _smish, _smish_slope)
_curve(
    "phish", "x·tanh(x·Φ(x))", "Naveen 2022", "below zero", lambda x: x * torch.tanh(functional.gelu(x)), _phish_slope
)
_curve(
    "gish",
    "x·ln(2 - e^(-e^x))",
    "Kaytan et al. 2023",
    "below zero",
    lambda x: x * (2 - safe_exp(x, 5.0).neg().exp()).log(),
    _gish_slope,
)
_curve(
    "suish",
    "max(x, x·e^(-|x|))",
    "Banerjee et al. 2019",
    "below zero",
    lambda x: x * negative(x).exp(),
    lambda x: negative(x).exp() * (negative(x) + 1),
    smooth=1,
)
_curve(
    "log_logish",
    "x·(1 - e^(-e^x))",
    "Zhu et al. 2021",
    "below zero",
    lambda x: x * (1 - safe_exp(x, 5.0).neg().exp()),
    _log_log_slope,
)
_curve(
    "exp_expish",
    "x·e^(-e^(-x))",
    "Zhu et al. 2021",
    "below zero",
    lambda x: x * safe_exp(-x, 5.0).neg().exp(),
    _exp_exp_slope,
)
_curve(
    "sin_sig",
    "x·sin(π/2·σ(x))",
    "Douge et al. 2023",
    "below zero",
    lambda x: x * torch.sin(torch.sigmoid(x) * (math.pi / 2)),
    _sin_sig_slope,
)
_curve(
    "eanaf",
    "x·e^x/(e^x + 2)",
    "Chai et al. 2023",
    "below zero",
    lambda x: x * torch.sigmoid(x - math.log(2)),
    lambda x: _sigmoid_slope(x, x - math.log(2)),
)
_curve(
    "swat",
    "x·σ(arctan x)",
    "Verma et al. 2023",
    "monotone zero",
    lambda x: x * torch.sigmoid(torch.atan(x)),
    lambda x: _sigmoid_slope(x, torch.atan(x), 1 / (x.square() + 1)),
)
_curve(
    "self_arctan",
    "x·arctan x",
    "Liu et al. 2020",
    "below even zero",
    lambda x: x * torch.atan(x),
    lambda x: torch.atan(x) + x / (x.square() + 1),
)
_curve(
    "calu",
    "x·(1/2 + arctan(x)/π)",
    "Kunc and Kléma 2024 arXiv:2402.09092",
    "monotone below zero",
    lambda x: x * (torch.atan(x) / math.pi + 0.5),
    lambda x: torch.atan(x) / math.pi + 0.5 + x / ((x.square() + 1) * math.pi),
)
_curve(
    "lalu",
    "x·Laplace-CDF(x)",
    "Kunc and Kléma 2024 arXiv:2402.09092",
    "below zero",
    lambda x: x * _laplace_cdf(x),
    lambda x: _laplace_cdf(x) + x * x.abs().neg().exp() / 2,
    smooth=1,
)
_curve("colu", "x/(1 - x·e^(-(x + e^x)))", "Vagerwal 2021 arXiv:2112.12078", "below zero", _colu, _colu_slope)
_curve(
    "ts_relu",
    "x·tanh(σ(x))",
    "Kunc and Kléma 2024 arXiv:2402.09092",
    "below zero",
    lambda x: x * torch.tanh(torch.sigmoid(x)),
    _tanh_sigmoid_slope,
)
_curve(
    "tbs_relu",
    "x·tanh(tanh(x/2))",
    "Kunc and Kléma 2024 arXiv:2402.09092",
    "below even zero",
    lambda x: x * torch.tanh(torch.tanh(x / 2)),
    _tanh_tanh_slope,
)
_curve(
    "lisht",
    "x·tanh x",
    "Roy et al. 2019 arXiv:1901.05894",
    "below even zero",
    lambda x: x * torch.tanh(x),
    _lisht_slope,
)
_curve("dsilu", "σ(x)·(1 + x·(1 - σ(x)))", "Elfwing et al. 2017 arXiv:1702.03118", "below above", _dsilu, _dsilu_slope)
_curve(
    "rehsec",
    "x/cosh x",
    "Kunc and Kléma 2024 arXiv:2402.09092",
    "below above odd zero",
    lambda x: x * _sech(x),
    lambda x: _sech(x) * (1 - x * torch.tanh(x)),
)
_curve(
    "srs",
    "x/(x/alpha + e^(-x/beta))",
    "Zhou et al. 2020",
    "below above zero",
    lambda x, alpha, beta: x / (x / alpha + safe_exp(-x / beta)),
    parameters=(learned("alpha", 2.0, 0.1), learned("beta", 3.0, 0.1)),
)
_curve(
    "gcu",
    "x·cos x",
    "Noel et al. 2021 arXiv:2108.12943",
    "odd zero",
    lambda x: x * torch.cos(x),
    lambda x: torch.cos(x) - x * torch.sin(x),
    aliases=("growing_cosine",),
)

ENTRIES = _family.entries
