"""Put a found layer into somebody's network in the place of batch normalisation and activation.

Which pairs are found:

1. in an ``nn.Sequential``, a batch normalisation followed at once by an activation module; the activation becomes
   ``nn.Identity``, so that the names of other modules stay;
2. elsewhere, if ``torch.fx`` can trace the network: a batch normalisation whose result is read by an activation and by
   nothing else. The activation may be a module, a function (``F.relu``, ``torch.relu``) or a method (``x.relu()``).
   Where all these activations are modules used for nothing else, the network keeps its class; otherwise, as where one
   ``self.relu`` also follows a sum, the result is a ``torch.fx.GraphModule`` with the same submodules.

A batch normalisation whose result goes elsewhere becomes a channel-wise affine map: before a weighted layer in a
sequence, or by the trace. One that nothing is known about, since the network cannot be traced, is left as it is, and so
is one that is called several times with and without an activation.
A network that calls ``F.dropout`` counts as one that cannot be traced: a trace would fix it to the present mode.
Batch normalisations are ``nn.BatchNorm1d`` and ``nn.BatchNorm2d``; activations are listed in `ACTIVATIONS`.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from automl import Architecture, ConfigurationError
from automl_spaces.evonorm.compiled import ChannelAffine, ExpressionLayer, NativeNorm, compile_layer
from automl_spaces.evonorm.expression import Expression
from automl_spaces.evonorm.named import NAMED
from automl_spaces.evonorm.space import EvoNorm, EvoNormOptions

ACTIVATIONS: tuple[type[nn.Module], ...] = (
    nn.ReLU,
    nn.ReLU6,
    nn.SiLU,
    nn.GELU,
    nn.Mish,
    nn.ELU,
    nn.CELU,
    nn.SELU,
    nn.LeakyReLU,
    nn.Hardswish,
    nn.Sigmoid,
    nn.Tanh,
    nn.Softplus,
)
"""Modules that count as activations, with the functions and methods of the same names."""

_NAMES = (
    "relu",
    "relu6",
    "silu",
    "gelu",
    "mish",
    "elu",
    "celu",
    "selu",
    "leaky_relu",
    "hardswish",
    "sigmoid",
    "tanh",
    "softplus",
)
_FUNCTIONS = {getattr(home, name) for home in (F, torch) for name in _NAMES if hasattr(home, name)}
_FUNCTIONS |= {torch.relu_, F.relu_, torch.sigmoid_, torch.tanh_}
_METHODS = {"relu", "relu_", "sigmoid", "sigmoid_", "tanh", "tanh_"}
_DROPOUTS = {F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout}
_NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d)
_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.Linear)
_LEAVES = (ChannelAffine, ExpressionLayer, NativeNorm)

Change = Callable[[nn.Module], None]


class Replacement(NamedTuple):
    """The changed copy and what was done.

    Attributes:
        network: the copy.
        pairs: batch normalisations that became the layer, their activations gone.
        alone: batch normalisations without an activation, now channel-wise affine maps.
        untouched: batch normalisations that are still there.
    """

    network: nn.Module
    pairs: int
    alone: int
    untouched: int


def replace_norm_act(
    model: nn.Module,
    architecture: Architecture | Expression | str,
    *,
    groups: int = 32,
    epsilon: float = 1e-5,
    momentum: float = 0.1,
) -> Replacement:
    """Return a copy of ``model`` with a layer for each batch normalisation and activation; see the module.

    The new layers start from their initial parameters, on the devices and in the types of the old ones, and train with
    the network: nothing is taken over from the old normalisation.

    Args:
        model: any network; it is not changed.
        architecture: of the space ``evonorm``, or an expression, or the name of a published layer.
        groups, epsilon, momentum: see `compile_layer`.

    Raises:
        ConfigurationError: there is no published layer of that name.
        InvalidArchitecture: the architecture is none of the space.

    >>> network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8))
    >>> replace_norm_act(network, "evonorm_s0")[1:]
    (1, 1, 0)
    """
    expression = _expression_of(architecture)
    network = copy.deepcopy(model)
    made: dict[int, nn.Module] = {}

    def pair(norm: nn.Module) -> None:
        channels = _channels(norm)
        layer = compile_layer(expression, channels, groups=groups, epsilon=epsilon, momentum=momentum)
        made[id(norm)] = _like(layer, norm)

    def alone(norm: nn.Module) -> None:
        made[id(norm)] = _like(ChannelAffine(_channels(norm)), norm)

    # The old modules live on in ``originals``, so that their identities are not given to new ones.
    originals = [module for module in network.modules() if isinstance(module, _NORMALISATIONS)]
    _each_in_sequentials(network, pair, alone)
    network = _swapped(network, made)
    graph = _traced(network)
    if graph is not None:
        network = _each_in_graph(network, graph, made, pair, alone)
    affines = sum(isinstance(one, ChannelAffine) for one in made.values())
    return Replacement(network, len(made) - affines, affines, len(originals) - len(made))


class _Tracer(fx.Tracer):
    """Does not look into layers that were put in already."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, _LEAVES) or super().is_leaf_module(m, module_qualified_name)


def _expression_of(architecture: Architecture | Expression | str) -> Expression:
    if isinstance(architecture, Expression):
        return architecture
    if isinstance(architecture, str):
        if architecture not in NAMED:
            raise ConfigurationError(f"there is no layer {architecture!r}; choose among {', '.join(NAMED)}")
        return NAMED[architecture]
    size = sum(name.startswith("operation_") for name in architecture)
    return EvoNorm(EvoNormOptions(nodes=max(1, size))).blueprint(architecture)


def _each_in_sequentials(network: nn.Module, pair: Change, alone: Change) -> None:
    """Handle what a sequence decides on its own, and put identities for the activations."""
    for sequence in [module for module in network.modules() if type(module).forward is nn.Sequential.forward]:
        assert isinstance(sequence, nn.Sequential)
        for place, (norm, following) in enumerate(itertools.pairwise(sequence)):
            if isinstance(norm, _NORMALISATIONS) and isinstance(following, ACTIVATIONS):
                pair(norm)
                sequence[place + 1] = nn.Identity()
            elif isinstance(norm, _NORMALISATIONS) and isinstance(following, _WEIGHTED):
                alone(norm)


def _traced(network: nn.Module) -> fx.Graph | None:
    """Return the graph of the network, or ``None`` where there is nothing left to find or no graph to be had."""
    if not any(isinstance(module, _NORMALISATIONS) for module in network.modules()):
        return None
    try:
        graph = _Tracer().trace(network)
    except (AttributeError, IndexError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return None  # what control flow and Python's own functions on tensors raise in a trace
    return None if any(node.target in _DROPOUTS for node in graph.nodes) else graph


def _each_in_graph(
    network: nn.Module, graph: fx.Graph, made: dict[int, nn.Module], pair: Change, alone: Change
) -> nn.Module:
    """Handle the normalisations of a traced network, and take the activations out of it or of its graph."""
    modules = dict(network.named_modules(remove_duplicate=False))
    calls: dict[int, list[fx.Node]] = {}
    for node in graph.nodes:
        if node.op == "call_module":
            calls.setdefault(id(modules[str(node.target)]), []).append(node)
    removed: set[fx.Node] = set()
    for norm in [module for module in network.modules() if isinstance(module, _NORMALISATIONS)]:
        read_by = [_activation_after(node, modules) for node in calls.get(id(norm), [])]
        activations = {node for node in read_by if node is not None}
        if read_by and len(activations) == len(read_by):
            pair(norm)
            removed |= activations
        elif read_by and not activations:
            alone(norm)
    used = {id(modules[str(node.target)]) for node in removed if node.op == "call_module"}
    if all(node.op == "call_module" for node in removed) and all(removed.issuperset(calls[one]) for one in used):
        return _swapped(network, {**made, **{one: nn.Identity() for one in used}})
    for node in removed:
        node.replace_all_uses_with(node.all_input_nodes[0])
        graph.erase_node(node)
    edited = fx.GraphModule(_swapped(network, made), graph, type(network).__name__)
    return edited.train(network.training)


def _activation_after(node: fx.Node, modules: dict[str, nn.Module]) -> fx.Node | None:
    """Return the activation that alone reads the result of ``node``."""
    if len(node.users) != 1:
        return None
    (user,) = node.users
    if len(user.all_input_nodes) != 1:
        return None
    if user.op == "call_module":
        is_activation = isinstance(modules[str(user.target)], ACTIVATIONS)
    else:
        is_activation = user.target in (_FUNCTIONS if user.op == "call_function" else _METHODS)
    return user if is_activation else None


def _swapped(network: nn.Module, made: dict[int, nn.Module]) -> nn.Module:
    """Put new modules for old ones, wherever they are held."""
    if id(network) in made:
        return made[id(network)]
    for parent in list(network.modules()):
        for name, child in list(parent._modules.items()):
            if id(child) in made:
                setattr(parent, name, made[id(child)])
    return network


def _channels(norm: nn.Module) -> int:
    assert isinstance(norm, _NORMALISATIONS)
    return norm.num_features


def _like(layer: nn.Module, norm: nn.Module) -> nn.Module:
    """Return the layer on the device, in the type and in the mode of the module that it stands for."""
    tensors: list[Tensor] = [*norm.parameters(), *norm.buffers()]
    if tensors:
        layer = layer.to(tensors[0].device, tensors[0].dtype)
    return layer.train(norm.training)
