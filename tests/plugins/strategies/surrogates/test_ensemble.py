import numpy as np
import torch

from automl_plugins.strategies._surrogates.ensemble import Ensemble, Training, _Adam


def generators(count):
    return [np.random.default_rng(seed) for seed in range(count)]


def bits(observations, inputs=12, seed=0):
    return (np.random.default_rng(seed).random((observations, inputs)) < 0.4) * 1.0


def test_it_learns_a_known_function():
    def wanted(inputs):
        return inputs[:, 0] - 2 * inputs[:, 1] * inputs[:, 2] + 0.5 * inputs[:, 3]

    train, test = bits(250), bits(100, seed=1)
    found = Ensemble(12, generators(5), Training()).fit(train, wanted(train)).predict(test)
    assert np.corrcoef(found.mean(axis=0), wanted(test))[0, 1] > 0.97
    assert (found.std(axis=0) > 0).all()


def test_an_ensemble_is_its_members_trained_alone():
    inputs, training = bits(45), Training(epochs=10, layers=4)
    targets = inputs @ np.arange(12.0)
    together = Ensemble(12, generators(5), training).fit(inputs, targets).predict(inputs)
    for number in range(5):
        alone = Ensemble(12, generators(5)[number : number + 1], training).fit(inputs, targets)
        np.testing.assert_array_equal(alone.predict(inputs)[0], together[number])


def test_training_is_that_of_torch():
    """Same initial weights, same order: three epochs of Adam on the mean absolute error, the last batch smaller."""
    training = Training(layers=3, width=7, epochs=3, batch_size=8)
    inputs = np.random.default_rng(5).normal(size=(21, 4))
    targets = np.sin(inputs).sum(axis=1)
    rng = np.random.default_rng(0)
    start = Ensemble(4, [rng], training)
    network = torch.nn.Sequential(torch.nn.Linear(4, 7))
    for _ in range(2):
        network.extend([torch.nn.ReLU(), torch.nn.Linear(7, 7)])
    network.extend([torch.nn.ReLU(), torch.nn.Linear(7, 1)])
    for layer, weights in zip(network[::2], start.weights, strict=True):
        layer.weight.data = torch.tensor(weights[0, :, :-1])
        layer.bias.data = torch.tensor(weights[0, :, -1])
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01, betas=(0.9, 0.99), eps=1e-7)
    x, y = torch.tensor(inputs, dtype=torch.float32), torch.tensor(targets, dtype=torch.float32)
    for _ in range(3):
        order = torch.tensor(rng.permutation(21))
        for batch in order.split(8):
            optimiser.zero_grad()
            (network(x[batch])[:, 0] - y[batch]).abs().mean().backward()
            optimiser.step()
    found = Ensemble(4, [np.random.default_rng(0)], training).fit(inputs, targets).predict(inputs)[0]
    np.testing.assert_allclose(found, network(x)[:, 0].detach().numpy(), atol=1e-4)


def test_members_start_and_shuffle_differently():
    found = Ensemble(12, generators(5), Training(epochs=2)).fit(bits(40), np.zeros(40)).predict(bits(5))
    assert len(np.unique(found, axis=0)) == 5


def test_moments_of_units_that_are_off_do_not_stay_denormal():
    """They would make every step many times slower."""
    weights = np.zeros(8, np.float32)
    optimiser = _Adam(weights, Training())
    optimiser.step(np.full(8, 1e-3, np.float32))
    for _ in range(6000):
        optimiser.step(np.zeros(8, np.float32))
    for moment in (optimiser._first, optimiser._second):
        assert ((moment == 0) | (np.abs(moment) >= np.finfo(np.float32).tiny)).all()
    assert np.isfinite(weights).all()


def test_it_is_reproducible_to_the_bit():
    inputs = bits(33)
    one, other = (Ensemble(12, generators(3), Training(epochs=5)).fit(inputs, inputs[:, 0]) for _ in range(2))
    np.testing.assert_array_equal(one.predict(inputs), other.predict(inputs))
