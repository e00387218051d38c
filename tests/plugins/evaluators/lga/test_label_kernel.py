import pytest
import torch

from automl import Unmeasurable
from automl_plugins.evaluators._lga import label_kernel


def test_examples_of_one_class_have_one_and_others_minus_one():
    found = label_kernel(torch.tensor([2, 0, 2, 1]), "classification")
    assert found.tolist() == [[1, -1, 1, -1], [-1, 1, -1, -1], [1, -1, 1, -1], [-1, -1, -1, 1]]
    assert found.dtype is torch.float64


def test_one_hot_targets_mean_what_classes_do():
    classes = torch.tensor([0, 1, 1, 2])
    found = label_kernel(torch.eye(3)[classes], "classification")
    assert torch.equal(2 * found - 1, label_kernel(classes, "classification"))


def test_regression_has_the_gram_matrix_of_centred_targets():
    targets = torch.tensor([[1.0, 0.0], [3.0, 1.0], [2.0, 5.0]])
    centred = targets.double() - targets.double().mean(0)
    expected = [[float(a @ b) for b in centred] for a in centred]
    assert torch.allclose(label_kernel(targets, "regression"), torch.tensor(expected, dtype=torch.float64))
    assert torch.allclose(label_kernel(targets + 7, "regression"), label_kernel(targets, "regression"))


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_regression_of_one_value_may_have_an_axis_for_it_or_not(shape):
    found = label_kernel(torch.tensor([0.0, 1.0, 2.0]).reshape(shape), "regression")
    assert found.tolist() == [[1, 0, -1], [0, 0, 0], [-1, 0, 1]]


def test_several_labels_have_the_gram_matrix_of_their_vectors():
    labels = torch.tensor([[1, 1, 0], [0, 1, 0], [1, 0, 1]])
    assert label_kernel(labels, "multi_label").tolist() == [[2, 1, 1], [1, 1, 0], [1, 0, 2]]


def test_sequences_are_compared_position_by_position():
    targets = torch.tensor([[1, 2, 3, 4], [1, 9, 3, 9], [4, 3, 2, 1]])
    assert label_kernel(targets, "sequence").tolist() == [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]]


def test_pooled_sequences_are_compared_by_what_occurs_in_them():
    targets = torch.tensor([[1, 2, 3, 4], [4, 3, 2, 1], [9, 9, 9, 9]])
    found = label_kernel(targets, "sequence", "pooled")
    assert found.tolist() == [[0.25, 0.25, 0], [0.25, 0.25, 0], [0, 0, 1]]


def test_positions_that_do_not_count_are_alike_to_nothing():
    targets = torch.tensor([[1, -100], [1, -100]])
    assert label_kernel(targets, "sequence").tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert label_kernel(targets, "sequence", "pooled").tolist() == [[1, 1], [1, 1]]


def test_classes_of_pixels_are_a_sequence():
    maps = torch.tensor([[[1, 0], [0, 0]], [[1, 1], [0, 0]]])
    assert torch.equal(label_kernel(maps, "classification"), label_kernel(maps.flatten(1), "sequence"))


def test_without_a_kind_whole_numbers_are_classes():
    classes, values = torch.tensor([0, 1]), torch.tensor([0.0, 1.0])
    assert torch.equal(label_kernel(classes, None), label_kernel(classes, "classification"))
    assert torch.equal(label_kernel(values, None), label_kernel(values, "regression"))


def test_targets_that_are_not_finite_are_no_labels():
    with pytest.raises(Unmeasurable, match="not_finite"):
        label_kernel(torch.tensor([0.0, float("nan")]), "regression")
