"""Changes of a network that keep its function: another family, finer bases, wider and deeper layers.

They return new layers and leave the old ones as they are. Only `project` is approximate, by as much as the functions of
the old family are not in the new one; refining nests where it can, widening and deepening are exact.
"""

from __future__ import annotations

import copy
from dataclasses import fields, replace

import torch
from torch import Tensor, nn

from automl import ConfigurationError
from automl_spaces.kan.layers.basis import Before, Family
from automl_spaces.kan.layers.layer import KanLayer
from automl_spaces.kan.layers.linear import KanLinear
from automl_spaces.kan.layers.refit import extend_grid, subsample, transfer
from automl_spaces.kan.layers.spec import KanSpec

_POINTS = 1024
_FINER = ("grid", "centres", "degree", "frequencies", "count")


@torch.no_grad()
def project(
    layer: KanLayer, family: Family, *, before: Before | None = None, samples: Tensor | None = None
) -> KanLayer:
    """Return ``layer`` in another family, its functions fitted by least squares.

    Normalisation, base and everything after stay as they are. Where a bounded family takes over from one that sees
    inputs as they come, inputs are clipped to [-1, 1]; give ``before`` to have them squashed instead. A bias appears
    where the new family has no constants, and takes part in the fit.

    Args:
        layer: to change.
        family: to change to.
        before: normalisation in front of the new basis; that of the layer by default.
        samples: inputs of the layer to fit on; by default the functions are fitted over [-1, 1] where inputs end there,
            and over the standard normal otherwise.

    Raises:
        ConfigurationError: a basis for each edge, or another normalisation where one is over all inputs.
    """
    old_before = layer.spec.before_of(layer.inputs)
    wanted = before or old_before
    if wanted != old_before and "layer_norm" in (wanted, old_before):
        raise ConfigurationError(
            f"layer normalisation mixes inputs, so functions of {old_before!r} cannot be fitted behind {wanted!r}; "
            "leave `before` out"
        )
    has_bias = layer.bias is not None or not family.has_constant
    spec = replace(layer.spec, family=family, before=wanted, bias=has_bias)
    made = layer.resized(layer.inputs, layer.outputs, spec)
    if wanted == old_before:
        _adopt(made.before, layer.before)
    x = _line(layer, samples)
    old_rows, new_rows = subsample(layer.normalised(x)), subsample(made.normalised(x))
    matrices = transfer(layer.basis, made.basis, old_rows, new_rows, bias=has_bias).to(layer.coefficients)
    fitted = torch.einsum("inm,omi...->oni...", matrices, layer.coefficients)
    size = made.basis.size
    made.set_coefficients(fitted[:, :size])
    _copy_bias(layer, made, fitted[:, size:] if has_bias else None)
    _copy_rest(layer, made)
    return made


def refine(layer: KanLayer, samples: Tensor | None = None) -> KanLayer:
    """Return ``layer`` with a finer basis: twice the grid, or one degree, frequency or function more.

    Exact for splines, whose grids nest, and for polynomials and harmonics; a fit otherwise (see `project`).

    Raises:
        ConfigurationError: the family has nothing to refine.
    """
    family = layer.spec.family
    name = next((each for each in _FINER if each in {field.name for field in fields(family)}), None)
    if name is None:
        raise ConfigurationError(f"family {family.name} has no grid, degree or frequencies to refine")
    if family.name in ("bspline", "piecewise_linear"):
        made = copy.deepcopy(layer)
        extend_grid(made, 2 * getattr(family, name))
        return made
    more = 2 * getattr(family, name) if name == "grid" else getattr(family, name) + 1
    return project(layer, replace(family, **{name: more}), samples=samples)


@torch.no_grad()
def widen(
    first: KanLayer, second: KanLayer, width: int, generator: torch.Generator | None = None
) -> tuple[KanLayer, KanLayer]:
    """Return both layers with ``width`` nodes between them; the new ones listen, and are not yet heard.

    What they receive is drawn as in a new layer; what they send on is 0, so that the function is the same.

    Raises:
        ConfigurationError: ``width`` is not larger, the layers do not fit, or a layer normalisation between them would
            see the new nodes.
    """
    if first.outputs != second.inputs or width <= first.outputs:
        raise ConfigurationError(
            f"widening needs layers that fit and a larger width, but got {first.outputs} outputs, "
            f"{second.inputs} inputs and width {width}"
        )
    if "layer_norm" in (first.spec.after, second.spec.before_of(width), second.spec.before_of(second.inputs)):
        raise ConfigurationError("layer normalisation between the layers sees new nodes; widen without it")
    before = first.spec.before_of(first.inputs)
    wide_first = first.resized(first.inputs, width, replace(first.spec, before=before))
    wide_first.reset_parameters(generator)
    wide_second = second.resized(
        width, second.outputs, replace(second.spec, before=second.spec.before_of(second.inputs))
    )
    for tensor in _weights(wide_second):
        tensor.zero_()
    _overlay(first, wide_first)
    _overlay(second, wide_second)
    return wide_first, wide_second


@torch.no_grad()
def identity_layer(width: int, spec: KanSpec | None = None, samples: Tensor | None = None) -> KanLinear:
    """Return a layer of ``width`` inputs and outputs that does nothing yet, to deepen a network with.

    With an identity base it is exact, all coefficients being 0 and yet to be trained. With another base the identity is
    fitted by the family on ``samples``, `(examples, width)`, or over the standard normal.

    Raises:
        ConfigurationError: something comes after the sum, or mixes inputs where a fit is needed.
    """
    spec = spec or KanSpec(base="identity")
    if spec.after != "none":
        raise ConfigurationError(f"a layer that normalises its sum ({spec.after}) is no identity; use `after = 'none'`")
    layer = KanLinear(width, width, spec)
    for tensor in _weights(layer):
        tensor.zero_()
    if spec.base == "identity":
        assert layer.base is not None
        nn.init.eye_(layer.base.weight)  # type: ignore[arg-type]
        return layer
    if spec.before_of(width) == "layer_norm":
        raise ConfigurationError("behind layer normalisation no family can give the identity; use `base = 'identity'`")
    x = _line(layer, samples)
    design = layer.basis.plain(layer.normalised(x)).movedim(-1, 0).double()
    if layer.bias is not None:
        design = torch.cat([design, torch.ones_like(design[..., :1])], -1)
    solved = torch.linalg.lstsq(design, layer.rows(x).t().unsqueeze(-1).double(), driver="gelsd").solution
    coefficients, size = torch.zeros_like(layer.coefficients), layer.basis.size
    nodes = torch.arange(width)
    coefficients[nodes, :, nodes] = solved[:, :size, 0].to(coefficients)
    layer.set_coefficients(coefficients)
    if layer.bias is not None:
        layer.bias.copy_(solved[:, size, 0])
    return layer


def _line(layer: KanLayer, samples: Tensor | None) -> Tensor:
    """Return inputs to fit on: those given, or the same points for every input, in the layout of the layer."""
    if samples is not None:
        return samples
    like = next(layer.parameters())
    ends_there = layer.spec.family.is_bounded and layer.spec.before_of(layer.inputs) == "none"
    if ends_there:
        line = torch.linspace(-1.0, 1.0, _POINTS)
    else:  # quantiles of the standard normal, so that where inputs are dense the fit is close
        line = torch.special.ndtri((torch.arange(_POINTS) + 0.5) / _POINTS)
    turned = torch.stack([line.roll(37 * place) for place in range(layer.inputs)], -1)  # for what mixes inputs
    return (turned.t()[None, :, :, None] if layer.is_image else turned).to(like)


def _weights(layer: KanLayer) -> list[Tensor]:
    found = [layer.product.weight, layer.bias, None if layer.base is None else layer.base.weight]
    return [tensor for tensor in found if isinstance(tensor, Tensor)]


def _adopt(new: nn.Module, old: nn.Module) -> None:
    """Copy the state of ``old`` where the forms are the same."""
    known = old.state_dict()
    own = new.state_dict()
    same = {name: value for name, value in known.items() if name in own and own[name].shape == value.shape}
    if same and len(same) == len(own):
        new.load_state_dict(same)


def _copy_bias(old: KanLayer, new: KanLayer, constants: Tensor | None) -> None:
    if new.bias is None:
        return
    new.bias.zero_()
    if old.bias is not None:
        new.bias.add_(old.bias)
    if constants is not None:
        new.bias.add_(constants.flatten(1).sum(1))


def _copy_rest(old: KanLayer, new: KanLayer) -> None:
    """Copy the base and what comes after."""
    if old.base is not None and new.base is not None:
        new.base.load_state_dict(old.base.state_dict())
    new.after.load_state_dict(old.after.state_dict())


def _overlay(old: KanLayer, new: KanLayer) -> None:
    """Copy all of ``old`` into the first places of ``new``, which has more inputs or more outputs."""
    if old.inputs != new.inputs or old.outputs != new.outputs:
        weight = torch.zeros_like(new.coefficients) if old.inputs != new.inputs else new.coefficients.clone()
        weight[: old.outputs, :, : old.inputs] = old.coefficients
        new.set_coefficients(weight)
    target = new.state_dict()
    for name, value in old.state_dict().items():
        if name == "product.weight" or name == "product.scale" or not isinstance(value, Tensor):
            continue
        target[name][tuple(slice(0, length) for length in value.shape)] = value
    extra = getattr(old.basis, "is_uniform", None)
    if extra is not None:
        new.basis.is_uniform = extra
