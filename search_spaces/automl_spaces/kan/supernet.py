"""Supernets of ``kan`` and ``conv_kan``: over-sized coefficient tensors, of which an architecture uses the first part.

An architecture is computed by the very network that the space builds for it, in which every weight is replaced by a
view of a shared tensor: so `activate` and `extract` cannot differ, and there is one way to write a layer. The place of
a layer (the number of a hidden one, ``last``, or ``only`` where there is no other) decides which tensors it looks at.

What is shared, and what is not:

* Widths: the first nodes of the widest layer. Depth: a shallower network uses the first hidden layers, and the last.
* A family has coefficients for each of its settings, but for polynomials with a recurrence, whose lower degrees are the
  first functions of the highest. Node by node, too: a node has the coefficients of its own place in its family.
* Each base has its weights, each normalisation its own; the bias is that of the place.
* Convolutions have weights of their own for each side of the kernel.

Limits: layers that learn to choose (the family ``selected``) have no place in it, since that is another way to share.
Initial coefficients are those of the widest layers, so that narrow networks start with less variance. Memory is that of
all settings of all families at the largest widths: shorten ``families`` and ``widths`` where that is too much.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from automl import Architecture, ConfigurationError, SearchSpace, Supernet, Task, UsageError
from automl_spaces.kan._choices import LayerOptions
from automl_spaces.kan.layers import (
    FAMILIES,
    Family,
    KanConv,
    KanLayer,
    KanLinear,
    KanSpec,
    MixedLayer,
    make_family,
)

Take: TypeAlias = Callable[[Tensor], Tensor]
Places: TypeAlias = Callable[[Any], list[str]]

_NESTED = ("chebyshev", "legendre", "jacobi", "gram", "polynomial")
"""Families whose functions of a lower degree are the first of a higher one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of a network: its name there, the shared tensor's, and how to take the one from the other."""

    name: str
    key: str
    take: Take


class KanSupernet(Supernet, nn.Module):
    """The weights of all architectures of ``space``, on ``task``.

    Args:
        space: `Kan` or `ConvKan`.
        task: decides the sizes of inputs and outputs.
        widest: layers of the largest size with all that there is to share, each with its place; layers of one place
            may share tensors, and then the first one's are taken, which is the largest.
        places: the place of each layer of a blueprint, in order.
    """

    def __init__(
        self, space: SearchSpace[Any], task: Task, widest: Iterable[tuple[str, nn.Module]], places: Places
    ) -> None:
        if not space.has_supernet:
            raise ConfigurationError("layers that learn to choose cannot be shared; leave the family `selected` out")
        super().__init__()
        self._space, self._task, self._places = space, task, places
        self._active: tuple[Architecture, nn.Module, tuple[Entry, ...]] | None = None
        for place, layer in widest:
            for name, key in _largest(layer, place):
                self._register(key, _tensor(layer, name))

    @property
    def active(self) -> Architecture | None:
        return None if self._active is None else self._active[0]

    def activate(self, architecture: Architecture) -> None:
        if self._active is None or self._active[0] != architecture:
            network, entries = self._network(architecture)
            self._active = architecture, network, entries

    def extract(self, architecture: Architecture) -> nn.Module:
        network, entries = self._network(architecture)
        tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
        with torch.no_grad():
            for entry in entries:
                tensors[entry.name].copy_(entry.take(self._shared(entry.key)))
        return network.train(self.training)

    def forward(self, x: Tensor) -> Tensor:
        if self._active is None:
            raise UsageError("no architecture is active; call `activate(architecture)` first")
        _, network, entries = self._active
        views = {entry.name: entry.take(self._shared(entry.key)) for entry in entries}
        network.train(self.training)
        made: Tensor = torch.func.functional_call(network.to(x.device), views, (x,))
        return made

    def _network(self, architecture: Architecture) -> tuple[nn.Module, tuple[Entry, ...]]:
        """Return a network as the space builds it, and where its weights are; random state stays as it is."""
        blueprint = self._space.blueprint(architecture)
        with torch.random.fork_rng(devices=[]):
            network = self._space.build(blueprint, self._task)
        network = network.to(next(self.parameters()).device)
        layers = [
            (name, layer)
            for name, layer in network.named_children()
            if isinstance(layer, KanLayer | MixedLayer | nn.Linear)
        ]
        found = [
            entry
            for (name, layer), place in zip(layers, self._places(blueprint), strict=True)
            for entry in _entries(layer, f"{name}.", place)
        ]
        return network, tuple(found)

    def _register(self, key: str, tensor: Tensor) -> None:
        if key in self._parameters or key in self._buffers:
            return
        if isinstance(tensor, nn.Parameter) or tensor.requires_grad:
            self.register_parameter(key, nn.Parameter(tensor.detach().clone()))
        else:
            self.register_buffer(key, tensor.clone())

    def _shared(self, key: str) -> Tensor:
        found = self._parameters.get(key)
        tensor = self._buffers[key] if found is None else found
        assert tensor is not None
        return tensor


def kan_supernet(space: SearchSpace[Any], task: Task) -> KanSupernet:
    """Return the supernet of a `Kan`: places are ``hidden_0`` and so on, ``last``, and ``only``."""
    options = space.options
    inputs, outputs, width = math.prod(task.input_shape), task.output_size, max(options.widths)
    deepest = max(options.depths)
    sizes = {f"hidden_{number}": (width if number else inputs, width) for number in range(deepest - 1)}
    sizes |= {"last": (width, outputs)} if deepest > 1 else {}
    sizes |= {"only": (inputs, outputs)} if 1 in options.depths else {}
    widest = (
        (place, KanLinear(*size, spec))
        for place, size in sizes.items()
        for spec in widest_specs(options, is_last=not place.startswith("hidden"))
    )
    return KanSupernet(space, task, widest, _kan_places)


def conv_kan_supernet(space: SearchSpace[Any], task: Task) -> KanSupernet:
    """Return the supernet of a `ConvKan`: places are ``stage_0`` and so on, and one for each kind of head."""
    options = space.options
    channels, width = task.input_shape[0], max(options.widths)

    def widest() -> Iterator[tuple[str, nn.Module]]:
        for number, kernel in itertools.product(range(max(options.depths)), options.kernels):
            for spec in widest_specs(options, is_last=False):
                yield f"stage_{number}", KanConv(width if number else channels, width, kernel, spec)
        if "linear" in options.heads:
            yield "linear_head", nn.Linear(width, task.output_size)
        if "kan" in options.heads:
            for spec in widest_specs(options, is_last=True):
                yield "kan_head", KanLinear(width, task.output_size, spec)

    return KanSupernet(space, task, widest(), _conv_kan_places)


def _kan_places(blueprint: Any) -> list[str]:
    if not blueprint.widths:
        return ["only"]
    return [*(f"hidden_{number}" for number in range(len(blueprint.widths))), "last"]


def _conv_kan_places(blueprint: Any) -> list[str]:
    head = "linear_head" if blueprint.head is None else "kan_head"
    return [*(f"stage_{number}" for number in range(len(blueprint.stages))), head]


def widest_specs(options: LayerOptions, *, is_last: bool) -> Iterator[KanSpec]:
    """Yield specs that have among them all that layers of a place can have, those with more functions first."""
    families = [family for name in options.families if name != "selected" for family in _variants(name)]
    for family in families:
        yield KanSpec(family, before=options.befores[0])
    for base, before, after in itertools.zip_longest(options.bases, options.befores, () if is_last else options.afters):
        yield KanSpec(families[0], base or "none", before or "none", after or "none")


def _variants(name: str) -> list[Family]:
    """Return a family with all of its settings, the largest first; of nested ones, that is the only tensor kept."""
    choices = FAMILIES[name].choices
    made = [
        make_family(name, **dict(zip(choices, values, strict=True))) for values in itertools.product(*choices.values())
    ]
    return sorted(made, key=lambda family: -family.size)


def _largest(layer: nn.Module, place: str) -> Iterator[tuple[str, str]]:
    for entry in _entries(layer, "", place):
        yield entry.name, entry.key


def _tensor(layer: nn.Module, name: str) -> Tensor:
    """Return what is shared of a tensor of ``layer``: of a product's weight, the coefficients with all their axes."""
    if name == "product.weight" and isinstance(layer, KanLayer):
        return layer.coefficients
    *path, last = name.split(".")
    found = getattr(layer.get_submodule(".".join(path)), last)
    assert isinstance(found, Tensor)
    return found


def _entries(layer: nn.Module, prefix: str, place: str) -> Iterator[Entry]:
    """Yield all tensors of ``layer`` that are shared."""
    if isinstance(layer, nn.Linear):
        yield Entry(f"{prefix}weight", f"{place}/weight", _first(layer.weight.shape))
        yield Entry(f"{prefix}bias", f"{place}/bias", _first(layer.bias.shape))
        return
    assert isinstance(layer, KanLayer | MixedLayer)
    if layer.bias is not None:
        name = "bias" if isinstance(layer, MixedLayer) else "product.bias"
        yield Entry(prefix + name, f"{place}/bias", _first(layer.bias.shape))
    after = layer.specs[0].after if isinstance(layer, MixedLayer) else layer.spec.after
    yield from _norms(layer.after, f"{prefix}after.", f"{place}/after/{after}")
    if isinstance(layer, KanLayer):
        yield from _group(layer, prefix, place, None)
        return
    for number, group in enumerate(layer.groups):
        assert isinstance(group, KanLayer)
        yield from _group(group, f"{prefix}groups.{number}.", place, (layer.inputs, layer.nodes_of(number)))


def _group(layer: KanLayer, prefix: str, place: str, part: tuple[int, list[int]] | None) -> Iterator[Entry]:
    """Yield the tensors of one family: of a whole layer, or of ``part``, nodes of so many inputs."""
    family = layer.spec.family
    nodes = None if part is None else part[1]
    sides = f"/{layer.taps}" if layer.is_image else ""
    size = layer.basis.size
    yield Entry(
        f"{prefix}product.weight",
        f"{place}/{_shared_by(family)}{sides}",
        _coefficients(layer.outputs, size, layer.inputs, nodes),
    )
    if layer.base is not None:
        yield Entry(
            f"{prefix}base.weight", f"{place}/base/{layer.spec.base}{sides}", _edges(layer.outputs, layer.inputs, nodes)
        )
    yield from _norms(layer.before, f"{prefix}before.", f"{place}/before/{layer.spec.before_of(layer.inputs)}")
    for name, tensor in layer.basis.named_parameters():
        take = _first(tensor.shape) if part is None else _of_nodes(family, name, *part)
        yield Entry(f"{prefix}basis.{name}", f"{place}/{_shared_by(family)}/{name}", take)


def _norms(module: nn.Module, prefix: str, key: str) -> Iterator[Entry]:
    """Yield the parameters and statistics of a normalisation."""
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if not name.endswith("nodes"):  # which inputs a group listens to
            yield Entry(prefix + name, f"{key}/{name.rpartition('.')[2]}", _first(tensor.shape))


def _shared_by(family: Family) -> str:
    """Return a name that families have in common when they share coefficients; without dots, as tensors' names are."""
    settings = [f"{name}={value}" for name, value in vars(family).items() if (family.name, name) not in _FREE]
    return f"{family.name}({','.join(settings)})".replace(".", "_")


_FREE = {(name, "degree") for name in _NESTED}


def _first(shape: tuple[int, ...]) -> Take:
    places = tuple(slice(0, length) for length in shape)
    return lambda shared: shared[places]


def _coefficients(outputs: int, size: int, inputs: int, nodes: list[int] | None) -> Take:
    if nodes is None:
        return lambda shared: shared[:outputs, :size, :inputs].flatten(1, 2)
    return lambda shared: shared[:outputs, :size, nodes].flatten(1, 2)


def _edges(outputs: int, inputs: int, nodes: list[int] | None) -> Take:
    return lambda shared: shared[:outputs, :inputs] if nodes is None else shared[:outputs, nodes]


def _of_nodes(family: Family, name: str, inputs: int, nodes: list[int]) -> Take:
    """Return how ``nodes`` take their part of a tensor of a basis of ``inputs``: as running numbers are taken."""
    with torch.device("cpu"), torch.no_grad():
        whole = family.basis(inputs).double()
        tensor = whole.get_parameter(name)
        tensor.copy_(torch.arange(tensor.numel(), dtype=torch.float64).view(tensor.shape))
        picked = whole.of_nodes(torch.tensor(nodes)).get_parameter(name).long()
    shape = tensor.shape

    def take(shared: Tensor) -> Tensor:
        return shared[tuple(slice(0, length) for length in shape)].flatten()[picked.to(shared.device)]

    return take
