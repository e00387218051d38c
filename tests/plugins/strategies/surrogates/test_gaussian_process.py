import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Kernel

from automl.testing.problems import CellSpace, ConditionalSpace
from automl_plugins.strategies._surrogates.encoding import columns_of
from automl_plugins.strategies._surrogates.gaussian_process import (
    NOISE,
    GraphKernel,
    HammingKernel,
    Whitened,
    likeliest,
    log_likelihood,
)
from automl_spaces.nas_bench_201 import NasBench201
from automl_spaces.nas_cell import NasCell


class Precomputed(Kernel):
    """Lets scikit-learn see indices, and looks their covariance up."""

    def __init__(self, table):
        self.table = table

    def __call__(self, X, Y=None, eval_gradient=False):
        rows, others = (np.asarray(part)[:, 0].astype(int) for part in (X, X if Y is None else Y))
        return self.table[np.ix_(rows, others)]

    def diag(self, X):
        return np.ones(len(X))

    def is_stationary(self):
        return False


def table(kernel, space, count, seed=0):
    rng = np.random.default_rng(seed)
    features = [kernel.features(space, space.sample(rng)) for _ in range(count)]
    return kernel.table(features, columns_of(features))


@pytest.mark.parametrize(
    ("kernel", "space"),
    [
        (HammingKernel(), NasBench201()),
        (HammingKernel(), ConditionalSpace()),
        (GraphKernel(), NasCell()),
        (GraphKernel(), CellSpace()),
    ],
)
def test_posterior_and_likelihood_are_those_of_scikit_learn(kernel, space):
    seen, pool = 30, 40
    whole = table(kernel, space, seen + pool)
    targets = np.random.default_rng(1).normal(size=seen)
    for value, covariance in zip(kernel.grid, kernel.covariances(whole, whole, kernel.grid), strict=True):
        indices = np.arange(seen + pool)[:, None]
        reference = GaussianProcessRegressor(Precomputed(covariance), alpha=NOISE, optimizer=None)
        mean, deviation = reference.fit(indices[:seen], targets).predict(indices[seen:], return_std=True)
        whitened = grown(covariance, seen, [8, 8, 8, 6])
        np.testing.assert_allclose(whitened.mean(targets), mean, atol=2e-3, err_msg=f"hyperparameter {value}")
        np.testing.assert_allclose(whitened.variance(), deviation**2, atol=2e-4)
        wanted = reference.log_marginal_likelihood_value_
        assert log_likelihood(covariance[:seen, :seen], targets) == pytest.approx(wanted)


def grown(covariance, seen, sizes):
    whitened, end = Whitened.empty(len(covariance) - seen), 0
    for size in sizes:
        start, end = end, end + size
        part = covariance[start:end]
        whitened = whitened.extended(covariance[:start, start:end], part[:, start:end], part[:, seen:])
    return whitened


def test_what_is_assumed_changes_variances_and_no_means():
    kernel = HammingKernel()
    whole = table(kernel, NasBench201(), 40)
    (covariance,) = kernel.covariances(whole, whole, (3.0,))
    targets = np.random.default_rng(2).normal(size=10)
    before, after = grown(covariance, 20, [10]), grown(covariance, 20, [10, 4])
    np.testing.assert_array_equal(before.mean(targets), after.mean(targets))
    assert (after.variance() < before.variance()).all()


@pytest.mark.parametrize("kernel", [HammingKernel(), GraphKernel()])
@pytest.mark.parametrize("space", [NasCell(), ConditionalSpace()])
def test_kernels_are_positive_definite_and_1_on_the_diagonal(kernel, space):
    whole = table(kernel, space, 60)
    for covariance in kernel.covariances(whole, whole, kernel.grid):
        np.testing.assert_allclose(np.diag(covariance), 1)
        np.testing.assert_allclose(covariance, covariance.T, atol=1e-12)
        assert np.linalg.eigvalsh(covariance).min() > -1e-9


def test_the_graph_kernel_sees_one_network_through_all_its_encodings():
    kernel, space, rng = GraphKernel(), NasCell(), np.random.default_rng(3)
    one = space.sample(rng)
    features = [kernel.features(space, each) for each in (one, space.reorder(one, rng), space.sample(rng))]
    whole = kernel.table(features, columns_of(features))
    for covariance in kernel.covariances(whole, whole, kernel.grid):
        assert covariance[0, 1] == pytest.approx(1)
    assert covariance[0, 2] < 0.99


@pytest.mark.parametrize("length", HammingKernel.grid)
def test_the_likeliest_length_is_the_true_one_or_its_neighbour(length):
    kernel, rng = HammingKernel(), np.random.default_rng(4)
    whole = table(kernel, NasBench201(), 250)
    (covariance,) = kernel.covariances(whole, whole, (length,))
    drawn = np.linalg.cholesky(covariance + NOISE * np.eye(250)) @ rng.standard_normal(250)
    found = kernel.grid.index(likeliest(kernel, whole, drawn))
    assert abs(found - kernel.grid.index(length)) <= 1
