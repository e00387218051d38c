"""Layers of Kolmogorov-Arnold networks: fifteen families of functions, each expanded and then taken by one product."""

from __future__ import annotations

from automl_spaces.kan.layers.basis import Basis, Before, Choice, Family
from automl_spaces.kan.layers.bernstein import Bernstein
from automl_spaces.kan.layers.bspline import BSpline
from automl_spaces.kan.layers.chebyshev import Chebyshev
from automl_spaces.kan.layers.conv import KanConv
from automl_spaces.kan.layers.cost import Cost, layer_cost, mixed_cost, mlp_cost, pykan_cost
from automl_spaces.kan.layers.families import FAMILIES, make_family
from automl_spaces.kan.layers.fourier import Fourier
from automl_spaces.kan.layers.gram import Gram
from automl_spaces.kan.layers.jacobi import Jacobi
from automl_spaces.kan.layers.layer import KanLayer
from automl_spaces.kan.layers.legendre import Legendre
from automl_spaces.kan.layers.linear import KanLinear
from automl_spaces.kan.layers.mixed import MixedKanConv, MixedKanLinear, MixedLayer
from automl_spaces.kan.layers.normalisation import After
from automl_spaces.kan.layers.piecewise_linear import PiecewiseLinear
from automl_spaces.kan.layers.polynomial import Polynomial
from automl_spaces.kan.layers.rational import Rational
from automl_spaces.kan.layers.rbf import Rbf
from automl_spaces.kan.layers.refit import extend_grid, update_grid
from automl_spaces.kan.layers.relu_kan import ReluKan
from automl_spaces.kan.layers.rswaf import Rswaf
from automl_spaces.kan.layers.sine import Sine
from automl_spaces.kan.layers.spec import Base, KanSpec
from automl_spaces.kan.layers.wavelet import Wavelet

__all__ = [
    "FAMILIES",
    "After",
    "BSpline",
    "Base",
    "Basis",
    "Before",
    "Bernstein",
    "Chebyshev",
    "Choice",
    "Cost",
    "Family",
    "Fourier",
    "Gram",
    "Jacobi",
    "KanConv",
    "KanLayer",
    "KanLinear",
    "KanSpec",
    "Legendre",
    "MixedKanConv",
    "MixedKanLinear",
    "MixedLayer",
    "PiecewiseLinear",
    "Polynomial",
    "Rational",
    "Rbf",
    "ReluKan",
    "Rswaf",
    "Sine",
    "Wavelet",
    "extend_grid",
    "layer_cost",
    "make_family",
    "mixed_cost",
    "mlp_cost",
    "pykan_cost",
    "update_grid",
]
