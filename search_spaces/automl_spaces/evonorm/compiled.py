"""From an expression to a module that is as fast as one written by hand.

Dead nodes are pruned and equal sub-expressions computed once. Moments stay small, ``(1, channels, 1, 1)`` or
``(batch, channels, 1, 1)``, and all those of one tensor come from one pass (`moments`). Sums, products and quotients
with small tensors are not computed on the images: a value is kept as ``base * scale + shift`` until an operation needs
its pixels, and the affine map after the graph joins that product. Layers that PyTorch has kernels for are recognised
and use them (`native`).

Decisions that [1] leaves open, besides those of `expression`:

* Each node that aggregates over the batch keeps a running moment (mean from 0, second moment and variance from 1) with
  momentum 0.1, which replaces that of the batch in evaluation. The variance is averaged unbiased, as PyTorch's batch
  normalisation and not as [1]'s code does, so that both agree exactly.
* A recognised layer with ``v1`` and ``v0`` has no affine map after it: it is the native layer, with the native layer's
  parameters ``weight`` and ``bias``. ``affine=True`` adds the map.
* A divisor known to be ``√ε`` or more, as roots of moments are, is not guarded.
* Half precision is computed in single precision and cast back; native kernels do the like on their own.
* Moments over the batch are those of one process: nothing is synchronised between devices.

[1] Liu, Brock, Simonyan, Le. Evolving Normalization-Activation Layers. NeurIPS 2020. arXiv 2004.02967.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from automl_spaces.evonorm.expression import AGGREGATIONS, V0, V1, ZERO, Expression, X
from automl_spaces.evonorm.interpreter import Step, Value, compute, steps_of
from automl_spaces.evonorm.native import NativeLayer, recognised


class ChannelAffine(nn.Module):
    """``γ x + β`` per channel: what stands for a layer where the host network wants no activation.

    >>> ChannelAffine(4)(torch.ones(2, 4, 8, 8)).shape
    torch.Size([2, 4, 8, 8])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return a tensor of the shape of ``inputs``, ``(batch, channels, ...)``."""
        shape = (1, -1, *([1] * (inputs.dim() - 2)))
        return torch.addcmul(self.bias.view(shape), inputs, self.weight.view(shape))


class ExpressionLayer(nn.Module):
    """An expression on ``(batch, channels)``, ``(batch, channels, length)`` or ``(batch, channels, height, width)``.

    Parameters are ``v0`` and ``v1`` where the expression reads them, and ``weight`` (γ) and ``bias`` (β).

    Args:
        expression: what to compute before the affine map.
        channels: of the inputs.
        groups: for moments over ``whc/g``; lowered until it divides ``channels``.
        epsilon: see `expression`.
        momentum: weight of the newest batch in running moments.
        affine: whether the affine map follows.

    >>> layer = ExpressionLayer(Expression.parse("STD{whc/g} 0; DIV 0 4"), 6)
    >>> layer(torch.ones(2, 6, 8, 8)).shape
    torch.Size([2, 6, 8, 8])
    """

    def __init__(
        self,
        expression: Expression,
        channels: int,
        *,
        groups: int = 32,
        epsilon: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
    ) -> None:
        super().__init__()
        self.expression = expression.canonical()
        self.channels, self.groups = channels, fitting_groups(groups, channels)
        self.epsilon, self.momentum = epsilon, momentum
        self._steps: tuple[Step, ...] = steps_of(self.expression)
        live = self.expression.live()
        self.v0 = nn.Parameter(torch.zeros(channels)) if V0 in live else None
        self.v1 = nn.Parameter(torch.ones(channels)) if V1 in live else None
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None
        for number, node in self.expression.numbered():
            if node.operation in AGGREGATIONS and "b" in node.over:
                start = torch.zeros(channels) if node.operation == "MEAN" else torch.ones(channels)
                self.register_buffer(_buffer_name(node.operation, number), start)

    def extra_repr(self) -> str:
        """Return the formula."""
        return f"{self.channels}, {self.expression.formula()}"

    def forward(self, inputs: Tensor) -> Tensor:
        """Return a tensor of the shape and type of ``inputs``.

        Raises:
            ValueError: the inputs have another number of channels.
        """
        if inputs.dim() < 2 or inputs.shape[1] != self.channels:
            raise ValueError(f"the layer has {self.channels} channels, but its inputs have shape {tuple(inputs.shape)}")
        single = inputs.float() if inputs.dtype in (torch.half, torch.bfloat16) else inputs
        images = single if inputs.dim() == 4 else single.reshape(*inputs.shape[:2], -1, 1)
        initial = {X: Value(images), ZERO: Value(None, None, images.new_zeros(1, 1, 1, 1))}
        for number, vector in ((V0, self.v0), (V1, self.v1)):
            if vector is not None:
                initial[number] = Value(None, None, vector.view(1, -1, 1, 1))
        value = compute(self._steps, initial, self.groups, self.epsilon, self)[self.expression.output]
        if self.weight is not None and self.bias is not None:
            value = value.times(self.weight.view(1, -1, 1, 1)).plus(self.bias.view(1, -1, 1, 1))
        return value.tensor().expand_as(images).reshape(inputs.shape).to(inputs.dtype)

    def running(self, step: Step) -> Tensor | None:
        """Return the running moment in evaluation."""
        return None if self.training else self._buffer(step).view(1, -1, 1, 1)

    def note(self, step: Step, moment: Tensor, count: int) -> None:
        """Average the moment of a batch into the running one, the variance unbiased."""
        unbiased = count / (count - 1) if step.operation == "STD" and count > 1 else 1.0
        newest = moment.detach().flatten()
        self._buffer(step).mul_(1 - self.momentum).add_(newest, alpha=self.momentum * unbiased)

    def _buffer(self, step: Step) -> Tensor:
        return self.get_buffer(_buffer_name(step.operation, step.number))


class NativeNorm(nn.Module):
    """A recognised layer on the kernels of PyTorch, with the parameters and buffers of PyTorch's own layers.

    ``weight`` and ``bias`` are ``v1`` and ``v0``; ``affine`` is the map after the activation, where it is wanted.

    Args:
        layer: what was recognised.
        channels: of the inputs.
        affine: whether the affine map follows.
        groups, epsilon, momentum: as of `ExpressionLayer`.

    >>> NativeNorm(NativeLayer("wh", True, True, "relu"), 4)(torch.ones(2, 4, 8, 8)).shape
    torch.Size([2, 4, 8, 8])
    """

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        layer: NativeLayer,
        channels: int,
        *,
        groups: int = 32,
        epsilon: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
    ) -> None:
        super().__init__()
        self.layer, self.channels, self.epsilon, self.momentum = layer, channels, epsilon, momentum
        self.groups = {"wh": channels, "whc": 1}.get(layer.over) or fitting_groups(groups, channels)
        self.weight = nn.Parameter(torch.ones(channels)) if layer.has_scale else None
        self.bias = nn.Parameter(torch.zeros(channels)) if layer.has_shift else None
        self.affine = ChannelAffine(channels) if affine else None
        is_batch = layer.over == "bwh"
        self.register_buffer("running_mean", torch.zeros(channels) if is_batch else None)
        self.register_buffer("running_var", torch.ones(channels) if is_batch else None)
        self.register_buffer("num_batches_tracked", torch.tensor(0) if is_batch else None)

    def extra_repr(self) -> str:
        """Return what the layer is."""
        return f"{self.channels}, over={self.layer.over!r}, activation={self.layer.activation!r}"

    def forward(self, inputs: Tensor) -> Tensor:
        """Return a tensor of the shape of ``inputs``: ``(batch, channels)``, with or without one or two more axes."""
        if self.layer.over == "bwh":
            if self.training and self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
            running = (self.running_mean, self.running_var)
            outputs = F.batch_norm(inputs, *running, self.weight, self.bias, self.training, self.momentum, self.epsilon)
        else:
            outputs = F.group_norm(inputs, self.groups, self.weight, self.bias, self.epsilon)
        if self.layer.activation == "relu":
            outputs = F.relu(outputs, inplace=True)
        elif self.layer.activation == "silu":
            outputs = F.silu(outputs)
        return outputs if self.affine is None else self.affine(outputs)


def compile_layer(
    expression: Expression,
    channels: int,
    *,
    groups: int = 32,
    epsilon: float = 1e-5,
    momentum: float = 0.1,
    affine: bool | None = None,
) -> ExpressionLayer | NativeNorm:
    """Return the module that computes ``expression`` on ``channels`` channels.

    Args:
        expression: any expression; parts that its output does not depend on cost nothing.
        channels: of the inputs.
        groups: of channels, for moments over ``whc/g``; lowered until it divides ``channels``.
        epsilon: see `expression`.
        momentum: weight of the newest batch in running moments.
        affine: whether ``γ G(x) + β`` follows the graph; ``None``: unless a native layer with both ``v0`` and ``v1`` is
            recognised.

    >>> type(compile_layer(Expression.parse("STD{wh} 0; DIV 0 4"), 8)).__name__
    'ExpressionLayer'
    """
    layer = recognised(expression)
    if affine is None:
        affine = layer is None or not (layer.has_scale and layer.has_shift)
    if layer is None:
        return ExpressionLayer(expression, channels, groups=groups, epsilon=epsilon, momentum=momentum, affine=affine)
    return NativeNorm(layer, channels, groups=groups, epsilon=epsilon, momentum=momentum, affine=affine)


def fitting_groups(groups: int, channels: int) -> int:
    """Return the largest number up to ``groups`` that divides ``channels``."""
    return next(number for number in range(min(groups, channels), 0, -1) if channels % number == 0)


def _buffer_name(operation: str, number: int) -> str:
    return f"running_{operation.lower()}_{number}"
