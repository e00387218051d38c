import pytest
import torch
from torch import nn
from torch.nn import functional

from automl import Unmeasurable
from automl_plugins.evaluators._lga import alignment, label_basis, label_kernel, matrix_free, projected

TARGETS = {
    "classification": torch.tensor([0, 1, 2] * 4),
    "regression": torch.randn(12, generator=torch.Generator().manual_seed(1)),
    "multi_label": torch.randint(2, (12, 4), generator=torch.Generator().manual_seed(2)),
    "sequence": torch.randint(3, (12, 5), generator=torch.Generator().manual_seed(3)),
}
INPUTS = torch.randn(12, 2, 6, 6, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def network(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        body = [nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(2), nn.Flatten()]
        return nn.Sequential(*body, nn.Linear(16, 3)).double()


def by_autograd(net, inputs, bn_mode, reduction):
    """The kernel as JJᵀ, with the whole Jacobian written out, for the network above."""
    convolution, norm, linear = net[0], net[1], net[5]
    weights = [convolution.weight, convolution.bias, norm.weight, norm.bias, linear.weight, linear.bias]

    def outputs(cw, cb, nw, nb, lw, lb):
        hidden = functional.conv2d(inputs, cw, cb)
        mean, variance = hidden.mean((0, 2, 3), keepdim=True), hidden.var((0, 2, 3), unbiased=False, keepdim=True)
        if bn_mode == "frozen":
            mean, variance = mean.detach(), variance.detach()
        hidden = (hidden - mean) / (variance + norm.eps).sqrt() * nw[:, None, None] + nb[:, None, None]
        return functional.linear(functional.adaptive_avg_pool2d(hidden.relu(), 2).flatten(1), lw, lb)

    jacobians = torch.autograd.functional.jacobian(outputs, tuple(weight.detach() for weight in weights))
    rows = torch.cat([part.flatten(2) for part in jacobians], 2)
    if reduction == "sum_logits":
        return rows.sum(1) @ rows.sum(1).T
    return torch.einsum("ncp,mcp->nm", rows, rows) / rows.shape[1]


@pytest.mark.parametrize("reduction", ["sum_logits", "trace"])
@pytest.mark.parametrize("bn_mode", ["frozen", "batch"])
@pytest.mark.parametrize("kind", TARGETS)
def test_it_equals_the_explicit_kernel(kind, bn_mode, reduction):
    labels, theta = label_kernel(TARGETS[kind], kind), by_autograd(network(), INPUTS, bn_mode, reduction)
    found = matrix_free(network(), INPUTS, labels, probes=12, bn_mode=bn_mode, reduction=reduction)
    assert found.is_exact
    assert found.mean == pytest.approx(float(theta.mean()), rel=1e-8)
    for center in ("mean", "double"):
        expected = _centred(theta, center)
        assert found.numerator(center) == pytest.approx(float((expected * _centred(labels, center)).sum()), rel=1e-8)
        assert found.squared_norm(center) == (pytest.approx(float(expected.square().sum()), rel=1e-8), 0.0)
        assert found.alignment(center) == (pytest.approx(alignment(theta, labels, center), abs=1e-8), 0.0)


def _centred(matrix, center):
    if center == "mean":
        return matrix - matrix.mean()
    h = torch.eye(len(matrix), dtype=torch.float64) - 1 / len(matrix)
    return h @ matrix @ h


def test_numerator_and_mean_take_a_pass_for_each_class_and_are_exact_without_probes():
    """⟨Θ, YYᵀ⟩ = Σ_c ‖Jᵀy_c‖²."""
    theta, one_hot = (
        by_autograd(network(), INPUTS, "batch", "sum_logits"),
        torch.eye(3).double()[TARGETS["classification"]],
    )
    columns = label_basis(label_kernel(TARGETS["classification"], "classification"))
    gram, passes = projected(network(), INPUTS, columns, bn_mode="batch")
    assert passes == 3
    on_classes = columns.T @ one_hot
    assert float((on_classes.T @ gram @ on_classes).trace()) == pytest.approx(
        float((theta @ one_hot @ one_hot.T).trace())
    )
    assert float(gram[0, 0]) / 12 == pytest.approx(float(theta.mean()))


@pytest.mark.parametrize("center", ["mean", "double"])
def test_the_norm_is_unbiased_and_its_error_is_told(center):
    labels, theta = (
        label_kernel(TARGETS["classification"], "classification"),
        by_autograd(network(), INPUTS, "batch", "trace"),
    )
    truth = float(_centred(theta, center).square().sum())
    found = [
        matrix_free(network(), INPUTS, labels, probes=4, seed=seed, reduction="trace").squared_norm(center)
        for seed in range(40)
    ]
    values, errors = torch.tensor(found, dtype=torch.float64).T
    assert float(values.mean()) == pytest.approx(truth, abs=4 * float(values.std()) / 40**0.5)
    assert float(values.std()) > 0
    assert 0.4 < float(errors.square().mean().sqrt() / values.std()) < 2.5


def test_an_estimate_is_within_the_scale_and_carries_its_error():
    labels = label_kernel(TARGETS["classification"], "classification")
    theta = by_autograd(network(), INPUTS, "batch", "sum_logits")
    for seed in range(10):
        value, error = matrix_free(network(), INPUTS, labels, probes=3, seed=seed).alignment()
        assert -1 <= value <= 1
        assert error > 0
        assert value == pytest.approx(alignment(theta, labels), abs=6 * error + 0.02)


def test_columns_for_labels_span_them_and_no_more():
    labels = label_kernel(TARGETS["classification"], "classification")
    basis = label_basis(labels)
    assert basis.shape == (12, 3)
    assert torch.allclose(basis.T @ basis, torch.eye(3).double())
    assert torch.allclose(basis @ basis.T @ labels, labels)
    assert label_basis(label_kernel(TARGETS["regression"], "regression")).shape == (12, 2)


def test_labels_of_one_class_are_undefined():
    labels = label_kernel(torch.zeros(12, dtype=torch.long), "classification")
    with pytest.raises(Unmeasurable, match="undefined: all examples"):
        matrix_free(network(), INPUTS, labels).alignment()


def test_a_network_that_ignores_its_inputs_is_undefined():
    net = network()
    with torch.no_grad():
        net[0].weight.zero_()
    labels = label_kernel(TARGETS["classification"], "classification")
    with pytest.raises(Unmeasurable, match="undefined: the kernel is constant"):
        matrix_free(net, torch.zeros_like(INPUTS), labels).alignment()


def test_the_network_is_left_as_it_was():
    net = network().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    matrix_free(net, INPUTS, label_kernel(TARGETS["classification"], "classification"), bn_mode="frozen")
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(module.training for module in net.modules())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_what_check_raises_gets_through():
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        matrix_free(network(), INPUTS, label_kernel(TARGETS["classification"], "classification"), check=stop)
