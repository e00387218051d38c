"""From one network of the spaces to another that computes the same: families, grids, degrees, widths and depth change.

Layers are taken as sums over nodes, one part for each family. A node whose family stays keeps its coefficients; that of
another family, grid or degree gets the least-squares fit on the data, which is exact where the new functions contain
the old ones. New nodes listen and are not yet heard; a new layer hands on what it gets. See `morphisms` for changes of
single layers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from torch import Tensor, nn

from automl import Task, selectables
from automl_spaces.kan.layers import KanConv, KanLayer, KanSpec, MixedKanConv, MixedLayer
from automl_spaces.kan.layers._spline import SplineBasis
from automl_spaces.kan.layers.basis import Basis
from automl_spaces.kan.layers.normalisation import MinMax
from automl_spaces.kan.layers.rational import RationalBasis
from automl_spaces.kan.layers.refit import finer_knots, subsample, transfer

Learner: TypeAlias = KanLayer | MixedLayer | nn.Linear

_EXAMPLES = 1024
"""Training examples that functions are fitted on."""

_NESTED = {
    **dict.fromkeys(("chebyshev", "legendre", "jacobi", "gram", "polynomial"), "degree"),
    **dict.fromkeys(("fourier", "sine"), "frequencies"),
    "wavelet": "count",
}
"""Families whose first functions stay where there are more, and what says how many there are."""

_LINE = 256
"""Points beside the data, over its range and a tenth more: what data leave open is then not."""


def morph_into(
    network: nn.Module, build: Callable[[], nn.Module], task: Task, seed: int, inserted: int | None = None
) -> nn.Module | None:
    """Return what ``build`` returns, drawn with ``seed``, with the function of ``network`` (see `morph`)."""
    device = next(network.parameters()).device
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(torch.Generator().manual_seed(seed).get_state())
        fresh = build()
    x, _ = next(iter(task.split("train").batches(_EXAMPLES, device)))
    return morph(network, fresh.to(device), x, inserted)


@torch.no_grad()
def morph(old: nn.Module, new: nn.Module, x: Tensor, inserted: int | None = None) -> nn.Module | None:
    """Give ``new`` the function of ``old``, as far as its functions can, and return it in the mode of ``old``.

    ``old`` stays as it is. Where ``None`` comes back, ``new`` may be changed in part.

    Args:
        old: a network of `Kan` or `ConvKan`, trained or not.
        new: a fresh one.
        x: a batch of inputs to fit on.
        inserted: which layer of ``new`` has no counterpart in ``old``, counted from 0.

    Returns:
        ``new``; ``None`` where something changed that no coefficients make good, such as normalisation.
    """
    mode = old.training
    sources, targets = _learners(old), _learners(new)
    places: list[int | None] = list(range(len(sources)))
    if inserted is not None:
        places.insert(inserted, None)
    if len(places) != len(targets) or _others(old) != _others(new) or any(selectables(new)):
        return None
    old.eval()
    new.to(x.device).eval()
    try:
        seen = _inputs_of(old, x)
    finally:
        old.train(mode)
    for place, target in zip(places, targets, strict=True):
        if not (hands_on(target) if place is None else transplant(sources[place], target, seen[place])):
            return None
    return new.train(mode)


@torch.no_grad()
def transplant(old: Learner, new: Learner, x: Tensor) -> bool:
    """Give ``new`` the function of ``old`` on inputs like ``x``; say whether their kinds allow it.

    ``new`` may have more inputs, from which its old outputs then hear nothing, and more outputs, which are as drawn.
    Both are in evaluation mode.
    """
    if isinstance(old, nn.Linear) or isinstance(new, nn.Linear):
        return isinstance(old, nn.Linear) and isinstance(new, nn.Linear) and _transplant_linear(old, new)
    if not _is_keepable(old, new):
        return False
    constants = torch.zeros(old.outputs, dtype=torch.float64, device=x.device)
    rows = _Rows(x, _line(x, old.inputs, is_image=old.is_image), new.inputs)
    for part in _parts(new):
        constants += _fill(part, old, new, rows)
    if old.bias is not None:
        constants += old.bias
    if new.bias is not None:
        new.bias[: old.outputs] = constants.to(new.bias)
    else:
        _absorb(new, constants, rows)
    _overlay(old.after, new.after)
    return True


@torch.no_grad()
def hands_on(layer: Learner) -> bool:
    """Let ``layer`` return what it gets; say whether it can, which needs an identity base and nothing behind."""
    if isinstance(layer, nn.Linear) or layer.inputs != layer.outputs:
        return False
    spec = _specs(layer)[0]
    if spec.base != "identity" or spec.after != "none":
        return False
    for part in _parts(layer):
        part.layer.set_coefficients(torch.zeros_like(part.layer.coefficients))
        weight = _base_weight(part.layer)
        weight.zero_()
        _taps(weight)[part.nodes, torch.arange(len(part.nodes))] = 1.0
    if layer.bias is not None:
        layer.bias.zero_()
    return True


@dataclass(frozen=True, slots=True)
class _Part:
    """The nodes of one family."""

    layer: KanLayer
    nodes: list[int]

    def front(self) -> nn.Module | None:
        """Return the normalisation in front that has a state, of all nodes."""
        kinds = (MinMax, nn.LayerNorm, nn.GroupNorm)
        return next((module for module in self.layer.before.modules() if isinstance(module, kinds)), None)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Inputs to fit on: data, and a line through their range."""

    data: Tensor
    line: Tensor
    inputs: int

    def seen_by(self, part: _Part, positions: list[int], *, is_new: bool) -> Tensor:
        """Return what the basis of some nodes of ``part`` sees, `(rows, positions)`; new nodes see 0."""
        both = [self._padded(x, part) if is_new else x for x in (self.data, self.line)]
        rows = torch.cat([subsample(part.layer.normalised(x)) for x in both])
        return rows[:, positions].double()

    def _padded(self, x: Tensor, part: _Part) -> Tensor:
        axis = 1 if part.layer.is_image else -1
        shape = list(x.shape)
        shape[axis] = self.inputs - x.shape[axis]
        return torch.cat([x, x.new_zeros(shape)], axis)


def _fill(part: _Part, old: KanLayer | MixedLayer, new: KanLayer | MixedLayer, rows: _Rows) -> Tensor:
    """Write the functions of the old nodes to ``part``, and return the constants that are left for the bias."""
    layer, outputs = part.layer, old.outputs
    coefficients = layer.coefficients.clone()
    coefficients[:outputs] = 0.0
    if layer.base is not None:
        _base_weight(layer)[:outputs] = 0.0
    constants = torch.zeros(outputs, dtype=torch.float64, device=coefficients.device)
    for number, (source, at, to) in enumerate(_shared(_parts(old), part)):
        if number == 0:
            _overlay(source.front(), part.front())
        known = source.layer.coefficients[:, :, at].double()
        if _is_same(source, part) and _adopt(source.layer.basis, layer.basis, at, to):
            pass
        elif (nested := _nested(known, source, part, at, to, is_first=number == 0)) is not None:
            known = nested
        else:
            has_bias = new.bias is not None and not layer.spec.family.has_constant
            known, left = _projected(known, source, part, at, to, rows, has_bias=has_bias)
            constants += left
        coefficients[:outputs, :, to] = known.to(coefficients)
        if source.layer.base is not None:
            _base_weight(layer)[:outputs, to] = _base_weight(source.layer)[:, at]
    layer.set_coefficients(coefficients)
    return constants


def _shared(sources: list[_Part], part: _Part) -> list[tuple[_Part, list[int], list[int]]]:
    """Return the old parts that have nodes of ``part``, and which they are there and here.

    One of the same family comes first: fits build on what it brings.
    """
    found = []
    for source in sorted(sources, key=lambda each: not _is_same(each, part)):
        nodes = [node for node in part.nodes if node in source.nodes]
        if nodes:
            found.append((source, [source.nodes.index(node) for node in nodes], [part.nodes.index(n) for n in nodes]))
    return found


def _projected(
    known: Tensor, source: _Part, part: _Part, at: list[int], to: list[int], rows: _Rows, *, has_bias: bool
) -> tuple[Tensor, Tensor]:
    """Return coefficients of other functions, and the constants beside them, `(outputs,)`."""
    old, new = source.layer.basis, part.layer.basis
    if isinstance(old, SplineBasis) and isinstance(new, SplineBasis):  # a grid that was moved to the data stays there
        new.knots[to] = finer_knots(old, new.grid, new.order)[at].to(new.knots)
        new.is_uniform = new.is_uniform and old.is_uniform
    seen = rows.seen_by(source, at, is_new=False), rows.seen_by(part, to, is_new=True)
    matrices = transfer(_cut(old, at), _cut(new, to), *seen, bias=has_bias)
    fitted = torch.einsum("inm,omi...->oni...", matrices, known)
    constants = fitted[:, new.size :].flatten(1).sum(1)
    return fitted[:, : new.size], constants


def _absorb(new: KanLayer | MixedLayer, constants: Tensor, rows: _Rows) -> None:
    """Write constants as a function of the first node of a family that has them."""
    if not bool(constants.any()):
        return
    part = next(part for part in _parts(new) if part.layer.spec.family.has_constant)
    values = _cut(part.layer.basis, [0]).plain(rows.seen_by(part, [0], is_new=True))[..., 0]
    weights = torch.linalg.lstsq(values.cpu(), torch.ones(len(values), 1).double(), driver="gelsd").solution[:, 0]
    coefficients = part.layer.coefficients.clone()
    added = constants[:, None] * weights.to(constants)
    _taps(coefficients)[: len(constants), :, 0] += added.to(coefficients)
    part.layer.set_coefficients(coefficients)


def _is_keepable(old: KanLayer | MixedLayer, new: KanLayer | MixedLayer) -> bool:
    """Say whether coefficients can make ``new`` compute what ``old`` does, as far as its functions go."""
    before, after = _specs(old)[0], _specs(new)[0]
    fronts = {each.before_of(layer.inputs) for layer in (old, new) for each in _specs(layer)}
    is_wider, is_longer = new.outputs > old.outputs, new.inputs > old.inputs
    return (
        _form(old) == _form(new)
        and old.outputs <= new.outputs
        and old.inputs <= new.inputs
        and before.after == after.after
        and not (is_wider and before.after == "layer_norm")
        and not ("layer_norm" in fronts and (is_longer or len(fronts) > 1))
        and before.base in ("none", after.base)
        and not any(each.family.is_per_edge for layer in (old, new) for each in _specs(layer))
    )


def _form(layer: KanLayer | MixedLayer) -> tuple[int, ...]:
    """Return the kernel, stride and padding of a convolution, and nothing of a linear layer."""
    return (layer.kernel, layer.stride, layer.padding) if isinstance(layer, KanConv | MixedKanConv) else ()


def _is_same(source: _Part, part: _Part) -> bool:
    old, new = source.layer, part.layer
    befores = {layer.spec.before_of(layer.inputs) for layer in (old, new)}
    return old.spec.family == new.spec.family and len(befores) == 1


def _parts(layer: KanLayer | MixedLayer) -> list[_Part]:
    if isinstance(layer, KanLayer):
        return [_Part(layer, list(range(layer.inputs)))]
    groups = [group for group in layer.groups if isinstance(group, KanLayer)]
    return [_Part(group, layer.nodes_of(place)) for place, group in enumerate(groups)]


def _specs(layer: KanLayer | MixedLayer) -> tuple[KanSpec, ...]:
    return (layer.spec,) if isinstance(layer, KanLayer) else layer.specs


def _cut(basis: Basis, positions: list[int]) -> Basis:
    """Return the basis of some nodes, in double precision."""
    return basis.of_nodes(torch.tensor(positions)).double()


def _adopt(old: Basis, new: Basis, at: list[int], to: list[int]) -> bool:
    """Copy what nodes share and what they have of their own; say whether there is room for it."""
    if isinstance(old, RationalBasis) and isinstance(new, RationalBasis):
        return _adopt_rational(old, new, at, to)
    own = dict(itertools.chain(new.named_parameters(), new.named_buffers()))
    for name, value in itertools.chain(old.named_parameters(), old.named_buffers()):
        if name in old.per_input:
            axis = old.per_input[name]
            own[name].index_copy_(axis, _index(to, value), value.index_select(axis, _index(at, value)))
        else:
            own[name].copy_(value)
    if isinstance(old, SplineBasis) and isinstance(new, SplineBasis):
        new.is_uniform = new.is_uniform and old.is_uniform
    return True


def _nested(
    known: Tensor, source: _Part, part: _Part, at: list[int], to: list[int], *, is_first: bool
) -> Tensor | None:
    """Return coefficients for more functions of one kind, the old ones among them; ``None`` where that is not the case.

    What the nodes of a family share can follow only the first of those that come.
    """
    families = source.layer.spec.family, part.layer.spec.family
    befores = {each.layer.spec.before_of(each.layer.inputs) for each in (source, part)}
    name = next((_NESTED[each.name] for each in families if each.name in _NESTED), "")
    if families[0].size >= families[1].size or len(befores) > 1 or not name:
        return None
    if (
        type(families[0]) is not type(families[1])
        or replace(families[0], **{name: getattr(families[1], name)}) != families[1]
    ):
        return None
    old, new = source.layer.basis, part.layer.basis
    own = dict(new.named_parameters())
    if not is_first and set(own) - set(new.per_input):
        return None
    for each, value in old.named_parameters():
        if each in old.per_input:  # `(size, inputs)`
            own[each][: len(value), to] = value[:, at]
        else:
            own[each][: len(value)] = value
    wider = known.new_zeros(known.shape[0], new.size, *known.shape[2:])
    blocks = 2 if name == "frequencies" and families[0].name == "fourier" else 1  # cosines, then sines
    for block in range(blocks):
        step, wide = old.size // blocks, new.size // blocks
        wider[:, block * wide : block * wide + step] = known[:, block * step : (block + 1) * step]
    return wider


def _adopt_rational(old: RationalBasis, new: RationalBasis, at: list[int], to: list[int]) -> bool:
    """Copy the numerator, and let nodes keep their denominators, whatever group they would be in."""
    heard, places = torch.unique(old.group[at], return_inverse=True)
    if len(heard) > len(new.denominator):
        return False
    new.numerator.copy_(old.numerator)
    new.denominator[: len(heard)] = old.denominator[heard]
    new.group[to] = places
    return True


def _index(places: list[int], like: Tensor) -> Tensor:
    return torch.tensor(places, device=like.device)


def _transplant_linear(old: nn.Linear, new: nn.Linear) -> bool:
    """Copy a linear head; inputs that are new are not heard."""
    if old.out_features != new.out_features or old.in_features > new.in_features:
        return False
    new.weight.zero_()
    new.weight[:, : old.in_features] = old.weight
    new.bias.copy_(old.bias)
    return True


def _overlay(old: nn.Module | None, new: nn.Module | None) -> None:
    """Copy the state of ``old`` to the first places of ``new``."""
    if old is None or new is None:
        return
    target = new.state_dict()
    for name, value in old.state_dict().items():
        if name in target:
            target[name][tuple(slice(0, length) for length in value.shape)] = value


def _base_weight(layer: KanLayer) -> Tensor:
    assert layer.base is not None
    weight = layer.base.weight
    assert isinstance(weight, Tensor)
    return weight


def _taps(weight: Tensor) -> Tensor:
    """Return the view of the middle of a kernel, and all of what has no kernel (`coefficients` has three axes)."""
    is_kernel = weight.ndim > 3
    return weight[..., weight.shape[-2] // 2, weight.shape[-1] // 2] if is_kernel else weight


def _line(x: Tensor, inputs: int, *, is_image: bool) -> Tensor:
    """Return points over the range of each input; turned, so that what mixes inputs meets more than a diagonal."""
    rows = x.movedim(1, -1).flatten(0, -2) if is_image else x
    low, high = rows.amin(0), rows.amax(0)
    share = torch.linspace(-0.1, 1.1, _LINE, dtype=x.dtype, device=x.device)
    turned = torch.stack([share.roll(37 * place) for place in range(inputs)], -1)
    points = low + (high - low) * turned
    return points.t()[None, :, :, None] if is_image else points


def _learners(network: nn.Module) -> list[Learner]:
    return [module for module in network.children() if isinstance(module, KanLayer | MixedLayer | nn.Linear)]


def _others(network: nn.Module) -> list[str]:
    kinds = (KanLayer, MixedLayer, nn.Linear)
    return [type(module).__name__ for module in network.children() if not isinstance(module, kinds)]


def _is_trained(module: nn.Module) -> bool:
    """Say whether there are weights that nothing here knows: nodes that have yet to select their family."""
    return not isinstance(module, KanLayer | MixedLayer | nn.Linear) and any(True for _ in module.parameters())


def _inputs_of(network: nn.Module, x: Tensor) -> list[Tensor]:
    return list(_walked(network, x))


def _walked(network: nn.Module, x: Tensor) -> Iterator[Tensor]:
    """Yield what each learner gets."""
    for module in network.children():
        if isinstance(module, KanLayer | MixedLayer | nn.Linear):
            yield x
        x = module(x)
