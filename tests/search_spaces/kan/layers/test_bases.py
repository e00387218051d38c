"""Bases against scipy, numpy and their own mathematics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline
from scipy.special import eval_jacobi

from automl import ConfigurationError
from automl_spaces.kan.layers import FAMILIES, make_family
from automl_spaces.kan.layers._spline import SplineBasis, cox_de_boor
from automl_spaces.kan.layers.rational import FIT_ERRORS

LINE = torch.linspace(-1.0, 1.0, 201, dtype=torch.float64).unsqueeze(-1)


def values(name: str, x: torch.Tensor = LINE, **options: object) -> torch.Tensor:
    return make_family(name, **options).basis(1).to(x.dtype).expand(x)[..., 0].detach()


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("grid", [3, 5, 20])
def test_splines_are_those_of_scipy(grid: int, order: int) -> None:
    basis = make_family("bspline", grid=grid, order=order).basis(1).double()
    wide = torch.linspace(-2.5, 2.5, 501, dtype=torch.float64).unsqueeze(-1)
    found = basis.expand(wide)[..., 0].numpy()
    knots = basis.knots[0].numpy()
    for m in range(basis.size):
        expected = BSpline.basis_element(knots[m : m + order + 2], extrapolate=False)(wide[:, 0].numpy())
        assert np.allclose(found[:, m], np.nan_to_num(expected), atol=5e-6)  # knots are float32


@pytest.mark.parametrize("order", [1, 2, 3])
def test_splines_are_a_partition_of_unity_with_few_at_a_time(order: int) -> None:
    found = values("bspline", LINE.float(), order=order)
    assert torch.allclose(found.sum(-1), torch.ones(len(found)), atol=1e-6)
    assert (found >= 0).all()
    assert ((found > 1e-9).sum(-1) <= order + 1).all()


def test_closed_form_is_the_recurrence() -> None:
    basis = make_family("bspline").basis(1)
    x = torch.linspace(-2.2, 2.2, 333).unsqueeze(-1)
    assert torch.allclose(basis.expand(x), cox_de_boor(x, basis.knots, 3), atol=2e-6)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_cubic_splines_reproduce_cubic_polynomials(degree: int) -> None:
    table, wanted = values("bspline"), LINE**degree
    fitted = torch.linalg.lstsq(table, wanted).solution
    assert torch.allclose(table @ fitted, wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "vander"),
    [("chebyshev", np.polynomial.chebyshev.chebvander), ("legendre", np.polynomial.legendre.legvander)],
)
def test_recurrences_are_those_of_numpy(name: str, vander: object) -> None:
    assert np.abs(values(name, degree=8).numpy() - vander(LINE[:, 0].numpy(), 8)).max() < 1e-12  # type: ignore[operator]


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (0.0, 0.0), (-0.5, -0.5), (2.0, 0.3), (0.5, -0.5)])
def test_jacobi_polynomials_are_those_of_scipy(alpha: float, beta: float) -> None:
    found = values("jacobi", degree=8, alpha=alpha, beta=beta).numpy()
    expected = np.stack([eval_jacobi(d, alpha, beta, LINE[:, 0].numpy()) for d in range(9)], -1)
    assert np.allclose(found, expected, atol=1e-11)


def test_jacobi_polynomials_include_legendre_and_chebyshev() -> None:
    assert torch.allclose(values("jacobi", degree=8, alpha=0.0, beta=0.0), values("legendre", degree=8))
    half = values("jacobi", degree=8, alpha=-0.5, beta=-0.5)
    assert torch.allclose(half / half[-1], values("chebyshev", degree=8), atol=1e-12)


def test_chebyshev_slope_at_the_ends_is_finite_and_right() -> None:
    x = torch.tensor([[-1.0], [1.0]], dtype=torch.float64, requires_grad=True)
    basis = make_family("chebyshev", degree=8).basis(1)
    for d in range(9):
        slope = torch.autograd.grad(basis.expand(x)[:, d].sum(), x)[0][:, 0]
        assert slope.tolist() == pytest.approx([(-1) ** (d + 1) * d * d, d * d])


def test_gaussians_nearly_sum_to_the_root_of_pi() -> None:
    total = values("rbf", 1.5 * LINE).sum(-1)
    assert float(total.min()) >= 1.742
    assert float(total.max()) <= 1.773 + 1e-3
    assert float(values("rbf", 0.0 * LINE[:1]).sum()) == pytest.approx(math.sqrt(math.pi), abs=1e-3)


def test_angle_addition_is_direct_cosines_and_sines() -> None:
    x = torch.linspace(-4.0, 4.0, 999).unsqueeze(-1)
    found, k = values("fourier", x, frequencies=16), torch.arange(1, 17)
    direct = torch.cat([torch.cos(x.double() * k), torch.sin(x.double() * k)], -1)
    assert float((found - direct).abs().max()) < 1e-5


def test_bernstein_polynomials_sum_to_one_and_are_not_negative() -> None:
    found = values("bernstein", degree=8)
    assert torch.allclose(found.sum(-1), torch.ones(len(found), dtype=torch.float64))
    assert (found >= 0).all()


def test_piecewise_linear_functions_interpolate_their_knots() -> None:
    knots = torch.linspace(-1.0, 1.0, 6, dtype=torch.float64).unsqueeze(-1)
    assert torch.allclose(values("piecewise_linear", knots), torch.eye(6, dtype=torch.float64), atol=1e-6)


@pytest.mark.parametrize("start", ["identity", "relu", "silu", "gelu", "tanh"])
def test_rational_fits_are_as_good_as_they_say(start: str) -> None:
    x = torch.linspace(-3.0, 3.0, 2001).unsqueeze(-1)
    known = {"identity": lambda x: x, "tanh": torch.tanh}
    wanted = known.get(start) or getattr(torch.nn.functional, start)
    error = (values("rational", x, start=start) - wanted(x)).abs().max()
    assert float(error) <= FIT_ERRORS[start] + 1e-6


def test_rational_denominators_never_vanish() -> None:
    basis = make_family("rational", start="identity").basis(9)
    with torch.no_grad():
        basis.denominator.normal_(generator=torch.Generator().manual_seed(0))
        basis.numerator.copy_(torch.tensor([1.0, 0, 0, 0, 0, 0]))
    found = basis.expand(torch.linspace(-9.0, 9.0, 999).unsqueeze(-1).repeat(1, 9)).detach()
    assert float(found.max()) <= 1.0
    assert float(found.min()) > 0.0


def test_relu_kan_bumps_peak_at_one() -> None:
    fine = torch.linspace(-3.0, 3.0, 60001, dtype=torch.float64).unsqueeze(-1)
    assert torch.allclose(values("relu_kan", fine).amax(0), torch.ones(8, dtype=torch.float64), atol=1e-6)


def test_adaptive_splines_are_a_partition_of_unity_too() -> None:
    basis = SplineBasis(1, 5, 3, -1.0, 1.0)
    inner = torch.tensor([-1.0, -0.9, -0.2, 0.1, 0.5, 1.0])
    beyond = 0.4 * torch.arange(1, 4)
    basis.set_knots(torch.cat([inner[0] - beyond.flip(0), inner, inner[-1] + beyond])[None], is_uniform=False)
    assert torch.allclose(basis.expand(LINE.float()).sum(-2), torch.ones(201, 1), atol=1e-5)


def test_choices_are_accepted_and_unknown_names_are_not() -> None:
    for name, family in FAMILIES.items():
        for option, offered in family.choices.items():
            for value in offered:
                made = make_family(name, **{option: value})
                assert made.basis(2).size == made.size
    with pytest.raises(ConfigurationError, match="there are: bspline"):
        make_family("splines")
    with pytest.raises(ConfigurationError, match="its options are: degree"):
        make_family("chebyshev", grid=3)
    with pytest.raises(ConfigurationError, match="above -1"):
        make_family("jacobi", alpha=-1.0)
