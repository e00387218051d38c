import torch

from automl_plugins.evaluators._ntk.cuts import last_cut


def leaf():
    return torch.ones(2, requires_grad=True)


def test_in_a_chain_the_cut_is_the_node_itself():
    middle = leaf().exp()
    assert last_cut(middle.sin().sum().grad_fn, {middle.grad_fn}).node is middle.grad_fn


def test_a_cut_is_where_branches_meet():
    middle = leaf().exp()
    one, other = middle.sin(), middle.cos()
    root = (one * other).sum().grad_fn
    assert last_cut(root, {middle.grad_fn}).node is middle.grad_fn
    assert last_cut(root, {one.grad_fn, middle.grad_fn}).node is root.next_functions[0][0], "the product"


def test_a_way_round_a_node_makes_it_no_cut():
    first = leaf().exp()
    second = first.sin()
    third = second + first
    found = last_cut(third.sum().grad_fn, {first.grad_fn, second.grad_fn})
    assert found.node is third.grad_fn


def test_branches_that_lead_elsewhere_do_not_matter():
    middle = leaf().exp()
    elsewhere = leaf().cos()
    root = (middle.sin() + elsewhere).sum().grad_fn
    assert last_cut(root, {middle.grad_fn}).node is middle.grad_fn


def test_there_may_be_none():
    one, other = leaf().exp(), leaf().exp()
    assert last_cut((one + other).grad_fn, {one.grad_fn, other.grad_fn}) is None


def test_a_node_with_two_outputs_is_no_cut():
    parts = (leaf().exp()).unbind()
    root = (parts[0] * parts[1]).grad_fn
    assert last_cut(root, {parts[0].grad_fn}) is None


def test_a_pass_goes_on_from_a_cut_to_the_same_gradients():
    given = leaf()
    middle = given.exp()
    value = (middle.sin() * middle).sum()
    cut = last_cut(value.grad_fn, {middle.grad_fn})
    (arrived,) = torch.autograd.grad(value, [cut], retain_graph=True)
    (found,) = torch.autograd.grad(cut, given, arrived, retain_graph=True)
    assert torch.equal(found, torch.autograd.grad(value, given)[0])
