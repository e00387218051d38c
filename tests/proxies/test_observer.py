"""Audiences: observers that fail alone."""

import torch
from torch import nn

from automl import Observer
from automl.proxies.observer import Audience, overrides


class Counting(Observer):
    def __init__(self):
        self.calls = 0

    def activation(self, activation, before):
        self.calls += 1


class Failing(Counting):
    def activation(self, activation, before):
        super().activation(activation, before)
        raise ValueError("broken")


def test_methods_that_are_not_overridden_are_not_called():
    assert overrides(Counting(), "activation")
    assert not overrides(Counting(), "layer")
    assert Audience([Counting()]).that("layer") == []
    assert Audience([Counting()]).listening_to("x", nn.Linear(2, 2)) == []


def test_an_observer_that_raises_sees_nothing_more_and_the_others_everything():
    failing, counting = Failing(), Counting()
    audience = Audience([failing, counting])
    for _ in range(3):
        audience.tell(audience.that("activation"), "activation", None, torch.zeros(1))
    assert (failing.calls, counting.calls) == (1, 3)
    assert str(audience.failure_of(failing)) == "broken"
    assert audience.failure_of(counting) is None
    assert audience.failure_of(None) is None


def test_layers_that_own_weights_are_listened_to_by_default():
    class Layers(Observer):
        def layer(self, name, module, output):
            pass

    listening = Audience([Layers()]).listening_to
    assert listening("", nn.Linear(2, 2))
    assert listening("", nn.Embedding(2, 2))
    assert not listening("", nn.BatchNorm1d(2))
    assert not listening("", nn.ReLU())
    assert not listening("", nn.Sequential(nn.Linear(2, 2)))
