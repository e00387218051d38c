import numpy as np
import pytest
import torch
from single import Inputs
from torch import nn

from automl import ConfigurationError, HasAuxiliaryOutputs, training_outputs
from automl_spaces.darts.genotype import EVERY_OPERATION, NAMED, OPERATIONS, Cell, Cells
from automl_spaces.darts.network import DartsCell, DartsNetwork, DropPath, HalvingSkip, Macro
from automl_spaces.darts.space import Darts, DartsOptions

SHAPES = ((1, 8, 8), (1, 28, 28), (3, 32, 32), (2, 33, 21), (1, 5, 3))


def count(module, but=""):
    return sum(weight.numel() for name, weight in module.named_parameters() if not but or but not in name)


def samples(space, count, seed=0):
    rng = np.random.default_rng(seed)
    return [space.blueprint(space.sample(rng)) for _ in range(count)]


def meta(cells, macro, image=(3, 32, 32)):
    with torch.device("meta"):
        return DartsNetwork(cells, macro, image, 10)


def cell_parameters(cell, channels, inputs, is_reduction):
    """Return the parameters of a cell in closed form; batch normalisation has two for each channel.

    A halving skip has two convolutions for half of the channels each: as many weights as one for all.
    """
    c = channels
    total = (inputs[0] + inputs[1]) * c + 4 * c
    separable = {3: 2 * (9 * c + c * c + 2 * c), 5: 2 * (25 * c + c * c + 2 * c)}
    dilated = {3: 9 * c + c * c + 2 * c, 5: 25 * c + c * c + 2 * c}
    for operation, source in cell.edges:
        match operation.split("_"):
            case ["sep", _, kernel]:
                total += separable[int(kernel[0])]
            case ["dil", _, kernel]:
                total += dilated[int(kernel[0])]
            case ["skip", _] if is_reduction and source < 2:
                total += c * c + 2 * c
    return total


def parameters(cells, channels, number):
    """Return the parameters of the whole network for 32x32 colour images and 10 classes in closed form."""
    total = 3 * 9 * 3 * channels + 2 * 3 * channels
    before, c = (3 * channels, 3 * channels), channels
    for position in range(number):
        is_reduction = position in (number // 3, 2 * number // 3)
        c *= 2 if is_reduction else 1
        cell = cells.reduce if is_reduction else cells.normal
        total += cell_parameters(cell, c, before, is_reduction)
        before = before[1], 4 * c
    return total + before[1] * 10 + 10


def test_the_published_network_has_the_published_number_of_parameters():
    network = meta(NAMED["darts_v2"], Macro(36, 20, auxiliary=0.4))
    assert count(network, but="auxiliary") == 3_349_342


def test_the_auxiliary_head_is_that_of_the_paper():
    network = meta(NAMED["darts_v2"], Macro(36, 20, auxiliary=0.4))
    channels = 4 * 4 * 36
    convolutions = channels * 128 + 128 * 768 * 4
    assert count(network.auxiliary) == convolutions + 2 * (128 + 768) + 768 * 10 + 10
    assert isinstance(network.auxiliary.pooling, nn.AvgPool2d)
    assert network.cells[7].first.here.stride == network.cells[14].first.here.stride == (2, 2)


def test_parameters_follow_a_closed_form():
    for cells in (*NAMED.values(), *samples(Darts(), 8)):
        for channels, number in ((8, 5), (6, 3), (10, 8)):
            assert count(meta(cells, Macro(channels, number))) == parameters(cells, channels, number)


@pytest.mark.parametrize("kind", [False, True])
def test_parameters_of_one_cell_follow_a_closed_form(kind):
    for cells in samples(Darts(), 10):
        built = DartsCell(cells.normal, 6, (4, 10), 2 if kind else 1)
        assert count(built) == cell_parameters(cells.normal, 6, (4, 10), kind)


@pytest.mark.parametrize("shape", SHAPES)
def test_networks_take_images_of_any_size(shape):
    space = Darts(DartsOptions(operations=EVERY_OPERATION, repeated_inputs=True, auxiliary=0.4, cells=4, channels=3))
    for cells in samples(space, 3):
        network = space.build(cells, Inputs(*shape))
        outputs, [(weight, others)] = training_outputs(network, torch.randn(2, *shape))
        assert (outputs.shape, others.shape, weight) == ((2, 10), (2, 10), 0.4)


def test_sizes_and_channels_of_cells_are_those_of_the_paper():
    network = DartsNetwork(NAMED["darts_v2"], Macro(4, 6), (3, 32, 32), 10)
    shapes = []
    for cell in network.cells:
        cell.register_forward_hook(lambda module, inputs, output: shapes.append(tuple(output.shape[1:])))
    network(torch.zeros(2, 3, 32, 32))
    assert shapes == [(16, 32, 32)] * 2 + [(32, 16, 16)] * 2 + [(64, 8, 8)] * 2


def test_a_cell_is_the_sum_of_operations_behind_one_another():
    """Without training, the inner nodes are the sums that a loop over the genotype computes."""
    torch.manual_seed(0)
    for cells in samples(Darts(), 5):
        built = DartsCell(cells.normal, 4, (6, 6), 2).eval()
        images = torch.randn(2, 6, 8, 8), torch.randn(2, 6, 8, 8)
        states = [built.first(images[0]), built.second(images[1])]
        modules = iter(built.operations)
        for pair in cells.normal.nodes:
            terms = [next(modules)(states[source]) for _, source in pair]
            states.append(torch.stack(terms).sum(0))
        expected = torch.cat(states[2:], 1)
        assert expected.shape == (2, 16, 4, 4)
        torch.testing.assert_close(built(*images), expected)


def test_a_halving_skip_keeps_what_every_second_pixel_would_lose():
    module = HalvingSkip(1, 2).eval()
    for weight in (module.here.weight, module.aside.weight):
        nn.init.ones_(weight)
    image = torch.arange(1.0, 17.0).reshape(1, 1, 4, 4)
    expected = torch.tensor([[[1.0, 3.0], [9.0, 11.0]], [[6.0, 8.0], [14.0, 16.0]]])
    torch.testing.assert_close(module(image)[0], expected, rtol=1e-4, atol=1e-4)


def test_drop_path_drops_whole_examples_and_keeps_the_expectation():
    torch.manual_seed(0)
    path, images = DropPath(0.2), torch.rand(20_000, 2, 3, 3) + 0.5
    dropped = path(images)
    is_kept = dropped.flatten(1).any(1)
    assert torch.equal(is_kept, dropped.flatten(1).all(1))
    torch.testing.assert_close(dropped[is_kept], images[is_kept] / 0.8)
    assert float(is_kept.double().mean()) == pytest.approx(0.8, abs=5 * (0.16 / 20_000) ** 0.5)
    assert torch.equal(path.eval()(images), images)


def test_drop_path_spares_identities_and_evaluation():
    cells = NAMED["darts_v2"]
    dropping = DartsNetwork(cells, Macro(4, 3, drop_path=0.5), (1, 8, 8), 10)
    for cell in dropping.cells:
        assert all(isinstance(op, nn.Identity) or isinstance(op[-1], DropPath) for op in cell.operations)
    whole = DartsNetwork(cells, Macro(4, 3), (1, 8, 8), 10)
    assert len(whole.state_dict()) == len(dropping.state_dict())
    whole.load_state_dict(dict(zip(whole.state_dict(), dropping.state_dict().values(), strict=True)))
    images = torch.randn(3, 1, 8, 8)
    torch.testing.assert_close(dropping.eval()(images), whole.eval()(images))


def test_calls_do_without_the_auxiliary_head():
    network = DartsNetwork(NAMED["darts_v2"], Macro(4, 3, auxiliary=0.4), (1, 8, 8), 10).eval()
    images = torch.randn(3, 1, 8, 8)
    assert isinstance(network, HasAuxiliaryOutputs)
    outputs, [(_, others)] = network.outputs_with_auxiliary(images)
    torch.testing.assert_close(outputs, network(images))
    network.train()(images).sum().backward()
    assert all(weight.grad is None for weight in network.auxiliary.parameters())
    assert not torch.allclose(outputs, others)
    plain = DartsNetwork(NAMED["darts_v2"], Macro(4, 3), (1, 8, 8), 10)
    assert training_outputs(plain, images)[1] == ()


def test_a_gradient_reaches_every_parameter():
    space = Darts(DartsOptions(channels=4))
    for cells in samples(space, 3):
        network = space.build(cells, Inputs(1, 16, 16))
        network(torch.randn(4, 1, 16, 16)).square().sum().backward()
        assert all(weight.grad is not None for weight in network.parameters())


def test_every_operation_keeps_channels_and_strides():
    for operation in OPERATIONS:
        cell = Cell.parse(f"{operation}:0 {operation}:1")
        for stride in (1, 2):
            built = DartsCell(cell, 4, (3, 3), stride)
            assert built(torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)).shape == (2, 4, 8 // stride, 8 // stride)


def test_other_inputs_than_images_are_a_configuration_error():
    cell = Cell.parse("skip_connect:0 skip_connect:1")
    with pytest.raises(ConfigurationError, match="image"):
        Darts(DartsOptions(nodes=1)).build(Cells(cell, cell), Inputs(13))
