import math

import pytest
import torch

from automl import Unmeasurable
from automl_plugins.evaluators._ntk import Kernel, Spectrum, frobenius, kernel_distance, kernel_mean, kernel_trace


def kernel(*eigenvalues, **changes):
    values = torch.tensor(eigenvalues, dtype=torch.float64)
    turn, _ = torch.linalg.qr(
        torch.randn(len(values), len(values), generator=torch.Generator().manual_seed(0)).double()
    )
    return Kernel(turn @ values.diag() @ turn.T, **changes)


def test_the_condition_is_the_ratio_of_the_extreme_eigenvalues():
    assert Spectrum.of(kernel(2.0, 8.0, 4.0)).condition() == pytest.approx(4)


def test_what_is_below_the_floor_has_no_condition_even_if_negative():
    for smallest in (1e-12, 0.0, -1e-12):
        with pytest.raises(Unmeasurable, match="ill_conditioned") as caught:
            Spectrum.of(kernel(smallest, 1.0)).condition()
        assert caught.value.status == "ill_conditioned"
    assert Spectrum.of(kernel(1e-12, 1.0, epsilon=1e-14)).condition() == pytest.approx(1e12, rel=1e-2)


def test_a_zero_kernel_is_singular():
    spectrum = Spectrum.of(kernel(0.0, 0.0))
    for read in (spectrum.condition, spectrum.effective_rank):
        with pytest.raises(Unmeasurable, match="singular"):
            read()


def test_a_kernel_that_is_not_finite_has_no_spectrum():
    with pytest.raises(Unmeasurable, match="not_finite"):
        Spectrum.of(Kernel(torch.full((2, 2), math.nan).double()))


def test_the_effective_rank_counts_equal_eigenvalues():
    assert Spectrum.of(kernel(3.0, 3.0, 3.0, 0.0)).effective_rank() == pytest.approx(3)


def test_a_diagonal_has_a_trace_and_no_spectrum():
    diagonal = Kernel(torch.tensor([1.0, 2.0]).double(), reduction="diagonal")
    assert kernel_trace(diagonal) == 3
    with pytest.raises(Unmeasurable, match="unsupported"):
        Spectrum.of(diagonal)


def test_a_full_kernel_is_a_matrix_of_examples_times_outputs():
    matrix = kernel(1.0, 2.0, 3.0, 6.0).matrix
    full = Kernel(matrix.reshape(2, 2, 2, 2), reduction="full")
    assert Spectrum.of(full).condition() == pytest.approx(6)
    assert kernel_trace(full) == pytest.approx(12)
    assert frobenius(full) == pytest.approx(math.sqrt(50))
    assert kernel_mean(full) == pytest.approx(float(matrix.mean()))


def test_the_distance_is_zero_up_to_a_factor_and_one_when_orthogonal():
    first = Kernel(torch.diag(torch.tensor([1.0, 0.0])).double())
    other = Kernel(torch.diag(torch.tensor([0.0, 1.0])).double())
    assert kernel_distance(first, Kernel(3 * first.matrix)) == 0
    assert kernel_distance(first, other) == 1
    with pytest.raises(Unmeasurable, match="singular"):
        kernel_distance(first, Kernel(torch.zeros(2, 2).double()))
    with pytest.raises(ValueError, match="compared"):
        kernel_distance(first, kernel(1.0, 2.0, 3.0))
