"""The two contracts of shared weights: what a space offers, and what modules that choose are."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from automl import ConfigurationError, Selectable, Supernet, UsageError, chosen_network, selectables
from automl.supernet import choices_of, chosen_as
from automl.testing.problems import ConditionalSpace, TinyTask


class Pair(nn.Module):
    """Adds 1 or 2, by its logits."""

    def __init__(self, inner=None):
        super().__init__()
        self.temperature, self.is_chosen = 1.0, False
        self.logits = nn.Parameter(torch.zeros(1, 2))
        self.inner = inner

    candidates = ("one", "two")

    def selection_parameters(self):
        return [self.logits]

    def focus(self, paths, generator=None):
        pass

    def choose(self):
        self.is_chosen = True

    def chosen(self):
        return {"one": 1, "two": 0}

    def pruned(self):
        if not self.is_chosen:
            raise UsageError("choose first")
        return Plus(1.0 + float(self.logits.argmax()))

    def forward(self, x):
        return x + 1.0 + float(self.logits.argmax())


class Plus(nn.Module):
    def __init__(self, amount):
        super().__init__()
        self.amount = amount

    def forward(self, x):
        return x + self.amount


class Doubled(Supernet, nn.Module):
    """The smallest supernet: the contract is a mixin beside `nn.Module`."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    @property
    def active(self):
        return None

    def activate(self, architecture):
        pass

    def extract(self, architecture):
        return Plus(1.0)

    def forward(self, x):
        return 2.0 * x


def test_a_supernet_is_a_module():
    made = Doubled()
    assert [name for name, _ in made.named_parameters()] == ["weight"]
    assert float(made(torch.ones(1))) == 2.0


def test_a_supernet_without_its_methods_cannot_be_made():
    class Half(Supernet, nn.Module):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Half()


def test_a_space_without_a_supernet_says_so():
    space = ConditionalSpace()
    assert not space.has_supernet
    with pytest.raises(ConfigurationError, match="ConditionalSpace offers no supernet"):
        space.supernet(TinyTask())


def test_a_space_that_overrides_it_offers_one():
    class Sharing(ConditionalSpace):
        def supernet(self, task):
            return Doubled()

    assert Sharing().has_supernet


def test_modules_that_choose_are_found_by_name_and_not_inside_one_another():
    network = nn.Sequential(nn.Linear(2, 2), nn.Sequential(Pair(Pair())), Pair())
    assert [name for name, _ in selectables(network)] == ["1.0", "2"]
    assert isinstance(Pair(), Selectable)
    assert [name for name, _ in selectables(Pair())] == [""]


def test_a_network_that_chooses_becomes_what_it_chose():
    network = nn.Sequential(nn.Sequential(Pair()), Pair())
    for _, module in selectables(network):
        module.choose()
    made = chosen_network(network)
    assert not list(selectables(made))
    assert len(list(selectables(network))) == 2
    torch.testing.assert_close(made(torch.zeros(3)), network(torch.zeros(3)))
    assert isinstance(chosen_network(network[1]), Plus)


def test_a_network_that_has_not_chosen_is_not_pruned():
    with pytest.raises(UsageError, match="choose"):
        chosen_network(nn.Sequential(Pair()))


def test_what_was_chosen_makes_the_same_network_of_a_fresh_one():
    def fresh():
        return nn.Sequential(nn.Sequential(Pair()), Pair(), nn.Linear(3, 3))

    network = fresh()
    with torch.no_grad():
        network[1].logits.copy_(torch.tensor([[-2.0, -1.0]]))
    for _, module in selectables(network):
        module.choose()
    made = chosen_network(network)
    assert choices_of(made) == {"0.0": ("one",), "1": ("two",)}
    assert choices_of(copy.deepcopy(made)) == choices_of(made) == choices_of(chosen_network(made))
    assert choices_of(network) == choices_of(nn.Linear(2, 2)) == {}
    again = chosen_as(fresh(), choices_of(made))
    again.load_state_dict(made.state_dict())
    assert choices_of(again) == choices_of(made)
    torch.testing.assert_close(again(torch.zeros(3)), made(torch.zeros(3)))


def test_a_network_that_is_a_choice_itself_is_remembered_too():
    made = chosen_as(Pair(), {"": ["two"]})
    assert choices_of(made) == {"": ("two",)}
    assert float(made(torch.zeros(1))) == 2.0


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"0": ["one"], "5": ["one"]}, "chosen was in 0, 5, but there is a choice in 0"),
        ({}, "chosen was in no module"),
        ({"0": ["three"]}, "0 has 1 choices of one, two, but got three among the choices"),
        ({"0": ["one", "one"]}, "but got 2 choices"),
    ],
)
def test_choices_of_another_network_are_refused(choices, said):
    with pytest.raises(ValueError, match=said):
        chosen_as(nn.Sequential(Pair()), choices)


def test_the_contracts_need_no_torch():
    code = "import sys, automl; automl.Supernet, automl.Selectable; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
