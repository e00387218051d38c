"""Padé activation units: quotients of polynomials of degree 5 and 4 with trainable coefficients [1].

Both polynomials are evaluated by Horner's rule. Version A has the denominator 1 + Σ|b_j x^j|, B 1 + |Σ b_j x^j|,
C 0.1 + |Σ b_j x^j| with a b_0, and D is B whose coefficients are multiplied by U(0.9, 1.1) in training. The unsafe
form, whose denominator has zeros, is left out. All start near leaky ReLU, within 0.04 on [-3, 3]: at the identity
(``a1=1``, all others 0) the coefficients of A's denominator would have no gradient.

[1] Molina, Schramowski and Kersting. Padé activation units: end-to-end learning of flexible activation functions in
    deep networks. 2019. (arXiv:1907.06732)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from automl_spaces.ops.activations.entries import SMOOTH, Entry, Family, Pointwise, shared

_family = Family("rational")

Values = float | Tensor
_REFERENCE = "Molina et al. 2019 arXiv:1907.06732"
_NUMERATOR = {
    "a": (0.0298, 0.6185, 2.321, 3.0447, 1.4797, 0.2497),
    "b": (0.0336, 0.505, 1.6513, 2.0044, 0.9279, 0.1515),
}
_DENOMINATOR: dict[str, tuple[float, ...]] = {
    "a": (1.1412, 4.3824, 0.8682, 0.3453),
    "b": (0.0, 3.9693, 0.0, 0.3001),
}
_NOISE = 0.1


def horner(x: Tensor, coefficients: Sequence[Values]) -> Tensor:
    """Return Σ c_j x^j, ``coefficients`` from c_0 on.

    >>> horner(torch.tensor(2.0), (1.0, 0.0, 3.0))
    tensor(13.)
    """
    total = x * coefficients[-1]
    for coefficient in reversed(coefficients[1:-1]):
        total = (total + coefficient) * x
    return total + coefficients[0]


def _derivative(coefficients: Sequence[Values]) -> list[Values]:
    return [coefficient * power for power, coefficient in enumerate(coefficients)][1:]


def _denominator(x: Tensor, below: Sequence[Values], version: str) -> tuple[Tensor, Tensor, Tensor, list[Values]]:
    """Return the denominator, the variable and the sign in front of its polynomial, and its coefficients from b_0."""
    if version == "a":
        magnitude = x.abs()
        sizes: list[Values] = [0.0]
        sizes += [each.abs() if isinstance(each, Tensor) else abs(each) for each in below]
        return horner(magnitude, sizes) + 1, magnitude, x.sign(), sizes
    coefficients = list(below) if version == "c" else [0.0, *below]
    inner = horner(x, coefficients)
    return inner.abs() + (0.1 if version == "c" else 1), x, inner.sign(), coefficients


def _rational(version: str, x: Tensor, *values: Values) -> Tensor:
    return horner(x, values[:6]) / _denominator(x, values[6:], version)[0]


def _slopes(version: str, x: Tensor, *values: Values) -> tuple[Tensor, ...]:
    bottom, variable, sign, coefficients = _denominator(x, values[6:], version)
    inverse = bottom.reciprocal()
    result = horner(x, values[:6]) * inverse
    by_x = (horner(x, _derivative(values[:6])) - result * sign * horner(variable, _derivative(coefficients))) * inverse
    found, power = [by_x], inverse
    for _ in range(6):
        found.append(power)
        power = power * x
    scaled = -result * inverse
    power = scaled if version == "a" else scaled * sign
    for place, value in enumerate(values[6:]):
        if place or version != "c":
            power = power * variable
        if version == "a":
            found.append(power * (value.sign() if isinstance(value, Tensor) else 1.0))
        else:
            found.append(power)
    return tuple(found)


class Noisy(Pointwise):
    """A curve whose coefficients are multiplied by U(0.9, 1.1) at each call, in training."""

    def _value(self, name: str, x: Tensor) -> float | Tensor:
        value = super()._value(name, x)
        if not self.training or isinstance(value, float):
            return value
        return value * torch.empty_like(value).uniform_(1 - _NOISE, 1 + _NOISE)


def _add(version: str, formula: str) -> None:
    form = "a" if version == "a" else "b"
    above, below = _NUMERATOR[form], _DENOMINATOR[form]
    if version == "c":
        below = (0.9, *below)
    first = 0 if version == "c" else 1
    names = [f"a{power}" for power in range(6)] + [f"b{power}" for power in range(first, 5)]
    parameters = tuple(shared(name, value) for name, value in zip(names, above + below, strict=True))
    kind = "b" if version == "d" else version
    _family.curve(
        f"pau_{version}",
        f"Σ a_j·x^j / {formula}",
        _REFERENCE,
        "stochastic" if version == "d" else "",
        lambda x, *values: _rational(kind, x, *values),
        lambda x, *values: _slopes(kind, x, *values),
        parameters=parameters,
        aliases=("pau", "rational") if version == "b" else (),
        smooth=0 if version == "a" else SMOOTH,
        module=Noisy if version == "d" else Pointwise,
    )


_add("a", "(1 + Σ|b_j·x^j|)")
_add("b", "(1 + |Σ b_j·x^j|)")
_add("c", "(0.1 + |Σ b_j·x^j|)")
_add("d", "(1 + |Σ b_j·x^j|), coefficients ± 10% in training")

ENTRIES: tuple[Entry, ...] = _family.entries
