"""Contract: a family of functions of one variable, and its basis.

A layer is a sum over edges, ``y_o = Σ_i Σ_m c_oim b_m(x_i)``. A `Family` is a frozen record of the decisions that make
a basis; a `Basis` is the module that evaluates ``b_m``, with the trainable parameters that all edges share. The
coefficients ``c`` belong to the layer, whose one product does the rest.

The axis of the basis comes before that of the inputs, `(..., size, inputs)`: each function is then written to one
stretch of memory, and the last two axes flatten to the rows of one matrix product without a copy.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Literal, TypeAlias

import torch
from torch import Tensor, nn

from automl import ConfigurationError

Before: TypeAlias = Literal["none", "layer_norm", "tanh", "min_max"]
Choice: TypeAlias = int | float | str | bool


class Basis(nn.Module, ABC):
    """Evaluates the functions of a basis at every input.

    Contract: elementwise in the inputs; each input may have parameters of its own, and the examples never meet. Any
    leading axes are examples. The module owns what the edges share (grids, frequencies), never the coefficients.

    Attributes:
        inputs: number of inputs.
        size: functions per input.
        per_input: tensors with an entry for each input, and which of their axes that is.
    """

    per_input: ClassVar[Mapping[str, int]] = MappingProxyType({})

    def __init__(self, inputs: int, size: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.size = size

    @abstractmethod
    def plain(self, x: Tensor) -> Tensor:
        """Return the values by their definition, `(..., size, inputs)`, of ``x``, `(..., inputs)`."""

    def expand(self, x: Tensor) -> Tensor:
        """Return the values, `(..., size, inputs)`, the quickest way that is known; the same as `plain`."""
        return self.plain(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.expand(x)

    def of_nodes(self, nodes: Tensor) -> Basis:
        """Return a copy for the inputs ``nodes`` alone, `(nodes,)` of int64, whose functions are the same."""
        made = copy.deepcopy(self)
        made.inputs = len(nodes)
        for name, axis in self.per_input.items():
            tensor = getattr(made, name)
            picked = tensor.detach().index_select(axis, nodes.to(tensor.device))
            setattr(made, name, nn.Parameter(picked) if isinstance(tensor, nn.Parameter) else picked)
        return made

    def extra_repr(self) -> str:
        return f"{self.inputs}, size={self.size}"


@dataclass(frozen=True)
class Family(ABC):
    """What decides a basis. A subclass adds its decisions as fields, each with a default.

    Attributes:
        name: what the user types.
        choices: values that a search offers for each field; fields that are not there are settings, not decisions.
        is_bounded: the functions are meant for [-1, 1], and inputs beyond are brought there (see `normalisation`).
        has_constant: constants are in the span, so that the layer needs no bias.
        before: normalisation that suits it.
        suits_images: whether there is a convolution of it.
    """

    name: ClassVar[str]
    choices: ClassVar[Mapping[str, tuple[Choice, ...]]] = MappingProxyType({})
    is_bounded: ClassVar[bool] = False
    has_constant: ClassVar[bool] = False
    before: ClassVar[Before] = "none"

    @property
    @abstractmethod
    def size(self) -> int:
        """Functions per input."""

    @abstractmethod
    def basis(self, inputs: int) -> Basis:
        """Return a new basis of ``inputs`` inputs; it draws nothing at random."""

    @property
    def is_per_edge(self) -> bool:
        """Whether each edge has a basis of its own, so that there is no one product (see `EdgeSum`)."""
        return False

    def edge_basis(self, inputs: int, outputs: int) -> Basis:
        """Return a basis of one function for each edge, `(..., outputs, inputs)`, where `is_per_edge`."""
        raise ConfigurationError(
            f"family {self.name} has no basis for each edge; its functions are shared by the outputs"
        )

    @abstractmethod
    def flops(self) -> int:
        """Return the operations to evaluate all functions at one input; an exponential or the like counts as 10."""

    def shared_parameters(self, inputs: int, outputs: int) -> int:
        """Return the number of trainable parameters of the basis."""
        return 0

    def profile(self) -> Tensor:
        """Return the relative standard deviation of the initial coefficient of each function, `(size,)`."""
        return torch.ones(self.size)
