"""The fully connected layer."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import skip_init

from automl import ConfigurationError
from automl_spaces.kan.layers.cost import layer_cost
from automl_spaces.kan.layers.layer import KanLayer
from automl_spaces.kan.layers.normalisation import apply_after
from automl_spaces.kan.layers.spec import KanSpec


class KanLinear(KanLayer):
    """A layer of learnt functions on edges, `(..., inputs)` to `(..., outputs)`.

    The product is an `nn.Linear`, so that whatever knows linear layers (counters, scores, pruning) knows this one.

    Args:
        inputs: of the last axis.
        outputs: of the last axis.
        spec: family, base, normalisation.
        generator: draws the weights; by default torch's own, as for every module of torch.

    >>> KanLinear(3, 2, KanSpec(base="silu"))(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """

    def __init__(
        self, inputs: int, outputs: int, spec: KanSpec | None = None, *, generator: torch.Generator | None = None
    ) -> None:
        spec = spec or KanSpec()
        super().__init__(inputs, outputs, spec)
        self.product = _product(self.basis.size, inputs, outputs, spec)
        self.base = None if spec.base == "none" else _empty(inputs, outputs, bias=False)
        self.reset_parameters(generator)

    def forward(self, x: Tensor) -> Tensor:
        summed = self.product(self.basis(self.before(x)).flatten(-2))
        if self.base is not None:
            summed = summed + self.base(self.base_values(x))
        return apply_after(self.after, summed)

    def resized(self, inputs: int, outputs: int, spec: KanSpec) -> KanLinear:
        like = next(self.parameters())
        return KanLinear(inputs, outputs, spec).to(like).train(self.training)

    def rows(self, x: Tensor) -> Tensor:
        return x.flatten(0, -2)

    def count_operations(self, shape: tuple[int, ...]) -> int:
        """Return all arithmetic for inputs of ``shape``, which evaluators ask for; see `layer_cost`."""
        return layer_cost(self.spec, self.inputs, self.outputs).flops * math.prod(shape[:-1])

    def extra_repr(self) -> str:
        return f"{self.inputs}, {self.outputs}, {self.spec.family}"


class ScaledLinear(nn.Linear):
    """A linear layer of expanded inputs with one more factor for each edge, ``scale``, `(outputs, inputs)`."""

    def __init__(self, size: int, inputs: int, outputs: int, *, bias: bool) -> None:
        super().__init__(size * inputs, outputs, bias=bias)
        self.size = size
        self.scale = nn.Parameter(torch.ones(outputs, inputs))

    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input, self.weight * self.scale.repeat(1, self.size), self.bias)


class EdgeSum(nn.Module):
    """The sum over inputs where each edge has a basis of its own: the expansion is `(..., outputs x inputs)`."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, expanded: Tensor) -> Tensor:
        summed = (expanded.view(*expanded.shape[:-1], *self.weight.shape) * self.weight).sum(-1)
        return summed if self.bias is None else summed + self.bias


def _product(size: int, inputs: int, outputs: int, spec: KanSpec) -> nn.Module:
    if spec.family.is_per_edge:
        if spec.edge_scale:
            raise ConfigurationError("`edge_scale` doubles the weights of a basis for each edge; leave one of them")
        return EdgeSum(inputs, outputs, bias=spec.has_bias)
    if spec.edge_scale:
        return ScaledLinear(size, inputs, outputs, bias=spec.has_bias)
    return _empty(size * inputs, outputs, bias=spec.has_bias)


def _empty(inputs: int, outputs: int, *, bias: bool) -> nn.Linear:
    """Return a linear layer whose weights are yet to be drawn."""
    made: nn.Linear = skip_init(  # type: ignore[no-untyped-call]
        nn.Linear, inputs, outputs, bias=bias, device=torch.get_default_device()
    )
    return made
