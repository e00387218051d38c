import pytest
import torch
import zoo
from torch import nn

from automl import Batch, Bench, ComponentSpec, Criterion
from automl_plugins.evaluators.zero_cost import score
from automl_plugins.proxies.te_nas import TeNas


def te_nas(model, batch, task="classification", **options):
    return score(model, batch, task, proxies=(ComponentSpec(name="te_nas", options=options),))


def condition_by_loop(model, images, examples):
    """κ from a backward pass for each example through the whole batch, as published."""
    network = Bench(model, Batch.of(images), Criterion.of("classification")).fresh(init="kaiming_fan_out")
    outputs = network(images[:examples]).sum(1)
    weights = [p for name, p in network.named_parameters() if "weight" in name]
    rows = []
    for output in outputs:
        found = torch.autograd.grad(output, weights, retain_graph=True)
        rows.append(torch.cat([gradient.flatten() for gradient in found]).double())
    eigenvalues = torch.linalg.eigvalsh(torch.stack(rows) @ torch.stack(rows).T)
    return float(eigenvalues[-1] / eigenvalues[0])


def test_condition_is_that_of_backward_passes_through_the_whole_batch():
    model = zoo.made("convolutional").network.double()
    images = torch.randn(8, 3, 8, 8, dtype=torch.float64)
    found = te_nas(model, images, examples=6)["te_nas_condition"]
    assert found.value == pytest.approx(condition_by_loop(model, images, 6), rel=1e-6)
    assert (found.direction, found.bn_mode) == ("min", "batch")


def test_frozen_statistics_give_another_condition():
    model, images = zoo.made("convolutional").network, torch.randn(8, 3, 8, 8)
    batch, frozen = (te_nas(model, images, bn_mode=mode)["te_nas_condition"] for mode in ("batch", "frozen"))
    assert batch.value != pytest.approx(frozen.value, rel=1e-3)
    assert (batch.bn_mode, frozen.bn_mode) == ("batch", "frozen")


def test_duplicated_example_is_ill_conditioned_and_has_no_number():
    images = torch.randn(4, 3, 8, 8)
    found = te_nas(zoo.made("group_norm_only").network, torch.cat([images, images]))
    assert (found["te_nas_condition"].status, found["te_nas_condition"].value) == ("ill_conditioned", None)
    assert found["te_nas_regions"].status == "ok"


def test_regions_are_at_most_the_number_of_inputs():
    torch.manual_seed(0)
    one_unit = nn.Sequential(nn.Linear(3, 1), nn.ReLU(), nn.Linear(1, 2))
    wide = nn.Sequential(nn.Linear(3, 99), nn.ReLU(), nn.Linear(99, 2))
    inputs = torch.randn(8, 3)
    assert te_nas(one_unit, inputs, regions_examples=50)["te_nas_regions"].value == 2
    assert 2 < te_nas(wide, inputs, regions_examples=50)["te_nas_regions"].value <= 50


def test_network_without_activations_still_has_a_condition():
    torch.manual_seed(0)
    found = te_nas(nn.Linear(9, 2), torch.randn(4, 9))
    assert found["te_nas_regions"].status == "unsupported"
    assert found["te_nas_condition"].value > 1


def test_weights_are_drawn_by_the_seed_and_not_the_callers():
    images = torch.randn(6, 3, 8, 8)
    found = [te_nas(zoo.made("convolutional", weights).network, images)["te_nas_condition"].value for weights in (0, 1)]
    assert found[0] == found[1]


def test_both_scores_are_combined_by_the_sum_of_ranks():
    assert TeNas.population == "rank_sum"
