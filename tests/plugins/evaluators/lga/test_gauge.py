from dataclasses import replace

import pytest
import torch
from torch import nn

from automl import Unmeasurable
from automl_plugins.evaluators._lga import Aligned, Gauge, label_kernel


def network(*, norm=True):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8) if norm else nn.Identity(), nn.ReLU(), nn.Linear(8, 3))


def gauge(examples=30, **changes):
    inputs = torch.randn(examples, 6, generator=torch.Generator().manual_seed(1))
    return Gauge(inputs, label_kernel(torch.arange(examples) % 3, "classification"), **changes)


@pytest.mark.parametrize("reduction", ["sum_logits", "trace"])
@pytest.mark.parametrize("parameters", ["all", "weights"])
@pytest.mark.parametrize("bn_mode", ["frozen", "batch"])
@pytest.mark.parametrize("center", ["mean", "double"])
def test_both_ways_agree(center, bn_mode, parameters, reduction):
    options = {"center": center, "bn_mode": bn_mode, "parameters": parameters, "reduction": reduction}
    inputs, net = gauge().inputs.double(), network().double()
    explicit = replace(gauge(**options, route="explicit"), inputs=inputs).measure(net)
    other = replace(gauge(**options, route="matrix_free", probes=30), inputs=inputs).measure(net)
    assert (explicit.method, other.method) == ("explicit", "matrix_free")
    assert other.error == 0
    assert other.value == pytest.approx(explicit.value, abs=1e-8)


@pytest.mark.parametrize(
    ("examples", "bn_mode", "norm", "method"),
    [
        (72, "batch", True, "explicit"),
        (76, "batch", True, "matrix_free"),
        (76, "frozen", True, "explicit"),
        (76, "batch", False, "explicit"),
    ],
)
def test_it_estimates_of_itself_only_where_examples_are_coupled_and_many(examples, bn_mode, norm, method):
    # Three columns for three classes, and 16 probes.
    found = gauge(examples, bn_mode=bn_mode).measure(network(norm=norm))
    assert found.method == method
    assert (found.error > 0) == (method == "matrix_free")


def test_probes_are_drawn_by_the_seed():
    first, again, other = (gauge(route="matrix_free", seed=seed).measure(network()) for seed in (0, 0, 1))
    assert first == again
    assert first.value != other.value


@pytest.mark.parametrize("route", ["explicit", "matrix_free"])
@pytest.mark.parametrize("noise", [0.0, 1e-7])
def test_what_single_precision_cannot_tell_apart_does_not_align(route, noise):
    one = gauge(route=route)
    alike = one.inputs[:1] + noise * one.inputs
    found = replace(one, inputs=alike).measure(network(norm=False))
    assert isinstance(found, Unmeasurable)
    assert found.status == "undefined"
    assert isinstance(replace(one, inputs=one.inputs[:1] + 0.1 * one.inputs).measure(network(norm=False)), Aligned)


def test_a_network_without_parameters_has_no_alignment():
    found = gauge().measure(nn.Flatten())
    assert isinstance(found, Unmeasurable)
    assert found.status == "undefined"
