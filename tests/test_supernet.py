"""The two contracts of shared weights: what a space offers, and what modules that choose are."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from automl import ConfigurationError, Selectable, Supernet, UsageError, chosen_network, selectables
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
        return Plus(1.0)

    def forward(self, x):
        return x + 1.0


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


def test_the_contracts_need_no_torch():
    code = "import sys, automl; automl.Supernet, automl.Selectable; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
