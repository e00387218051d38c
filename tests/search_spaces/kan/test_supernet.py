"""Supernets of both spaces: one network for all architectures, each of which can be taken out as it is."""

import pytest
import torch
from numpy.random import default_rng

from automl import ConfigurationError, InvalidArchitecture, SearchSpace, Supernet, UsageError
from automl.testing.problems import TinyTask
from automl_spaces.kan.conv_space import ConvKan, ConvKanOptions
from automl_spaces.kan.space import Kan, KanOptions

FAMILIES = ("bspline", "chebyshev", "gram", "rational", "wavelet", "relu_kan", "fourier")
SPACES = {
    "kan": Kan(KanOptions(families=FAMILIES, widths=(2, 4, 8), depths=(1, 2, 3))),
    "kan per node": Kan(KanOptions(families=FAMILIES, widths=(2, 4, 8), depths=(1, 2, 3), per="node")),
    "conv_kan": ConvKan(ConvKanOptions(families=FAMILIES[:5], widths=(2, 4), depths=(1, 2), kernels=(1, 3))),
    "conv_kan per node": ConvKan(
        ConvKanOptions(families=FAMILIES[:5], widths=(2, 4), depths=(1, 2), kernels=(1, 3), per="node")
    ),
}
TASK = TinyTask()


def seeded(number=0):
    return torch.Generator().manual_seed(number)


@pytest.fixture(scope="module", params=SPACES)
def space(request):
    return SPACES[request.param]


@pytest.fixture(scope="module")
def supernet(space):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = space.supernet(TASK)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=seeded(parameter.numel())))
    return made.eval()


def drawn(space, count=12):
    rng = default_rng(0)
    return [space.sample(rng) for _ in range(count)]


def batch(examples=6):
    return torch.randn(examples, *TASK.input_shape, generator=seeded(1))


def test_it_is_offered(space, supernet):
    assert space.has_supernet
    assert isinstance(supernet, Supernet)
    assert isinstance(supernet, torch.nn.Module)


def test_what_is_extracted_computes_what_is_active(space, supernet):
    for architecture in drawn(space):
        supernet.activate(architecture)
        assert supernet.active == architecture
        with torch.no_grad():
            expected = supernet(batch())
            torch.testing.assert_close(supernet.extract(architecture)(batch()), expected, atol=1e-5, rtol=1e-5)


def test_an_extracted_network_is_what_the_space_builds(space, supernet):
    for architecture in drawn(space, 6):
        extracted, built = supernet.extract(architecture), space.build(space.blueprint(architecture), TASK)
        assert {name: value.shape for name, value in extracted.named_parameters()} == {
            name: value.shape for name, value in built.named_parameters()
        }


def test_every_parameter_of_an_architecture_is_shared(space, supernet):
    """None stays as the space drew it: two extractions are equal."""
    for architecture in drawn(space, 6):
        first, second = supernet.extract(architecture), supernet.extract(architecture)
        for name, value in first.state_dict().items():
            if isinstance(value, torch.Tensor):
                torch.testing.assert_close(value, second.state_dict()[name])


def test_training_what_was_extracted_changes_nothing_here(space, supernet):
    architecture = drawn(space, 1)[0]
    supernet.activate(architecture)
    before = supernet(batch()).detach()
    extracted = supernet.extract(architecture)
    with torch.no_grad():
        for parameter in extracted.parameters():
            parameter.add_(1.0)
    torch.testing.assert_close(supernet(batch()), before)


def test_gradients_reach_the_active_architecture_alone(space):
    supernet = space.supernet(TASK).train()
    one = drawn(space, 1)[0]
    supernet.activate(one)
    supernet(batch()).square().mean().backward()
    touched = {name for name, value in supernet.named_parameters() if value.grad is not None}
    own = len(list(supernet.extract(one).parameters()))
    assert 0 < len(touched) < len(list(supernet.parameters()))
    assert len(touched) <= own
    assert all(torch.isfinite(value.grad).all() for value in supernet.parameters() if value.grad is not None)


def test_its_state_is_that_of_all_architectures(space, supernet):
    other = space.supernet(TASK).eval()
    other.load_state_dict(supernet.state_dict())
    for architecture in drawn(space, 4):
        supernet.activate(architecture)
        other.activate(architecture)
        torch.testing.assert_close(other(batch()), supernet(batch()))


def test_activating_and_extracting_draw_nothing(space, supernet):
    state = torch.random.get_rng_state()
    for architecture in drawn(space, 3):
        supernet.activate(architecture)
        supernet.extract(architecture)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_statistics_are_gathered_in_the_shared_network():
    space = Kan(KanOptions(families=("sine",), widths=(4,), depths=(2,), befores=("min_max",), afters=("batch_norm",)))
    supernet = space.supernet(TASK).train()
    supernet.activate(drawn(space, 1)[0])
    before = {name: value.clone() for name, value in supernet.named_buffers()}
    supernet(5.0 * batch())
    changed = {name for name, value in supernet.named_buffers() if not torch.equal(value, before[name])}
    assert {name.rpartition("/")[2] for name in changed} >= {"running_mean", "running_var", "low", "high"}


def test_lower_degrees_are_the_first_functions_of_higher_ones():
    space = Kan(KanOptions(families=("chebyshev",), widths=(4,), depths=(1,), bases=("none",), befores=("tanh",)))
    supernet = space.supernet(TASK)
    walks = {walk["chebyshev_degree_0"]: walk for walk in space.enumerate()}
    small, large = (supernet.extract(walks[degree])[1].coefficients for degree in (2, 5))
    torch.testing.assert_close(small, large[:, :3])


def test_a_call_before_anything_is_active_says_what_to_do():
    with pytest.raises(UsageError, match="activate"):
        SPACES["kan"].supernet(TASK)(batch())


def test_what_is_no_member_of_the_space_is_refused(supernet):
    with pytest.raises(InvalidArchitecture):
        supernet.activate({"depth": 99})


def test_layers_that_learn_to_choose_have_no_place_in_it():
    space = Kan(KanOptions(families=("selected",)))
    assert not space.has_supernet
    with pytest.raises(ConfigurationError, match="selected"):
        space.supernet(TASK)


def test_a_space_without_one_says_so(space):
    assert SearchSpace.supernet is not type(space).supernet
    with pytest.raises(ConfigurationError, match="offers no supernet"):
        SearchSpace.supernet(space, TASK)
