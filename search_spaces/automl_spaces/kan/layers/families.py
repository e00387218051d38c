"""The families by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from automl import ConfigurationError
from automl_spaces.kan.layers.basis import Family
from automl_spaces.kan.layers.bernstein import Bernstein
from automl_spaces.kan.layers.bspline import BSpline
from automl_spaces.kan.layers.chebyshev import Chebyshev
from automl_spaces.kan.layers.fourier import Fourier
from automl_spaces.kan.layers.gram import Gram
from automl_spaces.kan.layers.jacobi import Jacobi
from automl_spaces.kan.layers.legendre import Legendre
from automl_spaces.kan.layers.piecewise_linear import PiecewiseLinear
from automl_spaces.kan.layers.polynomial import Polynomial
from automl_spaces.kan.layers.rational import Rational
from automl_spaces.kan.layers.rbf import Rbf
from automl_spaces.kan.layers.relu_kan import ReluKan
from automl_spaces.kan.layers.rswaf import Rswaf
from automl_spaces.kan.layers.sine import Sine
from automl_spaces.kan.layers.wavelet import Wavelet

_ALL: tuple[type[Family], ...] = (
    BSpline,
    Rbf,
    Rswaf,
    Chebyshev,
    Legendre,
    Jacobi,
    Gram,
    Bernstein,
    Fourier,
    Sine,
    Wavelet,
    ReluKan,
    Rational,
    PiecewiseLinear,
    Polynomial,
)

FAMILIES: Mapping[str, type[Family]] = {family.name: family for family in _ALL}
"""All families; ``FAMILIES[name].choices`` are the decisions that exist for a family alone, with their values."""


def make_family(name: str, **options: Any) -> Family:
    """Return the family called ``name`` with ``options``, those that are left out at their defaults.

    Raises:
        ConfigurationError: there is no such family, or it has no such option.

    >>> make_family("chebyshev", degree=3)
    Chebyshev(degree=3)
    """
    if name not in FAMILIES:
        raise ConfigurationError(f"unknown KAN family {name!r}; there are: {', '.join(FAMILIES)}")
    kind = FAMILIES[name]
    known = [field.name for field in fields(kind)]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ConfigurationError(f"family {name} has no option {unknown[0]!r}; its options are: {', '.join(known)}")
    return kind(**options)
