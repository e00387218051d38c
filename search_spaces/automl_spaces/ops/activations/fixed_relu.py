"""Fixed functions that are ReLU but for a detail: piecewise linear ones, and ReLU with something around it."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from automl_spaces.ops.activations.curve import is_negative, is_positive
from automl_spaces.ops.activations.entries import Family, number

_family = Family("fixed_relu")
_curve, _module = _family.curve, _family.module

_module(
    "relu",
    "r(x) = max(x, 0)",
    "Nair and Hinton 2010",
    "monotone below zero homogeneous",
    lambda channels, values: nn.ReLU(),
    smooth=0,
)
_module(
    "relu6",
    "min(r(x), 6)",
    "Krizhevsky 2010",
    "monotone below above zero",
    lambda channels, values: nn.ReLU6(),
    smooth=0,
)
_module(
    "leaky_relu",
    "x | slope·x",
    "Maas et al. 2013",
    "monotone zero homogeneous",
    lambda channels, values: nn.LeakyReLU(values["slope"]),
    smooth=0,
    parameters=(number("slope", 0.01, 0.0, 1.0),),
    aliases=("lrelu",),
)
_module(
    "hardtanh",
    "clip(x, -1, 1)",
    "Collobert 2004",
    "monotone below above odd zero",
    lambda channels, values: nn.Hardtanh(),
    smooth=0,
)
_module(
    "hardsigmoid",
    "clip(x/6 + 1/2, 0, 1)",
    "Courbariaux et al. 2015 arXiv:1511.00363",
    "monotone below above",
    lambda channels, values: nn.Hardsigmoid(),
    smooth=0,
)
_module(
    "hardswish",
    "x·clip(x/6 + 1/2, 0, 1)",
    "Howard et al. 2019 arXiv:1905.02244",
    "below zero",
    lambda channels, values: nn.Hardswish(),
    smooth=0,
    aliases=("hard_swish",),
)
_module(
    "softshrink",
    "sign(x)·max(|x| - lambd, 0)",
    "Donoho 1995",
    "monotone odd zero",
    lambda channels, values: nn.Softshrink(values["lambd"]),
    smooth=0,
    parameters=(number("lambd", 0.5, 0.0),),
)
_module(
    "hardshrink",
    "x where |x| > lambd, else 0",
    "Donoho and Johnstone 1994",
    "monotone odd zero",
    lambda channels, values: nn.Hardshrink(values["lambd"]),
    smooth=-1,
    parameters=(number("lambd", 0.5, 0.0),),
)
_module(
    "threshold",
    "x where x > threshold, else value",
    "Paszke et al. 2019 arXiv:1912.01703",
    "monotone below zero",
    lambda channels, values: nn.Threshold(values["threshold"], values["value"]),
    smooth=-1,
    parameters=(number("threshold", 0.5), number("value", 0.0)),
)
_module(
    "trec",
    "x where x > 1, else 0",
    "Konda et al. 2014 arXiv:1402.3337",
    "monotone below zero",
    lambda channels, values: nn.Threshold(1.0, 0.0),
    smooth=-1,
)
_module(
    "rrelu",
    "x | a·x; a ~ U(1/8, 1/3) in training, 11/48 after",
    "Xu et al. 2015 arXiv:1505.00853",
    "monotone zero homogeneous stochastic",
    lambda channels, values: nn.RReLU(),
    smooth=0,
)
_curve(
    "abslu",
    "x | alpha·|x|",
    "Abdel-Nabi et al. 2023",
    "below zero homogeneous",
    lambda x, alpha: functional.leaky_relu(x, -alpha),
    lambda x, alpha: (1 - (1 + alpha) * is_negative(x), x.clamp(max=0).neg()),
    smooth=0,
    parameters=(number("alpha", 0.5, 0.0, 1.0),),
)
_curve("abs", "|x|", "Berngardt 2023", "below even zero homogeneous", torch.abs, torch.sign, smooth=0)
_curve(
    "squared_relu",
    "r(x)²",
    "So et al. 2021 arXiv:2109.08668",
    "monotone below zero",
    lambda x: torch.relu(x).square(),
    lambda x: torch.relu(x) * 2,
    smooth=1,
    aliases=("relu2",),
)
_curve(
    "star_relu",
    "scale·r(x)² + bias",
    "Yu et al. 2022 arXiv:2210.13452",
    "monotone below",
    lambda x, scale, bias: torch.relu(x).square() * scale + bias,
    smooth=1,
    parameters=(number("scale", 0.8944), number("bias", -0.4472)),
)
_curve(
    "sign_relu",
    "x | x/(1+|x|)",
    "Lin and Shen 2018",
    "monotone below zero",
    lambda x: torch.relu(x) + functional.softsign(x.clamp(max=0)),
    lambda x: (1 - x.clamp(max=0)).square().reciprocal(),
    smooth=1,
)
_curve(
    "nlrelu",
    "ln(1 + beta·r(x))",
    "Liu et al. 2019 arXiv:1908.03682",
    "monotone below zero",
    lambda x, beta: torch.log1p(torch.relu(x) * beta),
    lambda x, beta: (is_positive(x) * beta / (torch.relu(x) * beta + 1), torch.relu(x) / (torch.relu(x) * beta + 1)),
    smooth=0,
    parameters=(number("beta", 1.0, 0.0),),
)
_curve(
    "brelu",
    "clip(x, 0, most)",
    "Liew et al. 2016",
    "monotone below above zero",
    lambda x, most: x.clamp(0, most),
    smooth=0,
    parameters=(number("most", 1.0, 0.0),),
)
_curve(
    "flattened_t_swish",
    "r(x)·σ(x) - 0.2",
    "Chieng et al. 2018 arXiv:1812.06247",
    "monotone below",
    lambda x: torch.relu(x) * torch.sigmoid(x) - 0.2,
    smooth=0,
    aliases=("fts",),
)
_curve(
    "disrelu",
    "max(x, -shift)",
    "Macêdo et al. 2019",
    "monotone below zero",
    lambda x, shift: x.clamp(min=-shift),
    smooth=0,
    parameters=(number("shift", 1.0, 0.0),),
)
_curve(
    "vlu",
    "r(x) + alpha·sin(beta·x)",
    "Vagerwal 2021",
    "below zero",
    lambda x, alpha, beta: torch.relu(x) + torch.sin(x * beta) * alpha,
    smooth=0,
    parameters=(number("alpha", 1.0), number("beta", 1.0)),
)
_curve(
    "sine_relu",
    "x | epsilon·(sin x - cos x)",
    "Rodrigues 2018",
    "below zero",
    lambda x, epsilon: torch.relu(x) + is_negative(x) * (torch.sin(x) - torch.cos(x)) * epsilon,
    smooth=-1,
    parameters=(number("epsilon", 0.01, 0.0),),
)

ENTRIES = _family.entries
