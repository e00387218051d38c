"""Hand-written expansions against their definitions: values, gradients of both orders, and what `torch.func` does."""

from __future__ import annotations

import pytest
import torch

from automl_spaces.kan.layers import FAMILIES, Family, make_family
from automl_spaces.kan.layers import _expansion as expansion

CASES = [make_family(name) for name in FAMILIES] + [
    make_family("bspline", order=1),
    make_family("bspline", order=2),
    make_family("jacobi", alpha=0.3, beta=-0.5),
    make_family("chebyshev", degree=1),
    make_family("fourier", frequencies=7),
]
cases = pytest.mark.parametrize("family", CASES, ids=str)


def points(*shape: int) -> torch.Tensor:
    drawn = torch.rand(*shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return 1.8 * drawn - 0.9


@cases
def test_values_and_gradients_are_those_of_the_definition(family: Family) -> None:
    basis, x = family.basis(3).double(), points(2, 5, 3).requires_grad_()
    cotangent = torch.randn(2, 5, basis.size, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    fast, plain = basis.expand(x), basis.plain(x)
    assert fast.shape == (2, 5, family.size, 3)
    assert torch.allclose(fast, plain, atol=1e-12)
    assert torch.allclose(
        torch.autograd.grad(fast, x, cotangent)[0], torch.autograd.grad(plain, x, cotangent)[0], atol=1e-10
    )


@cases
def test_gradients_of_both_orders_pass_the_numerical_check(family: Family) -> None:
    basis, x = family.basis(2).double(), points(2, 2).requires_grad_()
    assert torch.autograd.gradcheck(basis.expand, x)
    assert torch.autograd.gradgradcheck(basis.expand, x)


@cases
def test_functional_transforms_see_the_definition(family: Family) -> None:
    basis, x = family.basis(3).double(), points(4, 3)

    def total(of: object, x: torch.Tensor) -> torch.Tensor:
        return of(x).sin().sum()  # type: ignore[operator]

    for transform in (
        lambda of: torch.func.vmap(torch.func.jacrev(of)),
        torch.func.jacfwd,
        lambda of: torch.func.hessian(lambda x: total(of, x)),
    ):
        assert torch.allclose(transform(basis.expand)(x), transform(basis.plain)(x), atol=1e-10)


def test_batched_gradients_of_plain_autograd_are_right() -> None:
    basis, x = make_family("rbf").basis(3).double(), points(4, 3).requires_grad_()
    cotangents = torch.randn(6, 4, 8, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mapped = torch.autograd.grad(basis.expand(x), x, cotangents, is_grads_batched=True)[0]
    each = [torch.autograd.grad(basis.expand(x), x, cotangent)[0] for cotangent in cotangents]
    assert torch.allclose(mapped, torch.stack(each))


@pytest.mark.parametrize("name", ["bspline", "chebyshev", "rbf", "fourier", "bernstein", "rswaf"])
def test_blocks_of_rows_make_no_difference(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    basis, x = make_family(name).basis(3), points(50, 3).float().requires_grad_()
    whole = basis.expand(x)
    gradient = torch.autograd.grad(whole.cos().sum(), x)[0]
    monkeypatch.setattr(expansion, "_BLOCK_BYTES", 1000)
    blocks = basis.expand(x)
    assert torch.equal(blocks, whole)
    assert torch.equal(torch.autograd.grad(blocks.cos().sum(), x)[0], gradient)
    assert basis.expand(x[:0]).shape == (0, basis.size, 3)
