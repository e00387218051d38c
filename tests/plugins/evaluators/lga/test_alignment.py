"""The properties of label-gradient alignment."""

import math

import pytest
import torch

from automl import Unmeasurable
from automl_plugins.evaluators._lga import alignment, label_kernel

CLASSES = torch.tensor([0, 1, 2, 0, 1, 2, 0, 0, 1, 2])
LABELS = label_kernel(CLASSES, "classification")
CENTRINGS = ("mean", "double")


def kernel(seed=0, size=10, rank=40):
    factor = torch.randn(size, rank, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return factor @ factor.T


def close(value):
    return pytest.approx(value, abs=1e-12)


def by_hand(theta, labels, center):
    """Section 3 of the paper with loops over entries, in plain Python."""
    one, other = (_centred(matrix.tolist(), center) for matrix in (theta, labels))
    product = math.fsum(a * b for row, column in zip(one, other, strict=True) for a, b in zip(row, column, strict=True))
    norms = [math.sqrt(math.fsum(a * a for row in matrix for a in row)) for matrix in (one, other)]
    return product / (norms[0] * norms[1])


def _centred(rows, center):
    size = len(rows)
    mean = math.fsum(map(math.fsum, rows)) / size**2
    if center == "mean":
        return [[value - mean for value in row] for row in rows]
    across = [math.fsum(row) / size for row in rows]
    down = [math.fsum(column) / size for column in zip(*rows, strict=True)]
    return [[value - across[i] - down[j] + mean for j, value in enumerate(row)] for i, row in enumerate(rows)]


@pytest.mark.parametrize("center", CENTRINGS)
@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_formula(center, seed):
    found = alignment(kernel(seed), LABELS, center)
    assert found == close(by_hand(kernel(seed), LABELS, center))
    assert -1 <= found <= 1


def test_double_centring_is_with_the_centring_matrix():
    h = torch.eye(10, dtype=torch.float64) - 1 / 10
    one, other = h @ kernel() @ h, h @ LABELS @ h
    assert alignment(kernel(), LABELS, "double") == close(float((one * other).sum() / (one.norm() * other.norm())))


@pytest.mark.parametrize("center", CENTRINGS)
def test_the_labels_themselves_are_the_ends_of_the_scale(center):
    assert alignment(LABELS, LABELS, center) == close(1)
    assert alignment(-LABELS, LABELS, center) == close(-1)


@pytest.mark.parametrize("center", CENTRINGS)
@pytest.mark.parametrize(("factor", "constant"), [(7.5, 0.0), (1e-6, 3.0), (2.0, -40.0), (1e12, 1e12)])
def test_a_positive_factor_and_a_constant_change_nothing(center, factor, constant):
    before = alignment(kernel(), LABELS, center)
    assert alignment(factor * kernel() + constant, LABELS, center) == pytest.approx(before, abs=1e-8)


@pytest.mark.parametrize("center", CENTRINGS)
def test_names_of_classes_do_not_matter(center):
    renamed = label_kernel(torch.tensor([5, 0, 3])[CLASSES], "classification")
    assert alignment(kernel(), renamed, center) == alignment(kernel(), LABELS, center)


@pytest.mark.parametrize("center", CENTRINGS)
def test_the_order_of_examples_does_not_matter(center):
    order = torch.randperm(10, generator=torch.Generator().manual_seed(3))
    moved = alignment(kernel()[order][:, order], label_kernel(CLASSES[order], "classification"), center)
    assert moved == close(alignment(kernel(), LABELS, center))
    assert alignment(kernel()[order][:, order], LABELS, center) != pytest.approx(moved, abs=1e-3)


@pytest.mark.parametrize("center", CENTRINGS)
def test_labels_of_one_and_minus_one_or_of_one_and_zero_are_the_same(center):
    assert alignment(kernel(), (LABELS + 1) / 2, center) == close(alignment(kernel(), LABELS, center))


@pytest.mark.parametrize("center", CENTRINGS)
def test_more_on_the_diagonal_does_matter(center):
    raised = kernel() + 50 * torch.eye(10, dtype=torch.float64)
    assert alignment(raised, LABELS, center) > alignment(kernel(), LABELS, center) + 0.01


def test_what_is_constant_along_rows_and_columns_matters_to_the_mean_alone():
    # Symmetric, so that it could come from a kernel; and not a function of the classes.
    shift = torch.arange(10, dtype=torch.float64)
    shifted = kernel() + 5 * (shift[:, None] + shift)
    assert alignment(shifted, LABELS, "double") == close(alignment(kernel(), LABELS, "double"))
    assert alignment(shifted, LABELS, "mean") != pytest.approx(alignment(kernel(), LABELS, "mean"), abs=1e-3)


@pytest.mark.parametrize("center", CENTRINGS)
def test_one_class_alone_is_undefined(center):
    with pytest.raises(Unmeasurable, match="undefined: all examples") as error:
        alignment(kernel(), label_kernel(torch.zeros(10, dtype=torch.long), "classification"), center)
    assert error.value.status == "undefined"


def test_targets_that_are_all_equal_are_undefined():
    with pytest.raises(Unmeasurable, match="undefined: all examples"):
        alignment(kernel(), label_kernel(torch.full((10,), 0.1), "regression"))


@pytest.mark.parametrize("center", CENTRINGS)
@pytest.mark.parametrize("value", [0.0, 0.1, 1e9])
def test_a_constant_kernel_is_undefined(center, value):
    with pytest.raises(Unmeasurable, match="undefined: the kernel is constant"):
        alignment(torch.full((10, 10), value, dtype=torch.float64), LABELS, center)


def test_a_kernel_that_is_constant_up_to_single_precision_can_be_refused():
    almost = 1 + 1e-8 * kernel()
    assert -1 <= alignment(almost, LABELS) <= 1
    with pytest.raises(Unmeasurable, match="constant"):
        alignment(almost, LABELS, floor=1e-6)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_kernel_that_is_not_finite_has_no_alignment(value):
    broken = kernel()
    broken[0, 1] = broken[1, 0] = value
    with pytest.raises(Unmeasurable, match="not_finite"):
        alignment(broken, LABELS)


def test_kernels_near_the_largest_number_do_not_overflow():
    assert alignment(1e150 * kernel(), LABELS) == pytest.approx(alignment(kernel(), LABELS))


def test_kernels_of_two_sizes_are_a_mistake():
    with pytest.raises(ValueError, match=r"\(9, 9\)"):
        alignment(kernel(size=9), LABELS)
