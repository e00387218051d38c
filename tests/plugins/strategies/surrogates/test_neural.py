import numpy as np
import pytest
import torch

from automl_plugins.strategies._surrogates.neural import Confidence, Network


def network(inputs=3, units=6, seed=0):
    rng = np.random.default_rng(seed)
    return Network(rng.standard_normal((units, inputs + 1)), rng.standard_normal(units + 1))


def torch_network(ours, inputs=3, units=6):
    model = torch.nn.Sequential(torch.nn.Linear(inputs, units), torch.nn.ReLU(), torch.nn.Linear(units, 1))
    hidden = torch.tensor(ours.parameters[: units * (inputs + 1)].reshape(units, inputs + 1))
    output = torch.tensor(ours.parameters[units * (inputs + 1) :])
    model[0].weight.data, model[0].bias.data = hidden[:, :-1].clone(), hidden[:, -1].clone()
    model[2].weight.data, model[2].bias.data = output[None, :-1].clone(), output[-1:].clone()
    return model


def test_batch_gradients_are_those_of_each_sample():
    ours, inputs = network(), np.random.default_rng(1).normal(size=(20, 3))
    model, found = torch_network(ours), ours.gradients(inputs)
    for row, one in zip(found, inputs, strict=True):
        model.zero_grad()
        model(torch.tensor(one, dtype=torch.float32)).backward()
        hidden = torch.cat([model[0].weight.grad, model[0].bias.grad[:, None]], dim=1).flatten()
        wanted = torch.cat([hidden, model[2].weight.grad.flatten(), model[2].bias.grad])
        np.testing.assert_allclose(row, wanted.numpy(), atol=1e-5)


def test_training_is_that_of_torch():
    ours, rng = network(), np.random.default_rng(2)
    inputs, targets = rng.normal(size=(30, 3)), rng.normal(size=30)
    model = torch_network(ours)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=0.1 / 30)
    x, y = torch.tensor(inputs, dtype=torch.float32), torch.tensor(targets, dtype=torch.float32)
    for _ in range(200):
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(model(x)[:, 0], y).backward()
        optimiser.step()
    found = ours.fit(inputs, targets, steps=200, learning_rate=1e-3, decay=0.1 / 30).predict(inputs)
    np.testing.assert_allclose(found, model(x)[:, 0].detach().numpy(), atol=1e-3)


@pytest.mark.parametrize(("ridge", "exploration"), [(0.1, 1.0), (2.0, 0.3)])
def test_for_a_linear_model_it_is_ridge_lin_ucb(ridge, exploration):
    """The gradient of a linear model is its features: σ² = ν·λ·xᵀ(λI + XᵀX)⁻¹x."""
    rng = np.random.default_rng(3)
    seen, new = rng.normal(size=(15, 5)), rng.normal(size=(8, 5))
    inverse = np.linalg.inv(ridge * np.eye(5) + seen.T @ seen)
    wanted = np.sqrt(exploration * ridge * np.einsum("ij,jk,ik->i", new, inverse, new))
    confidence = Confidence(5, ridge, exploration, "full")
    for row in seen:
        confidence.observe(row[None])
    np.testing.assert_allclose(confidence.deviation(new), wanted, rtol=1e-9)


@pytest.mark.parametrize("form", ["diagonal", "full"])
def test_the_deviation_of_the_chosen_never_grows_while_gradients_are_frozen(form):
    gradients = np.random.default_rng(4).normal(size=(30, 12))
    confidence = Confidence(12, 0.1, 1.0, form)
    before = confidence.deviation(gradients)
    for _ in range(40):
        chosen = int(before.argmax())
        after = confidence.observe(gradients[[chosen]]).deviation(gradients)
        assert after[chosen] < before[chosen]
        assert (after <= before + 1e-9).all()
        before = after


def test_the_diagonal_is_all_there_is_when_features_are_orthogonal():
    rng = np.random.default_rng(5)
    seen = np.diag(rng.normal(size=7))[rng.integers(7, size=20)]
    new = rng.normal(size=(9, 7))
    found = [Confidence(7, 0.1, 1.0, form).observe(seen).deviation(new) for form in ("diagonal", "full")]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9)


def test_with_correlated_features_the_diagonal_differs():
    seen = np.ones((3, 2))
    new = np.array([[1.0, -1.0]])
    diagonal, full = (Confidence(2, 0.1, 1.0, form).observe(seen).deviation(new)[0] for form in ("diagonal", "full"))
    assert full == pytest.approx(np.sqrt(2))  # nothing was seen in this direction
    assert diagonal < 0.3
