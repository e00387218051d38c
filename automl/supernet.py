"""Optional capabilities of networks: to hold all architectures of a space, and to choose among their own parts.

Two contracts, which methods that share weights are written against. A `Supernet` is made by a space
(`SearchSpace.supernet`) and holds the weights of every architecture; a `Selectable` is a module of any network, which
mixes candidates by trained weights until one of them is chosen. A supernet of mixtures is both.

Imports no torch: the contracts are known before it is needed.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from automl.architecture import Architecture

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.nn import Module as _Module
else:
    _Module = object

_CHOICES = "_automl_choices"


class Supernet(ABC, _Module):
    """A network that holds the weights of all architectures of a space, and computes the one that is active.

    A subclass derives from this class and from `torch.nn.Module`, in this order. Contract:

    * `activate` says which architecture the next calls compute. It draws nothing at random, changes no weight, and is
      quick: samplers call it for every batch, or several times for one whose gradients add up.
    * The forward pass of the active architecture reads, and its backward pass reaches, that architecture's weights
      alone. Weights that no active architecture used since gradients were set to ``None`` have none, so that optimisers
      leave them be; of a tensor that is used in part, the rest has gradient 0.
    * `extract` returns a network that `SearchSpace.build` could have made, with copies of the weights: in evaluation
      mode its outputs are those of the active supernet to rounding, and training it changes nothing here. It has the
      same statistics of batch normalisation, too, which were gathered by all architectures: whoever scores an
      extracted network sets them anew first.
    * Parameters, buffers, devices and modes are those of any module; the state is that of all architectures.
    """

    @property
    @abstractmethod
    def active(self) -> Architecture | None:
        """The architecture that calls compute; ``None`` before the first `activate`, when calls raise `UsageError`."""

    @abstractmethod
    def activate(self, architecture: Architecture) -> None:
        """Compute ``architecture`` from now on.

        Raises:
            InvalidArchitecture: it is no member of the space.
        """

    @abstractmethod
    def extract(self, architecture: Architecture) -> nn.Module:
        """Return ``architecture`` as a network of its own with copies of its weights, in the mode of the supernet.

        Raises:
            InvalidArchitecture: it is no member of the space.
        """


@runtime_checkable
class Selectable(Protocol):
    """A module that mixes candidates, each weighted by the softmax of a trained logit, until one is chosen.

    One module may make many choices (one for each node of a layer). Contract:

    * It starts with equal weights, at temperature 1, and all candidates. Logits are no weights of the function: who
      trains the rest leaves `selection_parameters` out, and trains them on other data. The last axis of each is that of
      the candidates.
    * `focus` limits each call to some candidates, whose weights then add up to 1, to bound time and memory.
    * `choose` ends the mixture: the candidate of the largest logit, the first of several, counts alone and exactly.
      Logits are not looked at again. `pruned` is then a module without the others, and computes the same.

    Attributes:
        temperature: the logits are divided by it; set at any time, above 0.
    """

    temperature: float

    @property
    def candidates(self) -> Sequence[str]:
        """Names of what there is to choose from, all different, as a person reads them."""

    def selection_parameters(self) -> Sequence[nn.Parameter]:
        """Return the logits."""

    def focus(self, paths: int | None, generator: torch.Generator | None = None) -> None:
        """Use ``paths`` candidates, drawn uniformly with the CPU ``generator``; ``None`` for all."""

    def choose(self) -> None:
        """Let the candidate of the largest logit be the only one."""

    def chosen(self) -> Mapping[str, int]:
        """Return how often each candidate has the largest logit, those with 0 included."""

    def pruned(self) -> nn.Module:
        """Return a module of the chosen candidates alone, with copies of their weights; logits are gone.

        Raises:
            UsageError: nothing was chosen yet.
        """


def selectables(network: nn.Module) -> Iterator[tuple[str, Selectable]]:
    """Yield the modules of ``network`` that choose, by name, the network itself included; not those inside others."""
    found: list[str] = []
    for name, module in network.named_modules():
        is_inside = any(outer == "" or name.startswith(f"{outer}.") for outer in found)
        if not is_inside and isinstance(module, Selectable):
            found.append(name)
            yield name, module


def chosen_network(network: nn.Module) -> nn.Module:
    """Return a copy of ``network`` in which every module that chooses has become what it chose; see `choices_of`.

    Raises:
        UsageError: one of them has not chosen yet.
    """
    choices = {name: _choices(module) for name, module in selectables(network)}
    replacements = {name: module.pruned() for name, module in selectables(network)}
    if "" in replacements:
        made = replacements[""]
    else:
        made = copy.deepcopy(network)
        for name, module in replacements.items():
            made.set_submodule(name, module)
    setattr(made, _CHOICES, {**choices_of(network), **choices})
    return made


def choices_of(network: nn.Module) -> dict[str, tuple[str, ...]]:
    """Return what was chosen in a network that `chosen_network` made; empty for every other.

    By the name of the module that chose: the names of its candidates, one for each choice, in the order of its logits.
    With these `chosen_as` makes the same network of a fresh one, so that weights alone need to be kept.
    """
    return dict(getattr(network, _CHOICES, {}))


def chosen_as(network: nn.Module, choices: Mapping[str, Sequence[str]]) -> nn.Module:
    """Let ``network`` choose as another did, whose `choices_of` are given, and return its `chosen_network`.

    Raises:
        ValueError: its modules that choose are others, or have other candidates.
    """
    modules = dict(selectables(network))
    if modules.keys() != choices.keys():
        raise ValueError(f"chosen was in {_listed(choices)}, but there is a choice in {_listed(modules)}")
    for name, module in modules.items():
        _choose_as(module, choices[name], name)
    return chosen_network(network)


def _choices(module: Selectable) -> tuple[str, ...]:
    names, found = module.candidates, []
    for logits in module.selection_parameters():
        rows = logits.detach().cpu().double().numpy().reshape(-1, len(names))
        found += [names[place] for place in rows.argmax(1)]  # numpy's is the first of equals, as `choose` wants it
    return tuple(found)


def _choose_as(module: Selectable, choices: Sequence[str], name: str) -> None:
    """Set the logits to 1 for what is to be chosen and to 0 for the rest, and choose."""
    import torch

    names, left = list(module.candidates), list(choices)
    unknown = sorted(set(left) - set(names))
    count = sum(logits.numel() // len(names) for logits in module.selection_parameters())
    if unknown or len(left) != count:
        found = f"{', '.join(unknown)} among the choices" if unknown else f"{len(left)} choices"
        raise ValueError(f"{name or 'the network'} has {count} choices of {', '.join(names)}, but got {found}")
    with torch.no_grad():
        for logits in module.selection_parameters():
            rows = logits.numel() // len(names)
            places, left = [names.index(each) for each in left[:rows]], left[rows:]
            logits.copy_(torch.eye(len(names))[places].view(logits.shape))
    module.choose()


def _listed(names: Iterable[str]) -> str:
    return ", ".join(name or "the network" for name in names) or "no module"
