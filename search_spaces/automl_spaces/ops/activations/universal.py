"""Functions with many trainable parameters, which can become nearly any other.

They belong to the layer (``shared``), except APL's and SPLASH's, which their papers give to each channel. Rational ones
are in `rational`, splines among the Kolmogorov-Arnold layers.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from automl_spaces.ops.activations.curve import Curve, is_positive
from automl_spaces.ops.activations.entries import Family, learned, shared
from automl_spaces.ops.activations.rational import horner

_family = Family("universal")
_curve, _module = _family.curve, _family.module

Values = float | Tensor
_HINGES = (0.0, 1.0, 2.0, 2.5)
_KERNELS = 10
_REACH = 3.0
_CENTRES = tuple(float(each) for each in np.linspace(-_REACH, _REACH, _KERNELS))
_WIDTH = 1 / (6 * (2 * _REACH / (_KERNELS - 1)) ** 2)
"""γ = 1/(6Δ²), the rule of thumb of the paper, with Δ between centres."""
_KNOTS = 16


def _kernel_weights() -> list[float]:
    """Return the weights whose sum of kernels is tanh at the centres."""
    centres = np.array(_CENTRES)
    kernel = np.exp(-_WIDTH * (centres[:, None] - centres) ** 2)
    found: list[float] = np.linalg.solve(kernel + 1e-4 * np.eye(_KERNELS), np.tanh(centres)).tolist()
    return found


def _apl(x: Tensor, *values: Values) -> Tensor:
    first, first_knot, second, second_knot = values
    return torch.relu(x) + torch.relu(first_knot - x) * first + torch.relu(second_knot - x) * second


def _apl_slopes(x: Tensor, *values: Values) -> tuple[Tensor, ...]:
    found = [is_positive(x)]
    for weight, knot in zip(values[::2], values[1::2], strict=True):
        mask = is_positive(knot - x)
        found[0] = found[0] - mask * weight
        found += [torch.relu(knot - x), mask * weight]
    return tuple(found)


def _splash(x: Tensor, *values: Values) -> Tensor:
    total = torch.zeros_like(x)
    for place, hinge in enumerate(_HINGES):
        total = total + torch.relu(x - hinge) * values[2 * place] + torch.relu(-x - hinge) * values[2 * place + 1]
    return total


def _splash_slopes(x: Tensor, *values: Values) -> tuple[Tensor, ...]:
    found = [torch.zeros_like(x)]
    for place, hinge in enumerate(_HINGES):
        above, below = torch.relu(x - hinge), torch.relu(-x - hinge)
        found[0] = found[0] + above.sign() * values[2 * place] - below.sign() * values[2 * place + 1]
        found += [above, below]
    return tuple(found)


def _hermite(x: Tensor, *values: Values) -> Tensor:
    """Return the sum of the normalised probabilists' polynomials He_j/√(j!), as one polynomial."""
    c0, c1, c2, c3, c4 = values
    second, third, fourth = c2 / math.sqrt(2), c3 / math.sqrt(6), c4 / math.sqrt(24)
    return horner(x, (c0 - second + fourth * 3, c1 - third * 3, second - fourth * 6, third, fourth))


def _polynomial_slopes(x: Tensor, *values: Values) -> tuple[Tensor, ...]:
    found = [horner(x, [value * power for power, value in enumerate(values)][1:]), torch.ones_like(x)]
    for _ in values[1:]:
        found.append(found[-1] * x)
    return tuple(found)


def _kernels(x: Tensor, *values: Values) -> Tensor:
    total = torch.zeros_like(x)
    for centre, weight in zip(_CENTRES, values, strict=True):
        total = total + ((x - centre).square() * -_WIDTH).exp() * weight
    return total


def _kernel_slopes(x: Tensor, *values: Values) -> tuple[Tensor, ...]:
    found = [torch.zeros_like(x)]
    for centre, weight in zip(_CENTRES, values, strict=True):
        distance = x - centre
        kernel = (distance.square() * -_WIDTH).exp()
        found[0] = found[0] + distance * kernel * (weight * (-2 * _WIDTH))
        found.append(kernel)
    return tuple(found)


def _blend(x: Tensor, *values: Values) -> Tensor:
    logits = torch.stack([value if isinstance(value, Tensor) else x.new_tensor(value) for value in values])
    weights = logits.softmax(0)
    members = (x, torch.relu(x), functional.silu(x), torch.tanh(x), torch.sin(x))
    total = members[0] * weights[0]
    for weight, member in zip(weights[1:], members[1:], strict=True):
        total = total + member * weight
    return total


def _line(x: Tensor, offsets: Tensor, slopes: Tensor) -> Tensor:
    """Return the line of each element's interval: two look-ups, of which backward is a sum by interval."""
    step = 2 * _REACH / (_KNOTS - 1)
    place = ((x.detach() + _REACH) / step).floor().add(1).clamp(0, _KNOTS).long().view(-1)
    offset, slope = offsets.index_select(0, place).view_as(x), slopes.index_select(0, place).view_as(x)
    return torch.addcmul(offset, slope, x)


class PiecewiseLinear(nn.Module):
    """16 knots between -3 and 3 with free heights, and free slopes beyond; starts as ReLU.

    The range is fixed: after a normalisation it is three standard deviations, as the paper's first phase estimates.
    """

    def __init__(self) -> None:
        super().__init__()
        self.heights = nn.Parameter(torch.linspace(-_REACH, _REACH, _KNOTS).relu())
        self.ends = nn.Parameter(torch.tensor([0.0, 1.0]))
        self._line = Curve("pwlu", _line)

    def forward(self, x: Tensor) -> Tensor:
        """Return the function's value at each element."""
        step = 2 * _REACH / (_KNOTS - 1)
        heights, ends = self.heights.to(x.dtype), self.ends.to(x.dtype)
        starts = torch.arange(-1, _KNOTS, device=x.device).clamp(min=0)
        slopes = torch.cat((ends[:1], heights.diff() / step, ends[1:]))
        offsets = heights[starts] - slopes * (starts.to(x.dtype) * step - _REACH)
        return self._line(x, offsets, slopes)


_curve(
    "apl",
    "r(x) + Σ a_s·r(b_s - x), s = 1, 2",
    "Agostinelli et al. 2014 arXiv:1412.6830",
    "below zero",
    _apl,
    _apl_slopes,
    smooth=0,
    parameters=(learned("a1", 0.1), learned("b1", 0.0), learned("a2", 0.05), learned("b2", -1.0)),
)
_curve(
    "splash",
    "Σ a_s·r(x - b_s) + c_s·r(-x - b_s), b = 0, 1, 2, 2.5",
    "Tavakoli et al. 2020 arXiv:2006.08947",
    "monotone below zero",
    _splash,
    _splash_slopes,
    smooth=0,
    parameters=tuple(
        learned(f"{side}{place}", float(side == "a" and place == 0)) for place in range(4) for side in "ac"
    ),
)
_curve(
    "slaf",
    "a0 + a1·x + a2·x² + a3·x³",
    "Goyal et al. 2019 arXiv:1906.09529",
    "below zero",
    lambda x, *values: horner(x, values),
    _polynomial_slopes,
    parameters=(shared("a0", 0.0), shared("a1", 0.5), shared("a2", 0.25), shared("a3", 0.0)),
)
_curve(
    "hermite",
    "Σ c_j·He_j(x)/√(j!), j = 0 to 4",
    "Lokhande et al. 2019 arXiv:1909.05479",
    "above",
    _hermite,
    parameters=tuple(
        shared(f"c{power}", value)
        for power, value in enumerate(
            (1 / math.sqrt(2 * math.pi), 0.5, 1 / math.sqrt(4 * math.pi), 0.0, -1 / math.sqrt(48 * math.pi))
        )
    ),
)
_curve(
    "kaf",
    "Σ a_j·e^(-γ·(x - d_j)²), ten d_j in [-3, 3]",
    "Scardapane et al. 2017 arXiv:1707.04035",
    "below above odd zero",
    _kernels,
    _kernel_slopes,
    parameters=tuple(shared(f"a{place}", value) for place, value in enumerate(_kernel_weights())),
)
_curve(
    "abu",
    "Σ softmax(w)_k·f_k(x), f = x, r, SiLU, tanh, sin",
    "Sütfeld et al. 2018 arXiv:1801.09403",
    "zero",
    _blend,
    smooth=0,
    parameters=tuple(shared(f"w{place}", 0.0) for place in range(5)),
)
_module(
    "pwlu",
    "linear between 16 knots in [-3, 3], free slopes beyond",
    "Zhou et al. 2021 arXiv:2104.03693",
    "monotone below",
    lambda channels, values: PiecewiseLinear(),
    smooth=0,
)

ENTRIES = _family.entries
